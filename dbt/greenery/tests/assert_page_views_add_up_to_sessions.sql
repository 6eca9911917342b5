-- The seconds of a visit are shared out over its events: shared twice, they would be too many.
{%- set sessions_changed = {'fct_user_sessions': 'session_id', 'int_page_views': 'session_id'} %}
{%- set orders_changed = {'fct_page_views': 'order_id', 'int_page_views': 'order_id'} %}

with

sessions as (

    select
        session_id,
        page_view_count + add_to_cart_count + checkout_count as event_count,
        duration_seconds,
        -- of a visit with a checkout every event led to an order, of another one none
        case when is_converted then page_view_count + add_to_cart_count + checkout_count else 0 end
            as order_event_count
    from {{ ref('fct_user_sessions') }}
    where {{ untested_only('session_id', sessions_changed) }}

),

events_by_session as (

    select
        session_id,
        count(*) as event_count,
        sum(duration_seconds) as duration_seconds,
        count(order_id) as order_event_count
    from {{ ref('int_page_views') }}
    where {{ untested_only('session_id', sessions_changed) }}
    group by 1

),

page_views as (

    select
        order_id,
        sum(event_count) as event_count,
        sum(duration_seconds) as duration_seconds
    from {{ ref('fct_page_views') }}
    where {{ untested_only('order_id', orders_changed) }}
    group by 1

),

events_by_order as (

    select
        order_id,
        count(*) as event_count,
        sum(duration_seconds) as duration_seconds
    from {{ ref('int_page_views') }}
    where order_id is not null and {{ untested_only('order_id', orders_changed) }}
    group by 1

)

select
    session_id,
    null as order_id,
    sessions.event_count,
    events_by_session.event_count as counted_event_count,
    sessions.duration_seconds,
    events_by_session.duration_seconds as added_up_seconds
from sessions
full outer join events_by_session using (session_id)
where
    sessions.event_count is distinct from events_by_session.event_count
    or sessions.duration_seconds is distinct from events_by_session.duration_seconds
    or sessions.order_event_count is distinct from events_by_session.order_event_count

union all

select
    null as session_id,
    order_id,
    page_views.event_count,
    events_by_order.event_count as counted_event_count,
    page_views.duration_seconds,
    events_by_order.duration_seconds as added_up_seconds
from page_views
full outer join events_by_order using (order_id)
where
    page_views.event_count is distinct from events_by_order.event_count
    or page_views.duration_seconds is distinct from events_by_order.duration_seconds
