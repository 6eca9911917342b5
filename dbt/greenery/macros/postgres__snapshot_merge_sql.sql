{#
    What dbt's own macro of this name does, but the version that ends is found by its key, whose index
    the comparison has just read, and not by its hash: an index of hashes would have a page for nearly
    each version of a day, to read and to write back.
#}
{% macro postgres__snapshot_merge_sql(target, source, insert_cols) -%}
    {%- set key = config.get('unique_key') -%}
    {%- set columns = insert_cols | join(', ') -%}
    {% do run_query('analyze ' ~ source) %}

    update {{ target }} as known
    set dbt_valid_to = news.dbt_valid_to
    from {{ source }} as news
    where
        known.{{ key }} = news.{{ key }}
        and known.dbt_scd_id = news.dbt_scd_id
        and known.dbt_valid_to is null
        and news.dbt_change_type = 'update';

    insert into {{ target }} ({{ columns }})
    select {{ columns }}
    from {{ source }}
    where dbt_change_type = 'insert';
{%- endmacro %}
