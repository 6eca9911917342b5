with

first_orders as (

    select * from {{ ref('fct_first_orders') }}

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
