{#
    The table in which dbt remembers what it built. The daily run's is made by a migration; everybody
    else gets one of their own, of the same columns.
#}
{% macro build_state(name) -%}
    {%- if target.name == 'prod' -%} ops.{{ name }}
    {%- else -%} {{ adapter.quote(target.schema ~ '_ops') }}.{{ name }}
    {%- endif -%}
{%- endmacro %}
