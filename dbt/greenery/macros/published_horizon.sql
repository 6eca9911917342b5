{# SQL: the last load that the last publication read, or null if there was no publication. #}
{% macro published_horizon() -%}
    (select horizon_load_id from ops.publication order by publication_id desc limit 1)
{%- endmacro %}
