with

versions as (

    select
        *,
        lag(order_status) over (partition by order_id order by dbt_valid_from) as status_before,
        {{ status_means('order_status', 'step_number') }} as step_number
    from {{ ref('orders_history') }}
    where {{ only_changed_keys('order_id') }} and not is_deleted

),

orders as (

    select * from {{ ref('fct_orders') }}
    where {{ only_changed_keys('order_id') }}

),

stays as (

    select
        order_id,
        order_status,
        dbt_valid_from as seen_at,
        row_number() over (partition by order_id order by dbt_valid_from) as stay_number,
        step_number > coalesce(
            max(step_number) over (
                partition by order_id order by dbt_valid_from
                rows between unbounded preceding and 1 preceding
            ),
            0
        ) as is_step_forward
    from versions
    where order_status is distinct from status_before

),

stays_with_latest_entry as (

    select
        stays.*,
        -- the shop keeps one instant for a status; what it came back to is known by the load alone
        least(stays.seen_at, case
            when not stays.is_step_forward then null
            else {{ status_means('stays.order_status', 'entered_at') }}
        end) as entered_by_at
    from stays
    inner join orders on stays.order_id = orders.order_id

),

stays_with_entry as (

    select
        *,
        -- an order got somewhere before it got any further
        min(entered_by_at) over (
            partition by order_id order by stay_number
            rows between current row and unbounded following
        ) as entered_at
    from stays_with_latest_entry

),

stays_with_exit as (

    select
        *,
        lead(entered_at) over (partition by order_id order by stay_number) as left_at
    from stays_with_entry

),

final as (

    select
        -- ids
        order_id,

        -- strings
        order_status,

        -- numerics
        stay_number,
        {{ seconds_between('entered_at', 'left_at') }} as duration_seconds,

        -- booleans
        left_at is null as is_current,

        -- timestamps
        entered_at,
        left_at

    from stays_with_exit

)

select * from final
