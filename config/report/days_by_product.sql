select
    days.date_day,
    coalesce(products.product_name, 'a product that is no longer listed') as product_name,
    days.page_view_count,
    days.order_count,
    days.unit_count,
    days.revenue_usd
from marts.fct_daily_performance_by_product as days
left join marts.dim_products as products using (product_id)
where days.date_day > (select max(date_day) - 28 from marts.fct_daily_performance_by_product)
order by days.date_day desc, days.revenue_usd desc nulls last, product_name
