-- A visit counted twice, or a shipment taken for a visit, would bend every rate on sessions.
{%- set changed = {'fct_user_sessions': 'session_id', 'stg_greenery__events': 'session_id'} %}

with

sessions as (

    select * from {{ ref('fct_user_sessions') }}
    where {{ untested_only('session_id', changed) }}

),

events_by_session as (

    select
        session_id,
        count(*) filter (where event_type = 'page_view') as page_view_count,
        count(*) filter (where event_type = 'add_to_cart') as add_to_cart_count,
        count(*) filter (where event_type = 'checkout') as checkout_count,
        max(event_at) as ended_at
    from {{ ref('stg_greenery__events') }}
    where event_type <> 'package_shipped' and {{ untested_only('session_id', changed) }}
    group by 1

)

select
    session_id,
    sessions.ended_at,
    events_by_session.ended_at as last_event_at
from sessions
full outer join events_by_session using (session_id)
where
    sessions.page_view_count is distinct from events_by_session.page_view_count
    or sessions.add_to_cart_count is distinct from events_by_session.add_to_cart_count
    or sessions.checkout_count is distinct from events_by_session.checkout_count
    or sessions.ended_at is distinct from events_by_session.ended_at
