{# SQL: the number that a level stands for (usual_level). A volume or a share is never below 0. #}
{% macro number_of_level(level, scale, kind='measure') -%}
    {%- if scale == 'share' -%} least(greatest({{ level }}, 0), 1)
    {%- else -%}
        {%- set number -%}
            sign({{ level }}) * (exp(least(abs({{ level }}), 300)) - 1)
        {%- endset -%}
        {%- if kind == 'volume' -%} greatest({{ number }}, 0) {%- else -%} {{ number }} {%- endif -%}
    {%- endif -%}
{%- endmacro %}
