-- Days and products are two ways to slice the same orders and views: nothing may fall between them.
{%- set changed = {
    'fct_daily_performance_by_product': 'date_day',
    'fct_events': 'event_date',
    'fct_order_items': 'ordered_date',
} %}

with

daily as (

    select
        sum(page_view_count) as page_view_count,
        sum(add_to_cart_count) as add_to_cart_count,
        sum(order_count) as order_count,
        sum(unit_count) as unit_count,
        sum(revenue_usd) as revenue_usd
    from {{ ref('fct_daily_performance_by_product') }}
    where {{ untested_only('date_day', changed, 'date') }}

),

events as (

    select
        count(*) filter (where event_type = 'page_view') as page_view_count,
        count(*) filter (where event_type = 'add_to_cart') as add_to_cart_count
    from {{ ref('fct_events') }}
    where product_id is not null and {{ untested_only('event_date', changed, 'date') }}

),

order_items as (

    select
        count(*) as order_count,
        sum(quantity) filter (where is_sold) as unit_count,
        sum(line_total_usd) filter (where has_revenue) as revenue_usd
    from {{ ref('fct_order_items') }}
    where {{ untested_only('ordered_date', changed, 'date') }}

)

select
    daily.*,
    events.page_view_count as event_page_view_count,
    events.add_to_cart_count as event_add_to_cart_count,
    order_items.order_count as line_count,
    order_items.unit_count as line_unit_count,
    order_items.revenue_usd as line_revenue_usd
from daily
cross join events
cross join order_items
where
    coalesce(daily.page_view_count, 0) <> events.page_view_count
    or coalesce(daily.add_to_cart_count, 0) <> events.add_to_cart_count
    or coalesce(daily.order_count, 0) <> order_items.order_count
    or coalesce(daily.unit_count, 0) <> coalesce(order_items.unit_count, 0)
    or coalesce(daily.revenue_usd, 0) <> coalesce(order_items.revenue_usd, 0)
