{#
    What dbt asks of a test, in place of dbt's own: while an operator lets the test through
    (ops.override, made by `make override`), what would stop the daily run only warns.
#}
{% macro postgres__get_test_sql(main_sql, fail_calc, warn_if, error_if, limit) -%}
    select
        {{ fail_calc }} as failures,
        {{ fail_calc }} {{ warn_if }} as should_warn,
        {{ fail_calc }} {{ error_if }}
        {%- if target.name == 'prod' %}
            and not exists (
                select from ops.override
                where
                    override.unique_id = '{{ model.unique_id }}'
                    and override.ended_at is null
                    and override.until > now()
            )
        {%- endif %} as should_error
    from (
        {{ main_sql }}
        {{ "limit " ~ limit if limit != none }}
    ) as dbt_internal_test
{%- endmacro %}
