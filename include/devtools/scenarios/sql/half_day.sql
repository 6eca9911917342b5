-- what happened after two in the afternoon has not come, as if the drop had been cut there
create temporary table lost on commit drop as
select session_id
from raw.events
where event_type <> 'package_shipped'
group by session_id
having min(created_at) >= %(day)s + interval '14 hours'
    and min(created_at) < %(day)s + interval '1 day';

delete from raw.order_items where order_id in (
    select order_id from raw.events where session_id in (select session_id from lost)
);
delete from raw.orders where order_id in (
    select order_id from raw.events where session_id in (select session_id from lost)
);
delete from raw.events where session_id in (select session_id from lost);
