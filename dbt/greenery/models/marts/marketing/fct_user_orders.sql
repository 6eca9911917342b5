with

orders as (

    select
        *,
        {{ seconds_between('checked_out_at', 'shipped_at') }} as checkout_to_shipped_seconds,
        {{ seconds_between('shipped_at', 'delivered_at') }} as shipped_to_delivered_seconds
    from {{ ref('fct_orders') }}
    where {{ only_changed_keys('user_id') }} and user_id is not null and is_sold

),

final as (

    select
        -- ids
        user_id,

        -- numerics
        count(*) as order_count,
        count(delivered_at) as delivered_order_count,
        {{ money('coalesce(sum(order_total_usd) filter (where has_revenue), 0)') }}
            as total_spend_usd,
        {{ money('avg(order_total_usd) filter (where has_revenue)') }} as average_order_usd,
        {{ fit('avg(checkout_to_shipped_seconds)', 12, 0) }}
            as average_checkout_to_shipped_seconds,
        {{ fit('avg(shipped_to_delivered_seconds)', 12, 0) }}
            as average_shipped_to_delivered_seconds,

        -- booleans
        count(*) >= 2 as is_repeat_buyer,

        -- timestamps
        min(ordered_at) as first_ordered_at,
        max(ordered_at) as last_ordered_at

    from orders
    group by 1

)

select * from final
