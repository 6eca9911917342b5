with

events_by_day as (

    select
        event_date as date_day,
        product_id,
        count(*) filter (where event_type = 'page_view') as page_view_count,
        count(*) filter (where event_type = 'add_to_cart') as add_to_cart_count
    from {{ ref('fct_events') }}
    where
        {{ only_changed_keys('event_date') }}
        and event_date is not null
        and product_id is not null
        and event_type in ('page_view', 'add_to_cart')
    group by 1, 2

),

order_items_by_day as (

    select
        ordered_date as date_day,
        product_id,
        -- a product stands once in an order, so its lines are its orders
        count(*) as order_count,
        sum(quantity) filter (where is_sold) as unit_count,
        sum(line_total_usd) filter (where has_revenue) as revenue_usd
    from {{ ref('fct_order_items') }}
    where {{ only_changed_keys('ordered_date') }} and ordered_date is not null
    group by 1, 2

),

final as (

    select
        -- ids
        product_id,

        -- numerics
        coalesce(events_by_day.page_view_count, 0) as page_view_count,
        coalesce(events_by_day.add_to_cart_count, 0) as add_to_cart_count,
        coalesce(order_items_by_day.order_count, 0) as order_count,
        coalesce(order_items_by_day.unit_count, 0) as unit_count,
        {{ money('coalesce(order_items_by_day.revenue_usd, 0)') }} as revenue_usd,

        -- dates
        date_day

    from events_by_day
    full outer join order_items_by_day using (date_day, product_id)

)

select * from final
