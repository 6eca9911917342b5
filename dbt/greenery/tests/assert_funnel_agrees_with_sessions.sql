-- The funnel's last step is the conversion rate told another way; people compare the two.
with

funnel as (

    select * from {{ ref('fct_product_funnel') }}

),

sessions as (

    select
        count(*) as session_count,
        count(*) filter (where is_converted) as converted_session_count
    from {{ ref('fct_user_sessions') }}

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
