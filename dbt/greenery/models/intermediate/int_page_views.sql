with

events as (

    select
        *,
        -- what comes first when two events carry the same instant: nobody buys before they look
        case event_type
            when 'page_view' then 1
            when 'add_to_cart' then 2
            when 'checkout' then 3
        end as step_number
    from {{ ref('stg_greenery__events') }}
    where {{ only_changed_keys('session_id') }} and session_id is not null and is_on_site

),

events_that_count as (

    select * from events
    where {{ is_no_second_checkout() }}

),

events_in_sequence as (

    select
        event_id,
        session_id,
        product_id,
        event_type,
        event_at,
        min(event_at) over (partition by session_id) as started_at,
        case when event_type = 'checkout' then order_id end as checkout_order_id,
        lead(event_at) over (
            partition by session_id order by event_at, step_number, event_id
        ) as next_event_at,
        -- how many checkouts are still to come, this event's own counted
        count(order_id) filter (where event_type = 'checkout') over (
            partition by session_id order by event_at desc, step_number desc, event_id desc
            rows unbounded preceding
        ) as checkouts_to_come
    from events_that_count

),

events_with_order as (

    select
        *,
        max(checkout_order_id) over (
            -- what follows the last checkout, where none is to come, belongs to the last one
            partition by session_id, greatest(checkouts_to_come, 1)
        ) as order_id
    from events_in_sequence

),

final as (

    select
        -- ids
        event_id,
        session_id,
        product_id,
        order_id,

        -- strings
        event_type,

        -- numerics
        coalesce({{ seconds_between('event_at', 'next_event_at') }}, 0) as duration_seconds,

        -- dates
        {{ business_date('started_at') }} as started_date,

        -- timestamps
        event_at

    from events_with_order

)

select * from final
