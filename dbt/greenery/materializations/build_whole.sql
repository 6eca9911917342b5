{#
    Build the model from the whole history into a new table and put it in the place of the old one.
    Old rows get new columns, the table gets new indexes, and rows lie in the order of `lies_by`.
    Within the caller's transaction.
#}
{% macro build_whole(existing, target_relation, sql) %}
    {%- set intermediate = make_intermediate_relation(target_relation) -%}
    {%- do adapter.drop_relation(intermediate) -%}
    {%- set lies_by = model.config.meta.get('build', {}).lies_by -%}
    {%- if lies_by -%}
        {%- set sql = 'select * from (\n' ~ sql ~ '\n) as built order by ' ~ lies_by -%}
    {%- endif -%}
    {% call statement('main') -%}
        {{ get_create_table_as_sql(False, intermediate, sql) }}
    {%- endcall %}
    {%- do create_indexes(intermediate) -%}
    {%- if existing is not none -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {%- do adapter.rename_relation(intermediate, target_relation) -%}
    {%- do run_query('analyze ' ~ target_relation) -%}
{% endmacro %}
