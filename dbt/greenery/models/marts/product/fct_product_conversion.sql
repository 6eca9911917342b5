with

products as (

    select * from {{ ref('dim_products') }}

),

events as (

    select * from {{ ref('fct_events') }}

),

order_items as (

    select * from {{ ref('fct_order_items') }}

),

visits_by_product as (

    select
        product_id,
        count(distinct session_id) filter (where event_type = 'page_view') as viewed_session_count,
        count(distinct session_id) filter (where event_type = 'add_to_cart')
            as carted_session_count
    from events
    where product_id is not null
    group by 1

),

purchases_by_product as (

    select
        order_items.product_id,
        count(distinct events.session_id) as purchased_session_count
    from order_items
    inner join events on order_items.order_id = events.order_id
    where events.event_type = 'checkout'
    group by 1

),

final as (

    select
        -- ids
        product_id,

        -- strings
        products.product_name,

        -- numerics
        coalesce(visits_by_product.viewed_session_count, 0) as viewed_session_count,
        coalesce(visits_by_product.carted_session_count, 0) as carted_session_count,
        coalesce(purchases_by_product.purchased_session_count, 0) as purchased_session_count,
        {{ rate(
            'coalesce(purchases_by_product.purchased_session_count, 0)',
            'visits_by_product.viewed_session_count'
        ) }} as conversion_rate

    from products
    -- from all sides: the past of a product that the shop no longer lists still counts
    full outer join visits_by_product using (product_id)
    full outer join purchases_by_product using (product_id)

)

select * from final
