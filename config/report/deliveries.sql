with services as (
    select
        dimension_value,
        sum(numerator) filter (where metric = 'orders')::bigint as order_count,
        sum(numerator) filter (where metric = 'delivery_time') as delivery_seconds,
        sum(denominator) filter (where metric = 'delivery_time')::bigint as delivered_count,
        sum(denominator - numerator) filter (where metric = 'on_time_rate')::bigint as late_count,
        sum(denominator) filter (where metric = 'on_time_rate')::bigint as judged_count
    from marts.fct_metric_daily
    where dimension = 'shipping_service'
    group by 1
)

select
    replace(dimension_value, '(none)', 'not handed over yet') as shipping_service,
    order_count,
    delivered_count,
    delivery_seconds / nullif(delivered_count, 0) as average_delivery_seconds,
    late_count,
    late_count::numeric / nullif(judged_count, 0) as late_rate
from services
order by average_delivery_seconds desc nulls last, shipping_service
