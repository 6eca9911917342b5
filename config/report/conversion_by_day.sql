select
    metric_date as date_day,
    max(denominator) filter (where metric = 'conversion_rate') as visit_count,
    max(numerator) filter (where metric = 'conversion_rate')::bigint as order_visit_count,
    max(value) filter (where metric = 'conversion_rate') as conversion_rate,
    max(value) filter (where metric = 'session_length') as average_seconds
from marts.fct_metric_daily
where dimension = 'all' and metric in ('conversion_rate', 'session_length')
group by 1
order by 1
