-- The KPIs stand at the end of a long way: counted again at its start, no row may be missing.
-- depends_on: {{ ref('fct_daily_orders') }}, {{ ref('int_daily_sessions') }}
-- depends_on: {{ ref('fct_user_orders') }}, {{ ref('stg_greenery__orders') }}
-- depends_on: {{ ref('stg_greenery__events') }}
with

users as (

    select count(*) as user_count from {{ ref('stg_greenery__users') }}

),

{% if is_tested_before() -%}

-- days that have not changed passed this test before; those that have agree with their rows
    orders as (

        select
            coalesce(sum(order_count), 0) as order_count,
            coalesce(sum(revenue_order_count), 0) as revenue_order_count,
            (select count(*) from {{ ref('fct_user_orders') }}) as buyer_count,
            coalesce(sum(order_total_usd), 0) as order_total_usd
        from {{ ref('fct_daily_orders') }}

    ),

    sessions as (

        select
            coalesce(sum(session_count), 0) as session_count,
            coalesce(sum(checkout_session_count), 0) as converted_session_count
        from {{ ref('int_daily_sessions') }}

    ),

{%- else -%}

    orders as (

        select
            count(*) as order_count,
            count(*) filter (where has_revenue) as revenue_order_count,
            count(distinct user_id) filter (where is_sold) as buyer_count,
            coalesce(sum(order_total_usd) filter (where has_revenue), 0) as order_total_usd
        from {{ ref('stg_greenery__orders') }}

    ),

    events as (

        select * from {{ ref('stg_greenery__events') }}
        where event_type <> 'package_shipped'

    ),

    events_that_count as (

        select * from events
        where {{ is_no_second_checkout() }}

    ),

    sessions as (

        select
            count(distinct session_id) as session_count,
            count(distinct session_id) filter (where event_type = 'checkout')
                as converted_session_count
        from events_that_count

    ),

{%- endif %}

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
        ('average_order_usd', orders.order_total_usd, orders.revenue_order_count)
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
