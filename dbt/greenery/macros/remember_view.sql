{#
    Note since when a staging view has been defined as it is: what passed a test before that may not
    pass it now. Only the daily run's tests leave out what was tested before.
#}
{% macro remember_view() -%}
    {%- if target.name == 'prod' -%}
        insert into ops.model_state as state (model, definition_hash, version, changes_since, defined_moment)
        select
            '{{ this.identifier }}', md5(pg_get_viewdef('{{ this }}'::regclass)), 1, 1,
            nextval('ops.moment')
        on conflict (model) do update set
            definition_hash = excluded.definition_hash, version = state.version + 1,
            changes_since = state.version + 1, built_at = clock_timestamp(),
            defined_moment = excluded.defined_moment
        where state.definition_hash is distinct from excluded.definition_hash
    {%- endif -%}
{%- endmacro %}
