{#
    A share or an average to four decimals; null when there is nothing to divide by, never an error.
#}
{% macro rate(numerator, denominator) -%}
    {{ fit('cast(' ~ numerator ~ ' as numeric) / nullif(' ~ denominator ~ ', 0)', 18, 4) }}
{%- endmacro %}
