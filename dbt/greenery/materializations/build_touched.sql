{#
    Rebuild the touched keys, or, of a model without a key, everything: what the model's SQL gives
    now takes the place of what is there, and the keys of rows that differ are noted for who comes
    after. Rows that come out as they were are left alone, so nobody downstream hears of them.
    Returns whether there was a change. Within the caller's transaction.
#}
{% macro build_touched(target_relation, sql, sources, version) %}
    {%- set build = model.config.meta.get('build', {}) -%}
    {%- if build.key and sources | map(attribute='is_news') | select | list == [] -%}
        {% call statement('main') -%} select 'nothing it reads has changed' {%- endcall %}
        {{ return(false) }}
    {%- endif -%}
    {%- set types = {} -%}
    {%- for column in adapter.get_columns_in_relation(target_relation) -%}
        {%- do types.update({column.name: column.data_type}) -%}
    {%- endfor -%}
    {%- set columns = get_quoted_csv(types) -%}
    {%- set key_columns = row_key(model) -%}
    {%- set touched = build.key ~ ' in (select touched_keys.key from touched_keys)' if build.key else 'true' -%}

    {%- if build.key -%}
        {# FEW_BY_KEYS of include/warehouse/connection.py #}
        {% do run_query('set local random_page_cost = 1.1') %}
    {%- endif -%}
    {% do run_query(
        'drop table if exists pg_temp.touched_keys, pg_temp.new_rows, pg_temp.changed_rows; '
        ~ 'create temporary table touched_keys (key ' ~ types.get(build.key, 'text') ~ ') on commit drop; '
        ~ 'create temporary table new_rows (like ' ~ target_relation ~ ') on commit drop; '
        ~ 'create temporary table changed_rows (like ' ~ target_relation ~ ') on commit drop'
    ) %}
    {%- for source in sources if source.is_news -%}
        {% do run_query(
            'insert into touched_keys select news.key from ('
            ~ touched_keys(source, build.key, types[build.key]) ~ ') as news where news.key is not null'
        ) %}
    {%- endfor -%}
    {% do run_query('analyze touched_keys') %}

    {%- set filtered = modules.re.sub(
        'true /[*] touched: (.*?) [*]/', '\\1 in (select touched_keys.key from touched_keys)', sql
    ) -%}
    {% do run_query(
        'insert into new_rows (' ~ columns ~ ') select ' ~ columns ~ ' from (' ~ filtered ~ ') as built'
    ) %}
    {% do run_query(
        'with old_rows as materialized (select ' ~ columns ~ ' from ' ~ target_relation
        ~ ' where ' ~ touched ~ ') '
        ~ 'insert into changed_rows (' ~ columns ~ ') '
        ~ '(select * from old_rows except all select ' ~ columns ~ ' from new_rows) union all '
        ~ '(select ' ~ columns ~ ' from new_rows except all select * from old_rows)'
    ) %}
    {% do run_query('analyze changed_rows') %}
    {%- set is_changed = run_query('select exists (select from changed_rows)').rows[0][0] -%}

    {%- set pairs = [] -%}
    {%- for column in (key_columns + build.get('change_key', [])) | unique -%}
        {%- do pairs.append("'" ~ column ~ "', " ~ column) -%}
    {%- endfor -%}
    {% do run_query(
        'insert into ' ~ build_state('model_change') ~ ' (model, version, key) '
        ~ "select distinct '" ~ model.name ~ "', " ~ version
        ~ ', jsonb_build_object(' ~ pairs | join(', ') ~ ') from changed_rows'
    ) %}
    {%- set same_row = [] -%}
    {%- for column in key_columns -%}
        {%- do same_row.append('changed.' ~ column ~ ' = present.' ~ column) -%}
    {%- endfor -%}
    {%- set changed = '(select distinct ' ~ key_columns | join(', ') ~ ' from changed_rows) as changed' -%}
    {% do run_query(
        'delete from ' ~ target_relation ~ ' as present using ' ~ changed
        ~ ' where ' ~ same_row | join(' and ')
        ~ ' and ' ~ ('present.' if build.key else '') ~ touched
    ) %}
    {% call statement('main') -%}
        insert into {{ target_relation }} ({{ columns }})
        select {{ columns }} from new_rows as present
        where exists (select from {{ changed }} where {{ same_row | join(' and ') }})
    {%- endcall %}
    {{ return(is_changed) }}
{% endmacro %}
