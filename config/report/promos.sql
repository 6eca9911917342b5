with promos as (
    select
        dimension_value,
        sum(numerator) filter (where metric = 'orders')::bigint as order_count,
        sum(numerator) filter (where metric = 'average_order') as paid_usd,
        sum(denominator) filter (where metric = 'average_order')::bigint as paid_count,
        sum(numerator) filter (where metric = 'revenue') as revenue_usd
    from marts.fct_metric_daily
    where dimension = 'promo'
    group by 1
)

select
    replace(promos.dimension_value, '(none)', 'without a promo') as promo,
    promos.order_count,
    promos.order_count / sum(promos.order_count) over () as order_rate,
    promos.paid_usd / nullif(promos.paid_count, 0) as average_order_usd,
    known.discount_usd,
    promos.revenue_usd
from promos
left join marts.dim_promos as known on promos.dimension_value = known.promo_id
order by promos.order_count desc nulls last, promo
