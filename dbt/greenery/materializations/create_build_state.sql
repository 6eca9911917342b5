{#
    Make an analyst's own state tables at their first build, or give one that is older the column that
    it lacks. Several models start at once: only one may make them, and has committed before the
    others look. What follows is one transaction again: the driver does not know that its own has
    ended, and would begin none.
#}
{% macro create_build_state() %}
    {%- if target.name != 'prod' -%}
        {% do run_query(
            "do $make$ begin"
            ~ " if not exists (select from pg_attribute where attrelid = to_regclass('"
            ~ build_state('model_change') ~ "') and attname = 'is_key_change') then"
            ~ " perform pg_advisory_xact_lock(hashtextextended('" ~ build_state('model_change') ~ "', 0));"
            ~ " call sandbox.create_schema('" ~ dbt.escape_single_quotes(target.schema ~ '_ops') ~ "');"
            ~ " create table if not exists " ~ build_state('model_state')
            ~ " (like ops.model_state including all);"
            ~ " create table if not exists " ~ build_state('model_watermark')
            ~ " (like ops.model_watermark including all);"
            ~ " create table if not exists " ~ build_state('model_change')
            ~ " (like ops.model_change including all);"
            ~ " alter table " ~ build_state('model_change')
            ~ " add column if not exists is_key_change boolean not null default true;"
            ~ " end if; end $make$; commit; begin"
        ) %}
    {%- endif -%}
{% endmacro %}
