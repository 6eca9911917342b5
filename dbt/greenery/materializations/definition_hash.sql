{#
    A hash of all that the model's rows are made from besides data: its SQL as compiled (so with its
    macros and variables), the views it reads as they are in the database, the definitions of the
    models it reads, its columns, keys and indexes, and what raw's change log tells of its sources.
#}
{% macro definition_hash(sql) %}
    {%- set parts = [
        sql, model.config.meta.build, model.config.unique_key, model.config.indexes,
        model.contract.enforced, model.constraints
    ] -%}
    {%- for name, column in model.columns.items() -%}
        {%- do parts.append([name, column.data_type, column.constraints]) -%}
    {%- endfor -%}
    {%- set todo = model.depends_on.nodes | list -%}
    {%- set seen = [] -%}
    {%- for _ in range(1000) if todo -%}
        {%- set unique_id = todo.pop() -%}
        {%- if unique_id not in seen -%}
            {%- do seen.append(unique_id) -%}
            {%- if unique_id in graph.sources -%}
                {%- do parts.append(graph.sources[unique_id].config.meta.get('extract', {}).change_key) -%}
            {%- elif unique_id in graph.nodes -%}
                {%- set node = graph.nodes[unique_id] -%}
                {%- set relation -%} to_regclass('{{ node.relation_name }}') {%- endset -%}
                {%- if node.config.materialized == 'view' -%}
                    {%- do parts.append(query_scalar('pg_get_viewdef(' ~ relation ~ ')')) -%}
                {%- endif -%}
                {%- if node.resource_type == 'snapshot' -%}
                    {# another table in its place holds another history #}
                    {%- do parts.append(query_scalar(relation ~ '::oid') | string) -%}
                {%- elif node.config.materialized in ('view', 'ephemeral') -%}
                    {%- do todo.extend(node.depends_on.nodes) -%}
                {%- else -%}
                    {%- set known -%}
                        select definition_hash from {{ build_state('model_state') }}
                        where model = '{{ node.name }}'
                    {%- endset -%}
                    {%- for row in run_query(known).rows -%}
                        {%- do parts.append(row.definition_hash) -%}
                    {%- endfor -%}
                {%- endif -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(local_md5(parts | string)) }}
{% endmacro %}
