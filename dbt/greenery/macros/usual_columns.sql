{# The columns that tell the series of a test of usual numbers apart, the named one first. #}
{% macro usual_columns(series, by) -%}
    {{ return((series.keys() | list if series else []) + by) }}
{%- endmacro %}
