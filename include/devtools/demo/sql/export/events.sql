with

looks as (

    select
        looks.*,
        products.product_id
    from demo_looks as looks
    inner join demo_products as products on looks.product_number = products.product_number
    -- a visit is over two days after it began at the latest: over midnight and late
    where looks.session_date between %(day)s - 2 and %(day)s

),

orders as (

    select * from demo_orders
    where session_date between %(day)s - %(history_days)s and %(day)s

),

happened as (

    select
        view_event_id as event_id,
        session_id,
        user_id,
        viewed_at as happened_at,
        'page_view' as event_type,
        cast(null as uuid) as order_id,
        product_id
    from looks
    where view_drop_date = %(day)s

    union all

    select
        cart_event_id as event_id,
        session_id,
        user_id,
        carted_at as happened_at,
        'add_to_cart' as event_type,
        cast(null as uuid) as order_id,
        product_id
    from looks
    where cart_drop_date = %(day)s

    union all

    select
        pg_temp.made_id('checkout', cast(session_id as text)) as event_id,
        session_id,
        user_id,
        checkout_at as happened_at,
        'checkout' as event_type,
        order_id,
        cast(null as uuid) as product_id
    from orders
    where order_drop_date = %(day)s

    union all

    select
        pg_temp.made_id('package_shipped', cast(session_id as text)) as event_id,
        session_id,
        user_id,
        shipped_at as happened_at,
        'package_shipped' as event_type,
        order_id,
        cast(null as uuid) as product_id
    from orders
    where shipment_drop_date = %(day)s

)

select
    event_id,
    session_id,
    user_id,
    'https://greenery.example/'
    || case event_type
        when 'checkout' then 'checkout'
        when 'package_shipped' then 'shipping'
        else 'product'
    end
    || '/' || coalesce(order_id, product_id) as page_url,
    pg_temp.instant(happened_at) as created_at,
    event_type,
    order_id,
    product_id
from happened
order by happened_at, event_id
