{#
    A number as numeric(digits, decimals); null when it has no room there or is no number (NaN,
    infinity): a cast would fail, and with it the model. What is null then is found by its tests.
#}
{% macro fit(expression, digits, decimals) -%}
    {%- set most = '9' * (digits - decimals) ~ ('.' ~ '9' * decimals if decimals else '') -%}
    cast(
        case when {{ expression }} between -{{ most }} and {{ most }} then {{ expression }} end
        as numeric({{ digits }}, {{ decimals }})
    )
{%- endmacro %}
