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

    select * from {{ ref('fct_daily_performance_by_product') }}
    where {{ only_changed_keys('date_day') }}

),

product_sessions as (

    select * from {{ ref('fct_daily_product_sessions') }}
    where {{ only_changed_keys('started_date') }}

),

events_of_no_product as (

    select
        event_date,
        count(*) filter (where event_type = 'page_view') as page_view_count,
        count(*) filter (where event_type = 'add_to_cart') as add_to_cart_count
    from {{ ref('fct_events') }}
    where {{ only_changed_keys('event_date') }} and event_date is not null and product_id is null
    group by 1

),

events_by_product as (

    select
        date_day,
        product_id,
        page_view_count,
        add_to_cart_count
    from product_days
    union all
    select
        event_date as date_day,
        null as product_id,
        page_view_count,
        add_to_cart_count
    from events_of_no_product

),

events_counted as (

    select
        events_by_product.date_day as metric_date,
        dimensions.dimension,
        dimensions.dimension_value,
        sum(events_by_product.page_view_count) as page_views,
        sum(events_by_product.add_to_cart_count) as add_to_carts
    from events_by_product
    cross join
        lateral (
            values
            ('all', 'all'),
            ('product', coalesce(events_by_product.product_id, '(none)'))
        ) as dimensions (dimension, dimension_value)
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
    cross join
        lateral (
            values
            ('all', 'all'),
            ('state', {{ dimension_value('users.state') }}),
            ('shipping_service', {{ dimension_value('orders.shipping_service') }}),
            ('promo', {{ dimension_value('orders.promo_id') }})
        ) as dimensions (dimension, dimension_value)
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
    cross join
        lateral (
            values
            ('all', 'all'),
            ('state', {{ dimension_value('users.state') }})
        ) as dimensions (dimension, dimension_value)
    group by 1, 2, 3

),

metrics as (

    -- one line per metric; without a denominator its value is the numerator
    select
        counted.metric_date,
        counted.dimension,
        counted.dimension_value,
        metrics.*
    from orders_counted as counted
    cross join
        lateral (
            values
            ('repeat_rate', counted.repeat_buyers, counted.buyers),
            ('orders', counted.orders, null),
            ('revenue', counted.revenue, null),
            ('average_order', counted.revenue, counted.revenue_orders),
            ('units', counted.units, null),
            ('delivery_time', counted.delivery_seconds, counted.delivered_orders),
            ('on_time_rate', counted.on_time_orders, counted.judged_orders),
            ('promo_share', counted.promo_orders, counted.sold_orders)
        ) as metrics (metric, numerator, denominator)
    union all
    select
        counted.metric_date,
        counted.dimension,
        counted.dimension_value,
        metrics.*
    from sessions_counted as counted
    cross join
        lateral (
            values
            ('sessions', counted.sessions, null),
            ('conversion_rate', counted.converted_sessions, counted.sessions),
            ('session_length', counted.on_site_seconds, counted.sessions)
        ) as metrics (metric, numerator, denominator)
    union all
    select
        counted.metric_date,
        counted.dimension,
        counted.dimension_value,
        metrics.*
    from events_counted as counted
    cross join
        lateral (
            values
            ('page_views', counted.page_views, cast(null as bigint)),
            ('add_to_carts', counted.add_to_carts, null)
        ) as metrics (metric, numerator, denominator)
    union all
    select
        counted.date_day as metric_date,
        'product' as dimension,
        counted.product_id as dimension_value,
        metrics.*
    from product_days as counted
    cross join
        lateral (
            values
            ('orders', counted.order_count, cast(null as bigint)),
            ('revenue', counted.revenue_usd, null),
            ('units', counted.unit_count, null)
        ) as metrics (metric, numerator, denominator)
    union all
    select
        started_date as metric_date,
        'product' as dimension,
        product_id as dimension_value,
        'conversion_rate' as metric,
        purchased_session_count as numerator,
        viewed_session_count as denominator
    from product_sessions

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
