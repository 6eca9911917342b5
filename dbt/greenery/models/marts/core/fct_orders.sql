with

orders as (

    select * from {{ ref('stg_greenery__orders') }}
    where {{ only_changed_keys('order_id') }}

),

user_orders as (

    select * from {{ ref('int_user_orders') }}
    where {{ only_changed_keys('order_id') }}

),

order_events as (

    select
        order_id,
        -- a second checkout of the order, perhaps in another visit, does not count
        (
            array_agg(session_id order by event_at, event_id) filter (where event_type = 'checkout')
        )[1] as session_id,
        min(event_at) filter (where event_type = 'checkout') as checked_out_at,
        min(event_at) filter (where event_type = 'package_shipped') as shipped_at
    from {{ ref('stg_greenery__events') }}
    where {{ only_changed_keys('order_id') }}
    group by 1

),

items_by_order as (

    select
        order_id,
        count(*) as product_count,
        sum(quantity) as item_count
    from {{ ref('stg_greenery__order_items') }}
    where {{ only_changed_keys('order_id') }}
    group by 1

),

final as (

    select
        -- ids
        orders.order_id,
        orders.user_id,
        orders.promo_id,
        orders.address_id,
        orders.tracking_id,
        order_events.session_id,

        -- strings
        orders.order_status,
        orders.shipping_service,

        -- numerics
        user_orders.order_number,
        coalesce(items_by_order.product_count, 0) as product_count,
        coalesce(items_by_order.item_count, 0) as item_count,
        {{ money('orders.order_cost_usd') }} as order_cost_usd,
        {{ money('orders.shipping_cost_usd') }} as shipping_cost_usd,
        -- what was taken off at the time: the promo itself may be worth something else by now
        {{ money('orders.order_cost_usd + orders.shipping_cost_usd - orders.order_total_usd') }}
            as discount_usd,
        {{ money('orders.order_total_usd') }} as order_total_usd,

        -- booleans
        orders.is_sold,
        orders.has_revenue,
        coalesce(user_orders.is_first_order, false) as is_first_order,
        coalesce(user_orders.is_last_order, false) as is_last_order,
        orders.delivered_at > orders.estimated_delivery_at as is_delivered_late,

        -- dates
        {{ business_date('orders.ordered_at') }} as ordered_date,

        -- timestamps
        order_events.checked_out_at,
        orders.ordered_at,
        order_events.shipped_at,
        orders.estimated_delivery_at,
        orders.delivered_at

    from orders
    left join user_orders on orders.order_id = user_orders.order_id
    left join order_events on orders.order_id = order_events.order_id
    left join items_by_order on orders.order_id = items_by_order.order_id

)

select * from final
