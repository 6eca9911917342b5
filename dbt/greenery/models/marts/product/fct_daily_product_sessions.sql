with

page_views as (

    select * from {{ ref('int_page_views') }}
    where {{ only_changed_keys('started_date') }} and started_date is not null

),

order_items as (

    select * from {{ ref('stg_greenery__order_items') }}

),

orders as (

    select * from {{ ref('int_user_orders') }}

),

visits as (

    select
        started_date,
        product_id,
        session_id,
        event_type
    from page_views
    where product_id is not null and event_type in ('page_view', 'add_to_cart')

),

purchases as (

    select
        page_views.started_date,
        order_items.product_id,
        page_views.session_id,
        page_views.event_type
    from page_views
    inner join order_items on page_views.order_id = order_items.order_id
    -- the lines of a deleted order go with it
    inner join orders on order_items.order_id = orders.order_id
    where page_views.event_type = 'checkout' and orders.is_sold

),

looked_at_or_bought as (

    select * from visits
    union all
    select * from purchases

),

final as (

    select
        -- ids
        product_id,

        -- numerics
        count(distinct session_id) filter (where event_type = 'page_view') as viewed_session_count,
        count(distinct session_id) filter (where event_type = 'add_to_cart')
            as carted_session_count,
        count(distinct session_id) filter (where event_type = 'checkout')
            as purchased_session_count,

        -- dates
        started_date

    from looked_at_or_bought
    group by started_date, product_id

)

select * from final
