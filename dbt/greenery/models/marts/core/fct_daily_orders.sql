{{ config(
    materialized='incremental_by_key',
    unique_key='date_day',
    meta={'build': {
        'key': 'date_day',
        'touched_by': [
            {'model': 'fct_orders', 'column': 'ordered_date', 'reads': 'key'},
        ],
    }}
) }}

with

orders as (

    select
        *,
        {{ seconds_between('ordered_at', 'delivered_at') }} as ordered_to_delivered_seconds,
        {{ seconds_between('checked_out_at', 'shipped_at') }} as checkout_to_shipped_seconds
    from {{ ref('fct_orders') }}
    where {{ touched('ordered_date') }}

),

final as (

    select
        -- numerics
        count(*) as order_count,
        -- hours add up over days, because no hour belongs to two of them
        count(distinct date_trunc('hour', ordered_at, '{{ var("business_timezone") }}'))
            as hour_count,
        count(promo_id) as promo_order_count,
        cast(sum(item_count) as bigint) as item_count,
        cast(sum(order_total_usd) as numeric(12, 2)) as order_total_usd,
        -- null is neither late nor in time: not delivered yet, or nothing was promised
        count(is_delivered_late) as judged_order_count,
        count(*) filter (where not is_delivered_late) as on_time_order_count,
        count(checkout_to_shipped_seconds) as shipped_order_count,
        coalesce(cast(sum(checkout_to_shipped_seconds) as bigint), 0)
            as checkout_to_shipped_seconds,
        count(ordered_to_delivered_seconds) as delivered_order_count,
        coalesce(cast(sum(ordered_to_delivered_seconds) as bigint), 0)
            as ordered_to_delivered_seconds,

        -- dates
        ordered_date as date_day

    from orders
    group by ordered_date

)

select * from final
