select
    metric_date as date_day,
    coalesce(max(value) filter (where metric = 'page_views'), 0)::bigint as page_view_count,
    coalesce(max(value) filter (where metric = 'orders'), 0)::bigint as order_count,
    coalesce(max(value) filter (where metric = 'units'), 0)::bigint as unit_count,
    coalesce(max(numerator) filter (where metric = 'revenue'), 0) as revenue_usd
from marts.fct_metric_daily
where dimension = 'all' and metric in ('page_views', 'orders', 'units', 'revenue')
group by 1
order by 1
