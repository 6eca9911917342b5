with

sessions as (

    select * from {{ ref('fct_user_sessions') }}

),

sessions_by_step as (

    -- who got further was here too, even when the event of this step is missing
    select
        count(*) filter (where page_view_count + add_to_cart_count + checkout_count > 0)
            as page_view_session_count,
        count(*) filter (where add_to_cart_count + checkout_count > 0)
            as add_to_cart_session_count,
        count(*) filter (where checkout_count > 0) as checkout_session_count
    from sessions

),

steps as (

    select steps.*
    from sessions_by_step
    cross join lateral (
        values
        (1, 'page_view', sessions_by_step.page_view_session_count),
        (2, 'add_to_cart', sessions_by_step.add_to_cart_session_count),
        (3, 'checkout', sessions_by_step.checkout_session_count)
    ) as steps (step_number, step, session_count)

),

final as (

    select
        -- strings
        step,

        -- numerics
        step_number,
        session_count,
        {{ rate('session_count', 'first_value(session_count) over (order by step_number)') }}
            as rate_of_first,
        {{ rate('session_count', 'lag(session_count) over (order by step_number)') }}
            as rate_of_previous

    from steps

)

select * from final
