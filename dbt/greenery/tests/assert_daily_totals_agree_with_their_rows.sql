-- The KPIs are sums of days: a day that missed a late change would bend them for ever.
{%- set orders_changed = {'fct_daily_orders': 'date_day', 'fct_orders': 'ordered_date'} %}
{%- set sessions_changed = {
    'int_daily_sessions': 'started_date',
    'int_session_events_agg': 'started_date',
} %}

with

daily_orders as (

    select * from {{ ref('fct_daily_orders') }}
    where {{ untested_only('date_day', orders_changed, 'date', ['fct_orders']) }}

),

orders_by_day as (

    select
        ordered_date as date_day,
        count(*) as order_count,
        coalesce(sum(item_count) filter (where is_sold), 0) as item_count,
        coalesce(sum(order_total_usd) filter (where has_revenue), 0) as order_total_usd
    from {{ ref('fct_orders') }}
    where {{ untested_only('ordered_date', orders_changed, 'date', ['fct_orders']) }}
    group by 1

),

daily_sessions as (

    select * from {{ ref('int_daily_sessions') }}
    where {{ untested_only('started_date', sessions_changed, 'date') }}

),

sessions_by_day as (

    select
        started_date,
        count(*) as session_count,
        count(*) filter (where checkout_count > 0) as checkout_session_count
    from {{ ref('int_session_events_agg') }}
    where {{ untested_only('started_date', sessions_changed, 'date') }}
    group by 1

)

select
    date_day,
    daily_orders.order_count,
    orders_by_day.order_count as counted_order_count
from daily_orders
full outer join orders_by_day using (date_day)
where
    daily_orders.order_count is distinct from orders_by_day.order_count
    or daily_orders.item_count is distinct from orders_by_day.item_count
    or daily_orders.order_total_usd is distinct from orders_by_day.order_total_usd

union all

select
    started_date as date_day,
    daily_sessions.session_count,
    sessions_by_day.session_count as counted_session_count
from daily_sessions
full outer join sessions_by_day using (started_date)
where
    daily_sessions.session_count is distinct from sessions_by_day.session_count
    or daily_sessions.checkout_session_count is distinct from sessions_by_day.checkout_session_count
