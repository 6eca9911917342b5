select
    metric_date as date_day,
    metric,
    value
from marts.fct_metric_daily
where
    dimension = 'all'
    and metric in (
        'session_length', 'sessions', 'conversion_rate', 'orders', 'revenue', 'average_order'
    )
order by 1, 2
