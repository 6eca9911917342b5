-- The funnel's last step is the conversion rate told another way; people compare the two.
-- depends_on: {{ ref('fct_user_sessions') }}, {{ ref('int_daily_sessions') }}
with

funnel as (

    select * from {{ ref('fct_product_funnel') }}

),

sessions as (

    {% if is_tested_before() -%}
    -- days that have not changed passed this test before; those that have agree with their rows
        select
            coalesce(sum(session_count), 0) as session_count,
            coalesce(sum(checkout_session_count), 0) as converted_session_count
        from {{ ref('int_daily_sessions') }}
    {%- else -%}
        select
            count(*) as session_count,
            count(*) filter (where is_converted) as converted_session_count
        from {{ ref('fct_user_sessions') }}
    {%- endif %}

)

select
    funnel.step,
    funnel.session_count,
    sessions.session_count as all_session_count,
    sessions.converted_session_count
from funnel
cross join sessions
left join funnel as previous on funnel.step_number = previous.step_number + 1
where
    (funnel.step = 'page_view' and funnel.session_count <> sessions.session_count)
    or (funnel.step = 'checkout' and funnel.session_count <> sessions.converted_session_count)
    or funnel.session_count > previous.session_count
