{#
    Whether all but what came since the last publication has passed the test that is compiled: it
    passed when it last ran. A test that found something looks at everything until it passes, so that
    what it found is told until it is mended. The weekly full test (GREENERY_TEST_EVERYTHING) looks
    at everything, and so does everybody but the daily run.
#}
{% macro is_tested_before() -%}
    {{ return(since_tested('true') is not none) }}
{%- endmacro %}
