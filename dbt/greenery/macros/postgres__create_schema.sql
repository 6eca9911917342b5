{#
    dbt asks for it by this name where a schema is missing. An analyst may not make any schema: one that
    is called like a log-in would be asked first by that one's sessions. Theirs are made for them.
#}
{% macro postgres__create_schema(relation) -%}
    {%- call statement('create_schema') -%}
        {%- if target.name == 'prod' -%}
            create schema if not exists {{ adapter.quote(relation.schema) }}
        {%- else -%}
            call sandbox.create_schema('{{ dbt.escape_single_quotes(relation.schema) }}')
        {%- endif -%}
    {%- endcall -%}
{%- endmacro %}
