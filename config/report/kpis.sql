with visits as (
    select
        started_date as date_day,
        count(*) as session_count,
        avg(duration_seconds) as session_seconds,
        count(*) filter (where is_converted) as converted_count
    from marts.fct_user_sessions
    group by 1
),

days as (
    select *
    from visits
    full outer join marts.fct_daily_orders using (date_day)
)

select days.date_day, metrics.metric, metrics.value
from days
cross join lateral (
    values
    ('average_session_seconds', days.session_seconds),
    ('sessions', days.session_count),
    ('conversion_rate', days.converted_count::numeric / nullif(days.session_count, 0)),
    ('orders', days.order_count),
    ('revenue_usd', days.order_total_usd),
    ('on_time_rate', days.on_time_order_count::numeric / nullif(days.judged_order_count, 0))
) as metrics (metric, value)
where days.date_day is not null
order by 1, 2
