{#
    The part of its model that the test that is compiled has yet to see, as `relation where ...`, or
    none for the whole.
#}
{% macro untested_part(relation) -%}
    {%- set tested = graph.nodes[model.attached_node] -%}
    {%- set kind, arguments = model.test_metadata.name, model.test_metadata.kwargs -%}
    {%- if kind in (
        'not_null', 'accepted_values', 'in_range', 'holds', 'whole_cents', 'has_parent', 'plausible_instant'
    ) -%}
        {%- set group = none -%}
    {%- elif kind in ('unique', 'one_value_within', 'unique_combination', 'one_chain_of_versions') -%}
        {%- set group = arguments.columns or [arguments.group_by or arguments.key or arguments.column_name] -%}
    {%- else -%}
        {{ return(none) }}
    {%- endif -%}
    {%- if tested.config.materialized == 'incremental_by_key' -%}
        {%- set key = row_key(tested) -%}
        {%- set new = 'untested.' ~ adapter.quote(tested.name) -%}
        {%- if since_tested("to_regclass('" ~ new ~ "')::text") is none -%}
            {{ return(none) }}
        {%- endif -%}
        {%- set new -%} {{ new }} where true {%- endset -%}
    {%- elif tested.resource_type == 'snapshot' -%}
        {%- set key = ['dbt_scd_id'] -%}
        {%- set load = since_tested(published_horizon()) -%}
        {%- if load is none -%}
            {{ return(none) }}
        {%- endif -%}
        {%- set new -%} {{ relation }} where load_id > {{ load }} {%- endset -%}
    {%- elif 'load_id' in tested.columns -%}
        {%- set source = graph.sources[tested.depends_on.nodes[0]] -%}
        {# raw forbids that a key stands there twice #}
        {%- set key = source.config.meta.extract.primary_key -%}
        {%- set load = since_tested(published_load(tested.name)) -%}
        {%- if load is none or (kind == 'has_parent' and are_parents_gone(arguments.to, load)) -%}
            {{ return(none) }}
        {%- endif -%}
        {%- set new -%} {{ relation }} where load_id > {{ load }} {%- endset -%}
    {%- else -%}
        {{ return(none) }}
    {%- endif -%}
    {%- if group is none or group | sort == key | sort -%}
        {{ return(new) }}
    {%- endif -%}
    {%- set columns = group | join(', ') -%}
    {%- set keys -%} select {{ columns }} from {{ new }} {%- endset -%}
    {%- set part -%} {{ relation }} where ({{ columns }}) in ({{ limit_if_few(keys) }}) {%- endset -%}
    {{ return(part) }}
{%- endmacro %}
