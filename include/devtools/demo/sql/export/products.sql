with

stock as (

    select
        product_number,
        product_id,
        product_name,
        -- a pallet, larger in a larger shop
        (40 + pg_temp.pick(noise, 3, 61)) * greatest(1, %(sessions_per_day)s / 50) as pallet_size,
        -- once a week the shelf is counted and filled up, each product on its own day
        greatest(
            %(first_day)s,
            %(day)s - mod(%(day)s - %(first_day)s + product_number, 7)
        ) as counted_on
    from demo_products

),

sales as (

    select
        stock.product_number,
        sum(items.quantity) as unit_count
    from stock
    inner join demo_order_items as items on stock.product_number = items.product_number
    where
        items.session_date between %(day)s - %(history_days)s and %(day)s
        and items.order_date between stock.counted_on and %(day)s
    group by 1

)

select
    stock.product_id,
    stock.product_name as name,
    prices.price,
    -- when the last plant goes, the next pallet comes: there is always at least one left
    stock.pallet_size - mod(coalesce(sales.unit_count, 0), stock.pallet_size) as inventory
from stock
inner join demo_prices as prices
    on
        stock.product_number = prices.product_number
        and prices.price_date = %(day)s
left join sales on stock.product_number = sales.product_number
order by stock.product_number
