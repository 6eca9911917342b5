with

order_items as (

    select * from {{ ref('stg_greenery__order_items') }}
    where {{ only_changed_keys('order_id') }}

),

orders as (

    select * from {{ ref('stg_greenery__orders') }}
    where {{ only_changed_keys('order_id') }}

),

products as (

    select
        product_id,
        {{ fit('price_usd', 16, 6) }} as price_usd
    from {{ ref('int_product_prices') }}

),

lines as (

    select
        order_items.order_id,
        order_items.product_id,
        order_items.quantity,
        products.price_usd,
        {{ money('orders.order_cost_usd') }} as order_cost_usd,
        orders.is_sold,
        orders.has_revenue,
        orders.ordered_at,
        -- no line takes more than the order cost, or less than nothing
        greatest(order_items.quantity, 0) as unit_count,
        -- a product that is gone is taken to have cost what the order's other products cost
        greatest(coalesce(
            products.price_usd,
            avg(products.price_usd) over (partition by order_items.order_id),
            0
        ), 0) * greatest(order_items.quantity, 0) as value_usd
    from order_items
    -- the lines of a deleted order go with it
    inner join orders on order_items.order_id = orders.order_id
    left join products on order_items.product_id = products.product_id

),

lines_weighed as (

    select
        *,
        case
            when sum(value_usd) over (partition by order_id) > 0 then value_usd
            -- everything in the order is free by now: each unit counts the same
            when sum(unit_count) over (partition by order_id) > 0 then unit_count
            -- and there are no units: each line does
            else 1
        end as line_weight
    from lines

),

lines_with_weight_so_far as (

    select
        *,
        sum(line_weight) over (
            partition by order_id order by product_id rows unbounded preceding
        ) as weight_so_far,
        sum(line_weight) over (partition by order_id) as order_weight
    from lines_weighed

),

lines_with_cost_so_far as (

    select
        *,
        -- rounding the running total, not each line, makes the lines add up to the cent
        round(order_cost_usd * weight_so_far / order_weight, 2) as cost_so_far_usd
    from lines_with_weight_so_far

),

final as (

    select
        -- ids
        order_id,
        product_id,

        -- numerics
        quantity,
        {{ money('price_usd') }} as price_usd,
        cast(
            cost_so_far_usd - lag(cost_so_far_usd, 1, 0.00) over (
                partition by order_id order by product_id
            ) as numeric(12, 2)
        ) as line_total_usd,

        -- booleans
        is_sold,
        has_revenue,

        -- dates
        {{ business_date('ordered_at') }} as ordered_date

    from lines_with_cost_so_far

)

select * from final
