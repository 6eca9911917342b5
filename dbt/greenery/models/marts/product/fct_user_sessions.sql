with

sessions as (

    select * from {{ ref('int_session_events_agg') }}
    where {{ only_changed_keys('session_id') }}

),

users as (

    select * from {{ ref('dim_users') }}

),

final as (

    select
        -- ids
        sessions.session_id,
        sessions.user_id,

        -- strings
        users.first_name,
        users.last_name,
        users.email,
        users.state,
        users.country,

        -- numerics
        sessions.page_view_count,
        sessions.add_to_cart_count,
        sessions.checkout_count,
        sessions.package_shipped_count,
        {{ seconds_between('sessions.started_at', 'sessions.ended_at') }} as duration_seconds,

        -- booleans
        sessions.checkout_count > 0 as is_converted,

        -- dates
        {{ business_date('sessions.started_at') }} as started_date,

        -- timestamps
        sessions.started_at,
        sessions.ended_at

    from sessions
    left join users on sessions.user_id = users.user_id

)

select * from final
