-- The cost of an order is shared out over its lines: a cent lost here is lost in every product.
{%- set changed = {'fct_orders': 'order_id', 'fct_order_items': 'order_id'} %}

with

orders as (

    select * from {{ ref('fct_orders') }}
    where {{ untested_only('order_id', changed) }}

),

lines_by_order as (

    select
        order_id,
        count(*) as product_count,
        sum(quantity) as item_count,
        sum(line_total_usd) as line_total_usd
    from {{ ref('fct_order_items') }}
    where {{ untested_only('order_id', changed) }}
    group by 1

)

select
    order_id,
    orders.order_cost_usd,
    lines_by_order.line_total_usd,
    orders.item_count as order_item_count,
    lines_by_order.item_count as line_item_count
from orders
full outer join lines_by_order using (order_id)
where
    orders.order_id is null
    -- that an order has no line at all is another matter, told by fct_orders__has_lines
    or orders.product_count <> coalesce(lines_by_order.product_count, 0)
    or orders.item_count <> coalesce(lines_by_order.item_count, 0)
    or orders.order_cost_usd <> lines_by_order.line_total_usd
