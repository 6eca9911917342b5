-- A visit counted twice, or a shipment taken for a visit, would bend every rate on sessions. An
-- event left behind in the visit that it was moved from would be there twice.
{%- set changed = {
    'fct_user_sessions': 'session_id',
    'fct_events': 'session_id',
    'stg_greenery__events': 'session_id',
} %}

with

sessions as (

    select * from {{ ref('fct_user_sessions') }}
    where {{ untested_only('session_id', changed) }}

),

shown_by_session as (

    select
        session_id,
        count(*) as event_count
    from {{ ref('fct_events') }}
    where {{ untested_only('session_id', changed) }}
    group by 1

),

events as (

    select * from {{ ref('stg_greenery__events') }}
    where {{ untested_only('session_id', changed) }}

),

events_judged as (

    select
        *,
        {{ is_no_second_checkout() }} as is_counted
    from events

),

events_by_session as (

    select
        session_id,
        count(*) as event_count,
        count(*) filter (where event_type = 'page_view') as page_view_count,
        count(*) filter (where event_type = 'add_to_cart') as add_to_cart_count,
        count(*) filter (where event_type = 'checkout' and is_counted) as checkout_count,
        max(event_at) filter (where event_type <> 'package_shipped' and is_counted) as ended_at
    from events_judged
    group by 1

)

select
    session_id,
    shown_by_session.event_count,
    events_by_session.event_count as loaded_event_count,
    sessions.ended_at,
    events_by_session.ended_at as last_event_at
from sessions
full outer join shown_by_session using (session_id)
full outer join events_by_session using (session_id)
where
    shown_by_session.event_count is distinct from events_by_session.event_count
    -- of a shipment or a second checkout alone there is no visit
    or coalesce(sessions.page_view_count, 0) is distinct from events_by_session.page_view_count
    or coalesce(sessions.add_to_cart_count, 0) is distinct from events_by_session.add_to_cart_count
    or coalesce(sessions.checkout_count, 0) is distinct from events_by_session.checkout_count
    or sessions.ended_at is distinct from events_by_session.ended_at
