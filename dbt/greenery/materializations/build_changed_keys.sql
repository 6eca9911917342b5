{#
    Rebuild what belongs to the changed keys, or, of a model without a key, everything: what the model's SQL gives
    now takes the place of what is there, and the keys of rows that differ are noted for who comes
    after. Rows that come out as they were are left alone, so nobody downstream hears of them.
    Returns whether there was a change. Within the caller's transaction.
#}
{% macro build_changed_keys(target_relation, sql, sources, version) %}
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
    {%- set key_list = key_columns | join(', ') -%}

    {%- if build.key -%}
        {%- set news = [] -%}
        {%- for source in sources if source.is_news -%}
            {%- do news.append(keys_to_rebuild(source, build.key, types[build.key])) -%}
        {%- endfor -%}
        {# Keys that follow each other are looked up on the same page of an index; that each is there
           once lets Postgres take them in this order. What is new is found by its load: with offset 0
           Postgres asks no index which keys are not null #}
        {%- set find_keys -%}
            select {{ few_by_keys() }};
            drop table if exists pg_temp.keys_to_rebuild;
            create temporary table keys_to_rebuild (key {{ types[build.key] }} primary key)
            on commit drop;
            insert into keys_to_rebuild
            select distinct news.key
            from (
                select told.key from ({{ news | join(' union all ') }}) as told
                offset 0
            ) as news
            where news.key is not null
            order by news.key;
            analyze keys_to_rebuild
        {%- endset -%}
        {% do run_query(find_keys) %}
    {%- endif -%}

    {%- set compare -%}
        drop table if exists
        pg_temp.new_rows, pg_temp.old_rows, pg_temp.changed_rows, pg_temp.changed_keys;
        create temporary table new_rows (like {{ target_relation }}) on commit drop;
        create temporary table old_rows (_place tid, like {{ target_relation }}) on commit drop;
        create temporary table changed_rows (like {{ target_relation }}) on commit drop;
        insert into new_rows ({{ columns }})
        select {{ columns }} from (
            {{ read_changed_keys(sql) }}
        ) as built;
        insert into old_rows (_place, {{ columns }})
        select ctid, {{ columns }} from {{ target_relation }}
        {%- if build.key %}
        where {{ build.key }} in (select keys_to_rebuild.key from keys_to_rebuild)
        {%- endif %};
        insert into changed_rows ({{ columns }})
        (select {{ columns }} from old_rows except all select {{ columns }} from new_rows)
        union all
        (select {{ columns }} from new_rows except all select {{ columns }} from old_rows);
        create temporary table changed_keys on commit drop as
        select distinct {{ key_list }} from changed_rows;
        analyze new_rows ({{ key_list }});
        analyze old_rows ({{ key_list }});
        analyze changed_keys;
        select exists (select from changed_keys) as is_changed
    {%- endset -%}
    {%- set is_changed = run_query(compare).rows[0].is_changed -%}

    {%- set told = (key_columns + build.get('change_key', [])) | unique | list -%}
    {%- set same_key -%}
        {%- for column in key_columns -%}
            {{ ' and ' if not loop.first }}changed.{{ column }} = found.{{ column }}
        {%- endfor -%}
    {%- endset -%}
    {# unique_key is part of what is told: where two rows have it, one was there before and one is now.
       Rows keep their places until then: a model is built by one at a time #}
    {%- set replace -%}
        insert into {{ build_state('model_change') }} (model, version, key, is_key_change)
        select
            '{{ model.name }}' as model,
            {{ version }} as version,
            jsonb_build_object(
                {%- for column in told -%}
                    {{ ', ' if not loop.first }}'{{ column }}', {{ column }}
                {%- endfor -%}
            ) as key,
            count(*) = 1 as is_key_change
        from changed_rows
        group by {{ told | join(', ') }};
        delete from {{ target_relation }} as present
        using old_rows as found, changed_keys as changed
        where present.ctid = found._place and {{ same_key }}
    {%- endset -%}
    {% do run_query(replace) %}
    {% call statement('main') -%}
        insert into {{ target_relation }} ({{ columns }})
        select {{ columns }} from new_rows as found
        where exists (select from changed_keys as changed where {{ same_key }})
        order by {{ (([build.key] if build.key else []) + key_columns) | unique | join(', ') }}
    {%- endcall %}
    {{ return(is_changed) }}
{% endmacro %}
