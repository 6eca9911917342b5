{# SQL: the last load that the last publication read, or null if there was no publication. #}
{% macro published_horizon() -%}
    (select horizon_load_id from ops.publication order by published_at desc limit 1)
{%- endmacro %}
