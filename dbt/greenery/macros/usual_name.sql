{# SQL of what to call the number of a row. #}
{% macro usual_name(series, what) -%}
    {%- if series -%}
        case series_key[1]
            {%- for value, name in (series.values() | first).items() %}
            when '{{ value }}' then '{{ name | replace("'", "''") }}'
            {%- endfor %}
        end
    {%- else -%} '{{ what | replace("'", "''") }}'
    {%- endif -%}
{%- endmacro %}
