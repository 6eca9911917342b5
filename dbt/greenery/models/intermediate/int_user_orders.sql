with

orders as (

    select * from {{ ref('stg_greenery__orders') }}
    where {{ only_changed_keys('user_id') }} and user_id is not null

),

orders_numbered as (

    select
        *,
        -- one that was not sold is nobody's first, and does not count on the way to the second
        case
            when is_sold
                then count(*) filter (where is_sold) over (
                    partition by user_id order by ordered_at, order_id
                    rows unbounded preceding
                )
        end as order_number,
        count(*) filter (where is_sold) over (partition by user_id) as user_order_count
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
        is_sold,
        is_sold and order_number = 1 as is_first_order,
        is_sold and order_number = user_order_count as is_last_order,

        -- timestamps
        ordered_at

    from orders_numbered

)

select * from final
