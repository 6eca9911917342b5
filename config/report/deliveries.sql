select
    coalesce(shipping_service, 'not handed over yet') as shipping_service,
    count(*) as order_count,
    count(delivered_at) as delivered_count,
    avg(extract(epoch from delivered_at - ordered_at)) as average_delivery_seconds,
    count(*) filter (where is_delivered_late) as late_count,
    avg(is_delivered_late::int) as late_rate
from marts.fct_orders
where is_sold
group by 1
order by average_delivery_seconds desc nulls last, shipping_service
