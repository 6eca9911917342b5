{# What an SQL expression is in the warehouse now. #}
{% macro ask(expression) -%}
    {{ return(run_query('select ' ~ expression).rows[0][0]) }}
{%- endmacro %}
