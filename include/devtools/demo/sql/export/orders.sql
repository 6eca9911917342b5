-- New orders, and those that moved on this day, as they stand when the day ends.
select
    order_id,
    user_id,
    promo_id,
    address_id,
    pg_temp.instant(created_at) as created_at,
    order_cost,
    shipping_cost,
    order_total,
    case when shipped_drop_date <= %(day)s then tracking_id end as tracking_id,
    case when shipped_drop_date <= %(day)s then shipping_service end as shipping_service,
    case
        when shipped_drop_date <= %(day)s then pg_temp.instant(estimated_delivery_at)
    end as estimated_delivery_at,
    case
        when delivered_drop_date <= %(day)s then pg_temp.instant(delivered_at)
    end as delivered_at,
    case
        when delivered_drop_date <= %(day)s then 'delivered'
        when shipped_drop_date <= %(day)s then 'shipped'
        else 'preparing'
    end as status
from demo_orders
where
    session_date between %(day)s - %(history_days)s and %(day)s
    and %(day)s in (order_drop_date, shipped_drop_date, delivered_drop_date)
order by demo_orders.created_at, order_id
