-- The KPIs stand at the end of a long way: counted again at its start, no row may be missing.
with

users as (

    select count(*) as user_count from {{ ref('stg_greenery__users') }}

),

orders as (

    select
        count(*) as order_count,
        count(distinct user_id) as buyer_count,
        coalesce(sum(order_total_usd), 0) as order_total_usd
    from {{ ref('stg_greenery__orders') }}

),

sessions as (

    select
        count(distinct session_id) as session_count,
        count(distinct session_id) filter (where event_type = 'checkout') as converted_session_count
    from {{ ref('stg_greenery__events') }}
    where event_type <> 'package_shipped'

),

expected as (

    select expected.*
    from users
    cross join orders
    cross join sessions
    cross join lateral (
        values
        ('users', users.user_count, cast(null as bigint)),
        ('buyers', orders.buyer_count, null),
        ('orders', orders.order_count, null),
        ('revenue_usd', orders.order_total_usd, null),
        ('repeat_rate', null, orders.buyer_count),
        ('conversion_rate', sessions.converted_session_count, sessions.session_count),
        ('average_order_usd', orders.order_total_usd, orders.order_count)
    ) as expected (metric, numerator, denominator)

),

kpis as (

    select * from {{ ref('fct_kpis') }}

)

select
    expected.*,
    kpis.numerator as kpi_numerator,
    kpis.denominator as kpi_denominator
from expected
left join kpis on expected.metric = kpis.metric
where
    kpis.metric is null
    or kpis.numerator <> expected.numerator
    or kpis.denominator is distinct from expected.denominator
