{#
    What a row belongs to, as part of a key: never null, and short enough for an index.
#}
{% macro dimension_value(column) -%}
    coalesce(left({{ column }}, 500), '(none)')
{%- endmacro %}
