-- Repeat rate and spend rest on this: every order that was sold counts for one buyer, one is first,
-- one last.
{%- set changed = {'fct_user_orders': 'user_id', 'fct_orders': 'user_id'} %}

with

user_orders as (

    select * from {{ ref('fct_user_orders') }}
    where {{ untested_only('user_id', changed) }}

),

orders_by_user as (

    select
        user_id,
        count(*) as order_count,
        coalesce(sum(order_total_usd) filter (where has_revenue), 0) as total_spend_usd,
        count(*) filter (where is_first_order) as first_order_count,
        count(*) filter (where is_last_order) as last_order_count,
        min(ordered_at) filter (where is_first_order) as first_ordered_at,
        max(ordered_at) filter (where is_last_order) as last_ordered_at
    from {{ ref('fct_orders') }}
    where is_sold and {{ untested_only('user_id', changed) }}
    group by 1

)

select
    user_id,
    user_orders.order_count,
    orders_by_user.order_count as counted_order_count,
    user_orders.total_spend_usd,
    orders_by_user.total_spend_usd as added_up_spend_usd
from user_orders
full outer join orders_by_user using (user_id)
where
    user_orders.order_count is distinct from orders_by_user.order_count
    or user_orders.total_spend_usd is distinct from orders_by_user.total_spend_usd
    or user_orders.first_ordered_at is distinct from orders_by_user.first_ordered_at
    or user_orders.last_ordered_at is distinct from orders_by_user.last_ordered_at
    or user_orders.is_repeat_buyer is distinct from (orders_by_user.order_count > 1)
    or orders_by_user.first_order_count <> 1
    or orders_by_user.last_order_count <> 1
