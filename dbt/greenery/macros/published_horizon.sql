{# The last load that the last publication read, or none if there was no publication. #}
{% macro published_horizon() -%}
    {%- for row in run_query(
        'select horizon_load_id from ops.publication order by published_at desc limit 1'
    ).rows -%}
        {{ return(row[0]) }}
    {%- endfor -%}
    {{ return(none) }}
{%- endmacro %}
