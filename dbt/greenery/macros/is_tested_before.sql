{#
    Whether all but what came since the last publication has passed the test that is compiled: it
    passed when it last ran. A test that found something looks at everything until it passes, so that
    what it found is told until it is mended. The weekly full test (GREENERY_TEST_EVERYTHING) looks
    at everything, and so does everybody but the daily run.
#}
{% macro is_tested_before() -%}
    {%- if not execute or target.name != 'prod' or env_var('GREENERY_TEST_EVERYTHING', '') -%}
        {{ return(false) }}
    {%- endif -%}
    {{ return(run_query(
        "select coalesce((select status = 'pass' from ops.node_result where unique_id = '"
        ~ model.unique_id ~ "' order by finished_at desc limit 1), false)"
    ).rows[0][0]) }}
{%- endmacro %}
