select
    started_date as date_day,
    count(*) as visit_count,
    count(*) filter (where is_converted) as order_visit_count,
    avg(is_converted::int) as conversion_rate,
    avg(duration_seconds) as average_seconds
from marts.fct_user_sessions
group by 1
order by 1
