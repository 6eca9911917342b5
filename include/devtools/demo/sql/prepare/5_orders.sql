-- A drop date says in which day's files something arrives: the day it happened, or the day after
-- for a late visit. No event arrives before its order: every foreign key holds on every day.
create temporary table demo_orders on commit drop as

with

checkouts as materialized (

    select
        *,
        pg_temp.made_id('order', cast(session_id as text)) as order_id,
        pg_temp.noise('order', cast(session_id as text)) as noise
    from demo_sessions
    where is_converted

),

created as materialized (

    select
        *,
        checkout_at + (1 + pg_temp.pick(noise, 0, 5)) * interval '1 second' as created_at,
        checkout_at + (7200 + pg_temp.pick(noise, 1, 28 * 3600)) * interval '1 second' as shipped_at
    from checkouts

),

costs as (

    select
        looks.session_id,
        sum(looks.quantity * prices.price) as order_cost
    from created
    inner join demo_looks as looks
        on
            created.session_id = looks.session_id
            and created.session_date = looks.session_date
    inner join demo_prices as prices
        on
            looks.product_number = prices.product_number
            and prices.price_date = cast(created.created_at as date)
    where looks.quantity is not null
    group by 1

),

settled as (

    select
        created.*,
        costs.order_cost,
        round(cast(1 + pg_temp.share(created.noise, 2) * 9 as numeric), 2) as shipping_cost,
        promos.promo_id,
        coalesce(promos.discount, 0) as discount,
        -- most orders go home, some are a present for somebody else
        case
            when pg_temp.share(created.noise, 4) < 0.15 then receivers.first_address_id
            when buyers.moved_at <= created.created_at then buyers.second_address_id
            else buyers.first_address_id
        end as address_id,
        created.shipped_at
            + (24 + pg_temp.pick(created.noise, 5, 120)) * interval '1 hour'
            + pg_temp.pick(created.noise, 6, 3600) * interval '1 second' as delivered_at,
        created.created_at
            + (2 + pg_temp.pick(created.noise, 7, 5)) * interval '1 day' as estimated_delivery_at,
        (array['ups', 'ups', 'ups', 'ups', 'fedex', 'fedex', 'fedex', 'usps', 'usps', 'dhl'])[
            1 + pg_temp.pick(created.noise, 8, 10)
        ] as shipping_service,
        cast(created.created_at as date) + cast(created.is_late as integer) as order_drop_date
    from created
    inner join costs on created.session_id = costs.session_id
    inner join demo_users as buyers on created.user_number = buyers.user_number
    inner join demo_users as receivers
        on pg_temp.pick(created.noise, 9, created.users_before) = receivers.user_number
    left join demo_promos as promos
        on
            promos.promo_number = pg_temp.pick(uuid_send(created.order_id), 0, 6)
            and pg_temp.is_on(promos.promo_number, cast(created.created_at as date))
            and pg_temp.share(created.noise, 3) < 0.35
            -- nobody is paid for shopping
            and costs.order_cost > promos.discount

)

select
    session_date,
    session_id,
    order_id,
    user_id,
    promo_id,
    address_id,
    order_cost,
    shipping_cost,
    order_cost + shipping_cost - discount as order_total,
    pg_temp.made_id('tracking', cast(order_id as text)) as tracking_id,
    shipping_service,
    checkout_at,
    created_at,
    shipped_at,
    estimated_delivery_at,
    delivered_at,
    order_drop_date,
    greatest(cast(shipped_at as date), order_drop_date) as shipped_drop_date,
    greatest(cast(delivered_at as date), order_drop_date) as delivered_drop_date,
    -- the carrier's word is late now and then, too
    greatest(
        cast(shipped_at as date) + cast(pg_temp.share(uuid_send(order_id), 1) < 0.02 as integer),
        order_drop_date
    ) as shipment_drop_date
from settled;

create index on demo_orders (session_date);
analyze demo_orders;

create temporary table demo_order_items on commit drop as
select
    orders.session_date,
    orders.order_id,
    orders.order_drop_date,
    cast(orders.created_at as date) as order_date,
    looks.product_number,
    looks.quantity
from demo_orders as orders
inner join demo_looks as looks
    on
        orders.session_id = looks.session_id
        and orders.session_date = looks.session_date
where looks.quantity is not null;

create index on demo_order_items (session_date);
analyze demo_order_items;
