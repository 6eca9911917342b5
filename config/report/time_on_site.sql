select
    bands.time_on_site,
    count(visits.session_id) as visit_count,
    count(visits.session_id) filter (where visits.is_converted) as order_visit_count,
    avg(visits.is_converted::int) as conversion_rate,
    avg(visits.duration_seconds) as average_seconds
from (
    values
    (1, 'under 1 min', 0, 60),
    (2, '1 to 2 min', 60, 120),
    (3, '2 to 3 min', 120, 180),
    (4, '3 to 5 min', 180, 300),
    (5, '5 to 10 min', 300, 600),
    (6, 'over 10 min', 600, null)
) as bands (place, time_on_site, low, high)
left join marts.fct_user_sessions as visits
    on
        visits.duration_seconds >= bands.low
        and visits.duration_seconds < coalesce(bands.high, 'infinity'::float8)
group by bands.place, bands.time_on_site
order by bands.place
