select
    date_day,
    sum(page_view_count) as page_view_count,
    coalesce(max(orders.order_count), 0) as order_count,
    sum(unit_count) as unit_count,
    sum(revenue_usd) as revenue_usd
from marts.fct_daily_performance_by_product
left join (select date_day, order_count from marts.fct_daily_orders) as orders using (date_day)
group by date_day
order by date_day
