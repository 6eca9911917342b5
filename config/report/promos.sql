select
    coalesce(promo_id, 'without a promo') as promo,
    count(*) as order_count,
    count(*) / sum(count(*)) over () as order_rate,
    avg(order_total_usd) as average_order_usd,
    sum(discount_usd) as discount_usd,
    sum(order_total_usd) filter (where has_revenue) as revenue_usd
from marts.fct_orders
where is_sold
group by 1
order by order_count desc, promo
