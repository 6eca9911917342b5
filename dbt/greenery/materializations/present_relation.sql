{#
    What there is under a relation's name, or none. dbt's own cache would list the whole schema, and
    a task builds one model of it.
#}
{% macro present_relation(relation) %}
    {%- set kind -%}
        (
            select case relkind when 'v' then 'view' when 'm' then 'materialized_view' else 'table' end
            from pg_class
            where oid = to_regclass('{{ relation }}')
        )
    {%- endset -%}
    {%- set type = query_scalar(kind) -%}
    {{ return(relation.incorporate(type=type) if type else none) }}
{% endmacro %}
