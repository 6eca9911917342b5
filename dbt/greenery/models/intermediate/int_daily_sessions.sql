with

sessions as (

    select
        *,
        {{ seconds_between('started_at', 'ended_at') }} as duration_seconds
    from {{ ref('int_session_events_agg') }}
    where {{ only_changed_keys('started_date') }} and started_date is not null

),

final as (

    select
        -- numerics
        count(*) as session_count,
        -- who got further was here too, even when the event of this step is missing
        count(*) filter (where page_view_count + add_to_cart_count + checkout_count > 0)
            as page_view_session_count,
        count(*) filter (where add_to_cart_count + checkout_count > 0)
            as add_to_cart_session_count,
        count(*) filter (where checkout_count > 0) as checkout_session_count,
        coalesce(cast(sum(duration_seconds) as bigint), 0) as on_site_seconds,

        -- dates
        started_date

    from sessions
    group by started_date

)

select * from final
