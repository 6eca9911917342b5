select
    items.order_id,
    products.product_id,
    items.quantity
from demo_order_items as items
inner join demo_products as products on items.product_number = products.product_number
where
    items.session_date between %(day)s - %(history_days)s and %(day)s
    and items.order_drop_date = %(day)s
order by items.order_id, items.product_number
