-- The seconds of a visit are shared out over its events: shared twice, they would be too many.
with

page_views as (

    select
        coalesce(sum(event_count), 0) as event_count,
        coalesce(sum(duration_seconds), 0) as duration_seconds
    from {{ ref('fct_page_views') }}

),

converted_sessions as (

    select
        coalesce(sum(page_view_count + add_to_cart_count + checkout_count), 0) as event_count,
        coalesce(sum(duration_seconds), 0) as duration_seconds
    from {{ ref('fct_user_sessions') }}
    where is_converted

)

select
    page_views.*,
    converted_sessions.event_count as session_event_count,
    converted_sessions.duration_seconds as session_seconds
from page_views
cross join converted_sessions
where
    page_views.event_count <> converted_sessions.event_count
    or page_views.duration_seconds <> converted_sessions.duration_seconds
