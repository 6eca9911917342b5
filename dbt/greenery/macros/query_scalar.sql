{# What an SQL expression is in the warehouse now. #}
{% macro query_scalar(expression) -%}
    {{ return(run_query('select ' ~ expression).rows[0][0]) }}
{%- endmacro %}
