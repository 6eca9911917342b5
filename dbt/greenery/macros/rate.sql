{#
    A share or an average to four decimals; null when there is nothing to divide by, never an error.
#}
{% macro rate(numerator, denominator) -%}
    cast(
        cast({{ numerator }} as numeric) / nullif({{ denominator }}, 0) as numeric(18, 4)
    )
{%- endmacro %}
