select
    replace(event_type, '_', ' ') as activity,
    sum(event_count) as event_count,
    sum(duration_seconds) as total_seconds,
    sum(duration_seconds) / count(*) as seconds_per_order_seconds,
    sum(duration_seconds) / nullif(sum(sum(duration_seconds)) over (), 0) as time_rate
from marts.fct_page_views
group by event_type
order by total_seconds desc, activity
