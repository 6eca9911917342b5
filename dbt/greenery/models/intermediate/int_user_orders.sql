{{ config(
    materialized='incremental_by_key',
    unique_key='order_id',
    indexes=[{'columns': ['order_id']}, {'columns': ['user_id']}],
    meta={'build': {
        'key': 'user_id',
        'touched_by': [
            {'source': 'orders'},
            {'source': 'events', 'column': 'order_id', 'through': 'stg_greenery__orders'},
        ],
    }}
) }}

with

orders as (

    select * from {{ ref('stg_greenery__orders') }}
    where {{ touched('user_id') }}

),

order_events as (

    select
        order_id,
        min(session_id) filter (where event_type = 'checkout') as session_id,
        min(event_at) filter (where event_type = 'checkout') as checked_out_at,
        min(event_at) filter (where event_type = 'package_shipped') as shipped_at
    from {{ ref('stg_greenery__events') }}
    where order_id in (select orders.order_id from orders)
    group by 1

),

orders_numbered as (

    select
        *,
        row_number() over (partition by user_id order by ordered_at, order_id) as order_number,
        count(*) over (partition by user_id) as user_order_count
    from orders

),

final as (

    select
        -- ids
        orders_numbered.order_id,
        orders_numbered.user_id,
        order_events.session_id,

        -- numerics
        orders_numbered.order_number,

        -- booleans
        orders_numbered.order_number = 1 as is_first_order,
        orders_numbered.order_number = orders_numbered.user_order_count as is_last_order,

        -- timestamps
        orders_numbered.ordered_at,
        order_events.checked_out_at,
        order_events.shipped_at

    from orders_numbered
    left join order_events on orders_numbered.order_id = order_events.order_id

)

select * from final
