{#
    What changes the model, and how far it has read each: a list of the entries of depends_on_changes_of
    with `name` (raw.events, or a model), `since` and `upto`. Changes after `since` (none if it was
    never read) up to `upto` are news; they are told only if `since` is not before `changes_since`.

    A snapshot tells its changes by the load ids of its versions.

    A load takes its id inside its table's lock, so a table's ids grow in the order of commits; over
    several tables they do not. Hence one position per table, capped by the run's horizon.
#}
{% macro build_sources() %}
    {%- set found = [] -%}
    {%- for entry in model.config.meta.get('build', {}).depends_on_changes_of or [] -%}
        {%- set table = entry.get('source') -%}
        {%- set name = 'raw.' ~ table if table else entry.snapshot or entry.model -%}
        {%- set positions -%}
            select
                watermark.position as since,
                coalesce(state.changes_since, 0) as changes_since,
                {%- if table %}
                least(
                    greatest(
                        (
                            select max(load_id) from ops.load
                            where table_name = '{{ table }}' and status <> 'failed'
                        ),
                        (select max(load_id) from raw.change_log where table_name = '{{ table }}'),
                        0
                    )
                    {%- if target.name == 'prod' %},
                    (select horizon_load_id from ops.run_lease)
                    {%- endif %}
                ) as upto
                {%- elif 'snapshot' in entry %}
                coalesce((select max(load_id) from {{ ref(entry.snapshot) }}), 0) as upto
                {%- else %}
                coalesce(state.version, 0) as upto
                {%- endif %}
            from (values ('{{ name }}')) as source (name)
            left join {{ 'ops.model_state' if table else build_state('model_state') }} as state
                on source.name = state.model
            left join {{ build_state('model_watermark') }} as watermark
                on source.name = watermark.source and watermark.model = '{{ model.name }}'
        {%- endset -%}
        {%- set row = run_query(positions).rows[0] -%}
        {%- do found.append({
            'name': name,
            'table': table,
            'snapshot': entry.get('snapshot'),
            'column': entry.get('column', model.config.meta.build.key),
            'through': entry.get('through'),
            'through_key': entry.get('through_key'),
            'reads': entry.get('reads'),
            'since': row.since | int if row.since is not none else none,
            'changes_since': row.changes_since | int,
            'upto': row.upto | int,
            'is_news': row.since is none or row.since | int < row.upto | int,
        }) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}
