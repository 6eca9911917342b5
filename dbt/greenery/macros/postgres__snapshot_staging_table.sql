{#
    What dbt's own macro of this name makes, but only of rows that were loaded since the snapshot
    took its last version, and of their versions. The whole source against the whole history would
    cost more each day. A table's load ids grow in the order of commits, so none is missed; rows
    that are not there look at nothing here, so hard_deletes must stay `ignore`.

    What is new is put aside and counted first: of loads that are younger than its statistics Postgres
    expects one row, and would compare each new row with each version.
#}
{% macro postgres__snapshot_staging_table(strategy, source_sql, target_relation) -%}
    {%- set find_news -%}
        select {{ few_by_keys() }};
        drop table if exists pg_temp.snapshot_news;
        create temporary table snapshot_news as
        select * from ({{ source_sql }}) as present
        where load_id > (select coalesce(max(load_id), 0) from {{ target_relation }});
        analyze pg_temp.snapshot_news
    {%- endset -%}
    {% do run_query(find_news) %}
    {%- set key = strategy.unique_key -%}
    {%- set known -%}
        (
            select * from {{ target_relation }}
            where {{ key }} in (select {{ key }} from pg_temp.snapshot_news)
        ) as known
    {%- endset -%}
    {{ default__snapshot_staging_table(strategy, 'select * from pg_temp.snapshot_news', known) }}
{%- endmacro %}
