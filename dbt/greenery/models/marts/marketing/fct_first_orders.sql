with

orders as (

    select * from {{ ref('fct_orders') }}
    where {{ only_changed_keys('user_id') }} and is_first_order

),

buyers as (

    select * from {{ ref('fct_user_orders') }}
    where {{ only_changed_keys('user_id') }}

),

sessions as (

    select * from {{ ref('fct_user_sessions') }}

),

final as (

    select
        -- ids
        buyers.user_id,
        orders.order_id,
        orders.session_id,

        -- strings
        coalesce(orders.order_status, 'unknown') as order_status,
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
            when orders.order_cost_usd >= 300 then '$300 and more'
            else 'unknown'
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
        end as page_view_band,

        -- booleans
        buyers.is_repeat_buyer

    from buyers
    inner join orders on buyers.user_id = orders.user_id
    left join sessions on orders.session_id = sessions.session_id

)

select * from final
