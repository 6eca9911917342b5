with

first_orders as (

    select * from {{ ref('fct_first_orders') }}

),

-- a person is counted once, not once for each of their traits: few rows, however many buyers
buyers_alike as (

    select
        order_status,
        shipping_service,
        promo_used,
        delivered_late,
        order_size_band,
        product_count_band,
        time_on_site_band,
        page_view_band,
        count(*) as buyer_count,
        count(*) filter (where is_repeat_buyer) as repeat_buyer_count
    from first_orders
    group by 1, 2, 3, 4, 5, 6, 7, 8

),

buyer_traits as (

    select
        buyers_alike.buyer_count,
        buyers_alike.repeat_buyer_count,
        traits.*
    from buyers_alike
    cross join lateral (
        values
        ('order_status', buyers_alike.order_status),
        ('shipping_service', buyers_alike.shipping_service),
        ('promo_used', buyers_alike.promo_used),
        ('delivered_late', buyers_alike.delivered_late),
        ('order_size_band', buyers_alike.order_size_band),
        ('product_count_band', buyers_alike.product_count_band),
        ('time_on_site_band', buyers_alike.time_on_site_band),
        ('page_view_band', buyers_alike.page_view_band)
    ) as traits (indicator, value)

),

buyers_by_indicator as (

    select
        indicator,
        value,
        cast(sum(buyer_count) as bigint) as buyer_count,
        cast(sum(repeat_buyer_count) as bigint) as repeat_buyer_count
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
        {{ safe_divide('repeat_buyer_count', 'buyer_count') }} as repeat_rate,
        -- the two rates divided in one go, so that none is rounded on the way
        {{
            safe_divide(
                'repeat_buyer_count * all_buyer_count',
                'buyer_count * all_repeat_buyer_count'
            )
        }} as lift

    from buyers_with_total

)

select * from final
