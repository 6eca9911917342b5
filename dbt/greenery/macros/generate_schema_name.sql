{#
    The daily run (target prod) builds into the shared schemas. Everybody else gets schemas of their
    own, dev_<name>_staging and so on, so that no laptop can touch what is published. Who only asks
    (target published) finds the marts where readers do.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- if custom_schema_name is none -%}
        {{ target.schema }}
    {%- elif target.name == 'published' and custom_schema_name == 'marts_build' -%}
        {{ target.schema }}
    {%- elif target.name in ('prod', 'published') -%}
        {{ custom_schema_name | trim }}
    {%- else -%}
        {{ target.schema }}_{{ custom_schema_name | trim }}
    {%- endif -%}
{%- endmacro %}
