{{ config(
    materialized='incremental_by_key',
    unique_key='order_id',
    indexes=[{'columns': ['order_id']}, {'columns': ['user_id']}],
    meta={'build': {
        'key': 'user_id',
        'touched_by': [
            {'source': 'orders'},
        ],
    }}
) }}

with

orders as (

    select * from {{ ref('stg_greenery__orders') }}
    where {{ touched('user_id') }}

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
        order_id,
        user_id,

        -- numerics
        order_number,

        -- booleans
        order_number = 1 as is_first_order,
        order_number = user_order_count as is_last_order,

        -- timestamps
        ordered_at

    from orders_numbered

)

select * from final
