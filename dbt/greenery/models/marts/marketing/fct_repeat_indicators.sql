with

orders as (

    select * from {{ ref('fct_orders') }}

),

buyers as (

    select * from {{ ref('fct_user_orders') }}

),

sessions as (

    select * from {{ ref('fct_user_sessions') }}

),

first_orders as (

    select
        buyers.is_repeat_buyer,
        orders.order_status,
        coalesce(orders.shipping_service, 'unknown') as shipping_service,
        case when orders.promo_id is null then 'no' else 'yes' end as promo_used,
        case
            when orders.is_delivered_late then 'yes'
            when not orders.is_delivered_late then 'no'
            else 'unknown'
        end as delivered_late,
        case
            when orders.order_cost_usd < 50 then 'under $50'
            when orders.order_cost_usd < 150 then '$50 to $149.99'
            when orders.order_cost_usd < 300 then '$150 to $299.99'
            else '$300 and more'
        end as order_size_band,
        case orders.product_count
            when 0 then 'unknown'
            when 1 then '1 product'
            when 2 then '2 products'
            else '3 products and more'
        end as product_count_band,
        case
            when sessions.duration_seconds < 180 then 'under 3 minutes'
            when sessions.duration_seconds < 360 then '3 to 6 minutes'
            when sessions.duration_seconds >= 360 then '6 minutes and more'
            else 'unknown'
        end as time_on_site_band,
        case
            when sessions.page_view_count < 3 then 'under 3 page views'
            when sessions.page_view_count < 6 then '3 to 5 page views'
            when sessions.page_view_count >= 6 then '6 page views and more'
            else 'unknown'
        end as page_view_band
    from buyers
    inner join orders on buyers.user_id = orders.user_id
    left join sessions on orders.session_id = sessions.session_id
    where orders.is_first_order

),

buyer_traits as (

    select
        first_orders.is_repeat_buyer,
        traits.*
    from first_orders
    cross join lateral (
        values
        ('order_status', first_orders.order_status),
        ('shipping_service', first_orders.shipping_service),
        ('promo_used', first_orders.promo_used),
        ('delivered_late', first_orders.delivered_late),
        ('order_size_band', first_orders.order_size_band),
        ('product_count_band', first_orders.product_count_band),
        ('time_on_site_band', first_orders.time_on_site_band),
        ('page_view_band', first_orders.page_view_band)
    ) as traits (indicator, value)

),

buyers_by_indicator as (

    select
        indicator,
        value,
        count(*) as buyer_count,
        count(*) filter (where is_repeat_buyer) as repeat_buyer_count
    from buyer_traits
    group by 1, 2

),

buyers_with_total as (

    select
        *,
        -- every indicator splits all buyers, so its groups add up to them
        sum(buyer_count) over (partition by indicator) as all_buyer_count,
        sum(repeat_buyer_count) over (partition by indicator) as all_repeat_buyer_count
    from buyers_by_indicator

),

final as (

    select
        -- strings
        indicator,
        value,

        -- numerics
        buyer_count,
        repeat_buyer_count,
        {{ rate('repeat_buyer_count', 'buyer_count') }} as repeat_rate,
        -- the two rates divided in one go, so that none is rounded on the way
        {{ rate('repeat_buyer_count * all_buyer_count', 'buyer_count * all_repeat_buyer_count') }}
            as lift

    from buyers_with_total

)

select * from final
