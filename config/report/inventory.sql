with last_days as (
    select
        product_id,
        sum(unit_count) as unit_count
    from marts.fct_daily_performance_by_product
    where date_day > (select max(date_day) - 28 from marts.fct_daily_performance_by_product)
    group by 1
),

span as (
    select least(28, max(date_day) - min(date_day) + 1) as day_count
    from marts.fct_daily_performance_by_product
)

select
    coalesce(products.product_name, 'without a name') as product_name,
    round(products.inventory_count * span.day_count / nullif(last_days.unit_count, 0), 1)
        as days_left,
    products.inventory_count,
    coalesce(last_days.unit_count, 0) as unit_count,
    products.inventory_count * products.price_usd as stock_usd
from marts.dim_products as products
cross join span
left join last_days using (product_id)
order by days_left nulls last, product_name
