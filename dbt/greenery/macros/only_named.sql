{# The condition that leaves the series that have a name. #}
{% macro only_named(series) -%}
    {%- for column, names in (series or {}).items() -%}
        and {{ column }} in (
            {%- for value in names -%} '{{ value }}'{{ ', ' if not loop.last }} {%- endfor -%}
        )
    {%- endfor -%}
{%- endmacro %}
