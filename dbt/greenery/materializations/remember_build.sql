{#
    Note what was built from what, in the transaction that built it, and forget the changes that
    everybody after the model has taken in. Publish counts as one of them in the daily run.
#}
{% macro remember_build(target_relation, definition, sources, version, is_whole) %}
    {%- set state, watermark = build_state('model_state'), build_state('model_watermark') -%}
    {%- set readers = ['publish'] if target.name == 'prod' else [] -%}
    {%- for node in graph.nodes.values() if node.config.meta and node.config.meta.build -%}
        {%- for entry in node.config.meta.build.depends_on_changes_of if entry.model == model.name -%}
            {%- do readers.append(node.name) -%}
        {%- endfor -%}
    {%- endfor -%}
    {# a reader that never read anything will read the whole model, and so will all after a whole build #}
    {%- set read = version if is_whole or not readers else 'coalesce(min(position), 0)' -%}
    {%- set remember -%}
        insert into {{ state }} as state
        (model, definition_hash, relation_oid, version, changes_since, built_at)
        values (
            '{{ model.name }}',
            '{{ definition }}',
            '{{ target_relation }}'::regclass,
            {{ version }},
            {{ version }},
            now()
        )
        on conflict (model) do update set
            definition_hash = excluded.definition_hash,
            relation_oid = excluded.relation_oid,
            version = excluded.version,
            built_at = excluded.built_at
            {%- if is_whole %}, changes_since = excluded.version {%- endif %};
        {%- for source in sources %}
        insert into {{ watermark }} (model, source, position)
        values ('{{ model.name }}', '{{ source.name }}', {{ source.upto }})
        on conflict (model, source) do update set position = excluded.position;
        {%- endfor %}
        with read as (
            select {{ read }} as version from {{ watermark }}
            where source = '{{ model.name }}' and model in ('{{ readers | join("', '") }}')
        ),

        pruned as (
            delete from {{ build_state('model_change') }} using read
            where model = '{{ model.name }}' and model_change.version <= read.version
        )

        update {{ state }} as state set changes_since = read.version
        from read
        where state.model = '{{ model.name }}' and state.changes_since < read.version
    {%- endset -%}
    {% do run_query(remember) %}
{% endmacro %}
