with

users as (

    select count(*) as user_count from {{ ref('dim_users') }}

),

buyers as (

    select
        count(*) as buyer_count,
        count(*) filter (where is_repeat_buyer) as repeat_buyer_count
    from {{ ref('fct_user_orders') }}

),

sessions as (

    select
        coalesce(sum(session_count), 0) as session_count,
        coalesce(sum(checkout_session_count), 0) as converted_session_count,
        coalesce(sum(on_site_seconds), 0) as on_site_seconds
    from {{ ref('int_daily_sessions') }}

),

orders as (

    select
        coalesce(sum(order_count), 0) as order_count,
        coalesce(sum(sold_order_count), 0) as sold_order_count,
        coalesce(sum(revenue_order_count), 0) as revenue_order_count,
        coalesce(sum(hour_count), 0) as hour_count,
        coalesce(sum(promo_order_count), 0) as promo_order_count,
        coalesce(sum(order_total_usd), 0) as order_total_usd,
        coalesce(sum(item_count), 0) as item_count,
        coalesce(sum(judged_order_count), 0) as judged_order_count,
        coalesce(sum(on_time_order_count), 0) as on_time_order_count,
        coalesce(sum(shipped_order_count), 0) as shipped_order_count,
        coalesce(sum(checkout_to_shipped_seconds), 0) as checkout_to_shipped_seconds,
        coalesce(sum(delivered_order_count), 0) as delivered_order_count,
        coalesce(sum(ordered_to_delivered_seconds), 0) as ordered_to_delivered_seconds
    from {{ ref('fct_daily_orders') }}

),

metrics as (

    -- one line per metric; without a denominator its value is the numerator
    select
        metrics.metric,
        metrics.unit,
        metrics.description,
        {{ fit('metrics.numerator', 18, 2) }} as numerator,
        cast(metrics.denominator as bigint) as denominator
    from users
    cross join buyers
    cross join sessions
    cross join orders
    cross join lateral (
        values
        (
            'users', users.user_count, null, 'users',
            'People with an account.'
        ),
        (
            'buyers', buyers.buyer_count, null, 'users',
            'Users with at least one order that was sold.'
        ),
        (
            'sessions', sessions.session_count, null, 'sessions',
            'Visits to the site.'
        ),
        (
            'orders', orders.order_count, null, 'orders',
            'Orders placed, cancelled ones too.'
        ),
        (
            'revenue_usd', orders.order_total_usd, null, 'usd',
            'What buyers paid and did not get back: goods and shipping, less discounts.'
        ),
        (
            'repeat_rate', buyers.repeat_buyer_count, buyers.buyer_count, 'share',
            'Users with two or more orders / users with an order; cancelled ones left out.'
        ),
        (
            'conversion_rate', sessions.converted_session_count, sessions.session_count, 'share',
            'Sessions with a checkout / sessions.'
        ),
        (
            'promo_order_rate', orders.promo_order_count, orders.sold_order_count, 'share',
            'Orders with a promo / orders; cancelled ones left out.'
        ),
        (
            'on_time_rate', orders.on_time_order_count, orders.judged_order_count, 'share',
            'Orders received by their estimate / received orders that had an estimate.'
        ),
        (
            'orders_per_hour', orders.order_count, orders.hour_count, 'orders per hour',
            'Orders / clock hours in which there was an order.'
        ),
        (
            'average_order_usd', orders.order_total_usd, orders.revenue_order_count, 'usd',
            'What buyers paid / orders; those cancelled or returned left out.'
        ),
        (
            'average_items_per_order', orders.item_count, orders.sold_order_count, 'items',
            'Units bought / orders; cancelled ones left out.'
        ),
        (
            'average_session_seconds', sessions.on_site_seconds, sessions.session_count, 'seconds',
            'Time on site, first event to last, shipping left out / sessions.'
        ),
        (
            'average_checkout_to_shipped_seconds',
            orders.checkout_to_shipped_seconds, orders.shipped_order_count, 'seconds',
            'Time from checkout until the parcel left / shipped orders.'
        ),
        (
            'average_delivery_seconds',
            orders.ordered_to_delivered_seconds, orders.delivered_order_count, 'seconds',
            'Time from order until the parcel was received / received orders.'
        )
    ) as metrics (metric, numerator, denominator, unit, description)

),

final as (

    select
        -- strings
        metric,
        unit,
        description,

        -- numerics
        numerator,
        denominator,
        case
            when denominator is null then {{ fit('numerator', 18, 4) }}
            else {{ safe_divide('numerator', 'denominator') }}
        end as value

    from metrics

)

select * from final
