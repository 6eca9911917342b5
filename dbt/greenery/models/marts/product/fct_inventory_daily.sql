with

products_history as (

    select * from {{ ref('products_history') }}

),

last_load as (

    select {{ business_date('max(finished_at)') }} as date_day
    from {{ source('ops', 'load') }}
    where status <> 'failed' and cause = 'delivery'

),

versions as (

    select
        *,
        {{ business_date('dbt_valid_from') }} as first_day,
        {{ business_date('dbt_valid_to') }} as next_day
    from products_history

),

-- of several versions within a day the last one counts, which is there when the day ends
closing_versions as (

    select
        versions.*,
        coalesce(versions.next_day, last_load.date_day + 1) - versions.first_day as day_count
    from versions
    cross join last_load
    where not versions.is_deleted

),

final as (

    select
        -- ids
        closing_versions.product_id,

        -- numerics
        {{ money('closing_versions.price_usd') }} as price_usd,
        closing_versions.inventory_count,

        -- dates
        closing_versions.first_day + days.day_number as date_day

    from closing_versions
    cross join lateral generate_series(0, closing_versions.day_count - 1) as days (day_number)

)

select * from final
