{#
    A share or an average to four decimals; null when there is nothing to divide by, never an error.
#}
{% macro safe_divide(numerator, denominator) -%}
    {%- set quotient -%} cast({{ numerator }} as numeric) / nullif({{ denominator }}, 0) {%- endset -%}
    {{ fit(quotient, 18, 4) }}
{%- endmacro %}
