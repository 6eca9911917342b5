{#
    A table of which each build makes anew only what belongs to the keys that were touched since the
    last one, according to the change logs of what it reads; so it is always what a build of the
    whole would give. It is built whole when it must be (reason_to_build_whole). Rows, watermarks and
    changes are written in one transaction.

    A model without meta.build is worked out whole by each build, and written where it differs: no
    table takes the place of another one, so nobody who has it open (a long dump) holds up the run.

    meta.build of a model whose cost is to follow its changes:
      key         column whose values are rebuilt whole: no row may depend on rows of another value
      depends_on_changes_of  what changes it, everything it reads: {source: t, column: c} for raw.t,
                  {model: m, column: c} or {snapshot: s, column: c}. The column (default: the key)
                  stands in the change_key of that source or model, or is the snapshot's
                  unique_key, and holds values of the key; or, with {through: m}, m has both columns:
                  another model, or this one, if a row says which value it was made from. What the
                  key is called there, if not as here, says {through_key: c}.
                  With {reads: key} no more is read of a model than its unique_key and change_key: a
                  change of other columns is no news.
      lies_by     a day: a whole build puts its rows side by side, as builds by day would have done,
                  so that who asks for a day later reads few pages
      change_key  columns, besides unique_key, whose old and new values models after it ask for
    unique_key identifies a row (default: the primary key among the model's constraints); a table that
    has no such primary key gets a unique index of it. The SQL of a model with a key says
    `where {{ only_changed_keys('key') }}` at its base, or is refused.
#}
{% materialization incremental_by_key, adapter='postgres' %}
    {%- set target_relation = this.incorporate(type='table') -%}
    {# found by the first build already, which is a whole one #}
    {% do read_changed_keys(sql) %}

    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {% do create_build_state() %}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {# two builds of one model wait for each other #}
    {%- set take -%}
        select
            definition_hash,
            relation_oid,
            version,
            coalesce(to_regclass('{{ target_relation }}')::oid, 0) as present_oid
        from {{ build_state('model_state') }}
        where model = '{{ model.name }}'
        for update
    {%- endset -%}
    {%- set rows = run_query(take).rows -%}
    {%- set existing = present_relation(this) -%}
    {%- set state = rows[0] if rows else none -%}
    {%- set version = (state.version | int if state else 0) + 1 -%}
    {%- set definition = definition_hash(sql) -%}
    {%- set sources = build_sources() -%}
    {%- set reason = reason_to_build_whole(existing, state, definition, sources) -%}
    {%- if reason -%}
        {{ log(model.name ~ ' is built whole: ' ~ reason, info=True) }}
        {% do build_whole(existing, target_relation, sql) %}
    {%- elif not build_changed_keys(target_relation, sql, sources, version) -%}
        {%- set version = version - 1 -%}
    {%- endif -%}
    {% do remember_build(target_relation, definition, sources, version, reason) %}
    {% do keep_untested(target_relation) %}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- if reason -%}
        {% do persist_docs(target_relation, model) %}
    {%- endif -%}
    {{ adapter.commit() }}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
