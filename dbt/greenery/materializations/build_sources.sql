{#
    What the model is touched by, and how far it has read each: a list of the entries of touched_by
    with `name` (raw.events, or a model), `since` and `upto`. Changes after `since` (none if it was
    never read) up to `upto` are news; they are told only if `since` is not before `changes_since`.

    A snapshot tells its changes by the load ids of its versions.

    A load takes its id inside its table's lock, so a table's ids grow in the order of commits; over
    several tables they do not. Hence one position per table, capped by the run's horizon.
#}
{% macro build_sources() %}
    {%- set found = [] -%}
    {%- for entry in model.config.meta.get('build', {}).touched_by or [] -%}
        {%- set name = 'raw.' ~ entry.source if 'source' in entry else entry.snapshot or entry.model -%}
        {%- set row = run_query(
            "select watermark.position, coalesce(state.changes_since, 0),"
            ~ (
                " least(greatest((select max(load_id) from ops.load where table_name = '" ~ entry.source
                ~ "' and status <> 'failed'), (select max(load_id) from raw.change_log where table_name = '"
                ~ entry.source ~ "'), 0)"
                ~ (", (select horizon_load_id from ops.run_lease)" if target.name == 'prod' else "") ~ ")"
                if 'source' in entry
                else " coalesce((select max(load_id) from " ~ ref(entry.snapshot) ~ "), 0)"
                if 'snapshot' in entry else " coalesce(state.version, 0)"
            )
            ~ " from (values ('" ~ name ~ "')) as source (name)"
            ~ " left join " ~ ('ops.model_state' if 'source' in entry else build_state('model_state'))
            ~ " as state on state.model = source.name"
            ~ " left join " ~ build_state('model_watermark') ~ " as watermark"
            ~ " on watermark.source = source.name and watermark.model = '" ~ model.name ~ "'"
        ).rows[0] -%}
        {%- do found.append({
            'name': name,
            'table': entry.get('source'),
            'snapshot': entry.get('snapshot'),
            'column': entry.get('column', model.config.meta.build.key),
            'through': entry.get('through'),
            'reads': entry.get('reads'),
            'since': row[0] | int if row[0] is not none else none,
            'changes_since': row[1] | int,
            'upto': row[2] | int,
            'is_news': row[0] is none or row[0] | int < row[2] | int,
        }) -%}
    {%- endfor -%}
    {{ return(found) }}
{% endmacro %}
