with

orders as (

    select
        *,
        {{ seconds_between('ordered_at', 'delivered_at') }} as ordered_to_delivered_seconds,
        {{ seconds_between('checked_out_at', 'shipped_at') }} as checkout_to_shipped_seconds
    from {{ ref('fct_orders') }}
    where {{ only_changed_keys('ordered_date') }} and ordered_date is not null

),

final as (

    select
        -- numerics
        count(*) as order_count,
        -- hours add up over days, because no hour belongs to two of them
        count(distinct date_trunc('hour', ordered_at, '{{ var("business_timezone") }}'))
            as hour_count,
        count(*) filter (where is_sold) as sold_order_count,
        count(*) filter (where has_revenue) as revenue_order_count,
        count(promo_id) filter (where is_sold) as promo_order_count,
        coalesce(cast(sum(item_count) filter (where is_sold) as bigint), 0) as item_count,
        {{ money('coalesce(sum(order_total_usd) filter (where has_revenue), 0)') }}
            as order_total_usd,
        -- null is neither late nor in time: not delivered yet, or nothing was promised
        count(is_delivered_late) filter (where is_sold) as judged_order_count,
        count(*) filter (where is_sold and not is_delivered_late) as on_time_order_count,
        count(checkout_to_shipped_seconds) filter (where is_sold) as shipped_order_count,
        coalesce(cast(sum(checkout_to_shipped_seconds) filter (where is_sold) as bigint), 0)
            as checkout_to_shipped_seconds,
        count(ordered_to_delivered_seconds) filter (where is_sold) as delivered_order_count,
        coalesce(cast(sum(ordered_to_delivered_seconds) filter (where is_sold) as bigint), 0)
            as ordered_to_delivered_seconds,

        -- dates
        ordered_date as date_day

    from orders
    group by ordered_date

)

select * from final
