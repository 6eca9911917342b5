with

sessions_by_step as (

    select
        cast(coalesce(sum(page_view_session_count), 0) as bigint) as page_view_session_count,
        cast(coalesce(sum(add_to_cart_session_count), 0) as bigint) as add_to_cart_session_count,
        cast(coalesce(sum(checkout_session_count), 0) as bigint) as checkout_session_count
    from {{ ref('int_daily_sessions') }}

),

final as (

    select
        -- strings
        steps.step,

        -- numerics
        steps.step_number,
        steps.session_count,
        {{ safe_divide('session_count', 'first_value(session_count) over (order by step_number)') }}
            as rate_of_first,
        {{ safe_divide('session_count', 'lag(session_count) over (order by step_number)') }}
            as rate_of_previous

    from sessions_by_step
    cross join lateral (
        values
        (1, 'page_view', sessions_by_step.page_view_session_count),
        (2, 'add_to_cart', sessions_by_step.add_to_cart_session_count),
        (3, 'checkout', sessions_by_step.checkout_session_count)
    ) as steps (step_number, step, session_count)

)

select * from final
