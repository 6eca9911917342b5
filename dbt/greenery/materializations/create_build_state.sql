{#
    Make an analyst's own state tables at their first build, or give one that is older the column that
    it lacks. Several models start at once: only one may make them, and has committed before the
    others look. What follows is one transaction again: the driver does not know that its own has
    ended, and would begin none.
#}
{% macro create_build_state() %}
    {%- if target.name != 'prod' -%}
        {%- set change = build_state('model_change') -%}
        {%- set schema = dbt.escape_single_quotes(target.schema ~ '_ops') -%}
        {%- set make -%}
            do $make$ begin
                if not exists (
                    select from pg_attribute
                    where attrelid = to_regclass('{{ change }}') and attname = 'is_key_change'
                ) then
                    perform pg_advisory_xact_lock(hashtextextended('{{ change }}', 0));
                    call sandbox.create_schema('{{ schema }}');
                    {%- for name in ('model_state', 'model_watermark', 'model_change') %}
                    create table if not exists {{ build_state(name) }}
                    (like ops.{{ name }} including all);
                    {%- endfor %}
                    alter table {{ change }}
                    add column if not exists is_key_change boolean not null default true;
                end if;
            end $make$;
            commit;
            begin
        {%- endset -%}
        {% do run_query(make) %}
    {%- endif -%}
{% endmacro %}
