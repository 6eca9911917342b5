with

users as (

    select * from {{ ref('dim_users') }}

),

orders as (

    select
        *,
        {{ seconds_between('ordered_at', 'delivered_at') }} as delivery_seconds
    from {{ ref('fct_orders') }}
    where {{ only_changed_keys('ordered_date') }} and ordered_date is not null

),

sessions as (

    select
        *,
        {{ seconds_between('started_at', 'ended_at') }} as duration_seconds
    from {{ ref('int_session_events_agg') }}
    where {{ only_changed_keys('started_date') }} and started_date is not null

),

product_days as (

    select
        date_day as metric_date,
        'product' as dimension,
        product_id as dimension_value,
        page_view_count as page_views,
        add_to_cart_count as add_to_carts,
        order_count as orders,
        unit_count as units,
        revenue_usd as revenue
    from {{ ref('fct_daily_performance_by_product') }}
    where {{ only_changed_keys('date_day') }}

),

product_sessions as (

    select
        started_date as metric_date,
        'product' as dimension,
        product_id as dimension_value,
        viewed_session_count as sessions,
        purchased_session_count as converted_sessions
    from {{ ref('fct_daily_product_sessions') }}
    where {{ only_changed_keys('started_date') }}

),

events_of_no_product as (

    select
        event_date as metric_date,
        '(none)' as product_id,
        count(*) filter (where event_type = 'page_view') as page_views,
        count(*) filter (where event_type = 'add_to_cart') as add_to_carts
    from {{ ref('fct_events') }}
    where
        {{ only_changed_keys('event_date') }} and event_date is not null
        -- as the index of fct_events says it
        and product_id is null
        and event_type not in ('checkout', 'package_shipped')
    group by 1

),

events_by_product as (

    select
        metric_date,
        dimension_value as product_id,
        page_views,
        add_to_carts
    from product_days
    union all
    select * from events_of_no_product

),

events_counted as (

    select
        events_by_product.metric_date,
        dimensions.dimension,
        dimensions.dimension_value,
        sum(events_by_product.page_views) as page_views,
        sum(events_by_product.add_to_carts) as add_to_carts
    from events_by_product
    {{ split_by({'product': 'events_by_product.product_id'}) }}
    group by 1, 2, 3

),

orders_counted as (

    select
        orders.ordered_date as metric_date,
        dimensions.dimension,
        dimensions.dimension_value,
        count(*) as orders,
        count(*) filter (where orders.is_sold) as sold_orders,
        count(*) filter (where orders.has_revenue) as revenue_orders,
        sum(orders.order_total_usd) filter (where orders.has_revenue) as revenue,
        sum(orders.item_count) filter (where orders.is_sold) as units,
        count(orders.promo_id) filter (where orders.is_sold) as promo_orders,
        sum(orders.delivery_seconds) filter (where orders.is_sold) as delivery_seconds,
        count(orders.delivery_seconds) filter (where orders.is_sold) as delivered_orders,
        -- null is neither late nor in time: not delivered yet, or nothing was promised
        count(*) filter (where orders.is_sold and not orders.is_delivered_late) as on_time_orders,
        count(orders.is_delivered_late) filter (where orders.is_sold) as judged_orders,
        -- a buyer comes once and comes back once, so that the days add up and the past stands still
        count(*) filter (where orders.order_number = 1) as buyers,
        count(*) filter (where orders.order_number = 2) as repeat_buyers
    from orders
    left join users on orders.user_id = users.user_id
    {{ split_by({
        'state': dimension_value('users.state'),
        'shipping_service': dimension_value('orders.shipping_service'),
        'promo': dimension_value('orders.promo_id'),
    }) }}
    group by 1, 2, 3

),

sessions_counted as (

    select
        sessions.started_date as metric_date,
        dimensions.dimension,
        dimensions.dimension_value,
        count(*) as sessions,
        count(*) filter (where sessions.checkout_count > 0) as converted_sessions,
        sum(sessions.duration_seconds) as on_site_seconds
    from sessions
    left join users on sessions.user_id = users.user_id
    {{ split_by({'state': dimension_value('users.state')}) }}
    group by 1, 2, 3

),

metrics as (

    {{ metrics_of('orders_counted', {
        'repeat_rate': ['repeat_buyers', 'buyers'],
        'orders': ['orders'],
        'revenue': ['revenue'],
        'average_order': ['revenue', 'revenue_orders'],
        'units': ['units'],
        'delivery_time': ['delivery_seconds', 'delivered_orders'],
        'on_time_rate': ['on_time_orders', 'judged_orders'],
        'promo_share': ['promo_orders', 'sold_orders'],
    }) }}
    union all
    {{ metrics_of('sessions_counted', {
        'sessions': ['sessions'],
        'conversion_rate': ['converted_sessions', 'sessions'],
        'session_length': ['on_site_seconds', 'sessions'],
    }) }}
    union all
    {{ metrics_of('events_counted', {
        'page_views': ['page_views'],
        'add_to_carts': ['add_to_carts'],
    }) }}
    union all
    {{ metrics_of('product_days', {
        'orders': ['orders'],
        'revenue': ['revenue'],
        'units': ['units'],
    }) }}
    union all
    {{ metrics_of('product_sessions', {
        'conversion_rate': ['converted_sessions', 'sessions'],
    }) }}

),

final as (

    select
        -- strings
        metric,
        dimension,
        dimension_value,

        -- numerics
        {{ fit('coalesce(numerator, 0)', 18, 2) }} as numerator,
        cast(denominator as bigint) as denominator,
        case
            when denominator is null then {{ fit('numerator', 18, 4) }}
            else {{ safe_divide('numerator', 'denominator') }}
        end as value,

        -- dates
        metric_date

    from metrics
    where
        -- nothing is counted, and there is nothing to divide by
        (numerator <> 0 or denominator <> 0)
        -- all orders of a promo have one
        and (metric <> 'promo_share' or dimension <> 'promo')
        -- the second order has a promo and a shipping service of its own
        and (metric <> 'repeat_rate' or dimension in ('all', 'state'))

)

select * from final
