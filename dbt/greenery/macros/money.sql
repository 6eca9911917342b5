{# An amount of money in dollars, to the cent; null when it is more than a column of money holds. #}
{% macro money(expression) -%}
    {{ fit(expression, 12, 2) }}
{%- endmacro %}
