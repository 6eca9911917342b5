-- for each five visits of the day four more come, which look and buy as these do
create temporary table visits on commit drop as
select session_id
from raw.events
where event_type <> 'package_shipped'
group by session_id
having min(created_at) >= %(day)s and min(created_at) < %(day)s + interval '1 day'
    and md5(session_id) < 'd';

create temporary table more_events on commit drop as
select * from raw.events where session_id in (select session_id from visits);
create temporary table more_orders on commit drop as
select * from raw.orders where order_id in (select order_id from more_events);
create temporary table more_items on commit drop as
select * from raw.order_items where order_id in (select order_id from more_orders);

update more_events set event_id = md5(event_id), session_id = md5(session_id), order_id = md5(order_id);
update more_orders set order_id = md5(order_id);
update more_items set order_id = md5(order_id);
insert into raw.orders select * from more_orders;
insert into raw.order_items select * from more_items;
insert into raw.events select * from more_events;
