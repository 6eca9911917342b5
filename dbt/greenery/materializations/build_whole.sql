{#
    Build the model from the whole history into a new table and put it in the place of the old one.
    Old rows get new columns, the table gets new indexes, and rows lie in the order of `lies_by`. A key
    that is not the primary key of an enforced contract gets a unique index: two rows of one key, which
    no comparison by key would tell apart any more, are refused by the database.
    Within the caller's transaction.
#}
{% macro build_whole(existing, target_relation, sql) %}
    {%- set intermediate = make_intermediate_relation(target_relation) -%}
    {%- do adapter.drop_relation(intermediate) -%}
    {%- set lies_by = model.config.meta.get('build', {}).lies_by -%}
    {%- set in_order -%}
        select * from (
            {{ sql }}
        ) as built
        order by {{ lies_by }}
    {%- endset -%}
    {% call statement('main') -%}
        {{ get_create_table_as_sql(False, intermediate, in_order if lies_by else sql) }}
    {%- endcall %}
    {%- do create_indexes(intermediate) -%}
    {%- set primary_keys = [] -%}
    {%- for one in model.constraints if model.contract.enforced and one.type == 'primary_key' -%}
        {%- do primary_keys.append(one.columns) -%}
    {%- endfor -%}
    {%- set key = row_key(model) -%}
    {%- if key not in primary_keys -%}
        {% do run_query(get_create_index_sql(intermediate, {'columns': key, 'unique': true})) %}
    {%- endif -%}
    {# where there is none: dbt's cache may still know one that somebody dropped meanwhile #}
    {%- do adapter.drop_relation(existing or target_relation) -%}
    {%- do adapter.rename_relation(intermediate, target_relation) -%}
    {%- do run_query('analyze ' ~ target_relation) -%}
{% endmacro %}
