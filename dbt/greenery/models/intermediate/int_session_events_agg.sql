with

events as (

    select * from {{ ref('stg_greenery__events') }}
    where {{ only_changed_keys('session_id') }} and session_id is not null

),

events_that_count as (

    select * from events
    where {{ is_no_second_checkout() }}

),

final as (

    select
        -- ids
        session_id,
        min(user_id) filter (where is_on_site) as user_id,

        -- numerics
        count(*) filter (where event_type = 'page_view') as page_view_count,
        count(*) filter (where event_type = 'add_to_cart') as add_to_cart_count,
        count(*) filter (where event_type = 'checkout') as checkout_count,
        count(*) filter (where event_type = 'package_shipped') as package_shipped_count,

        -- dates
        {{ business_date('min(event_at) filter (where is_on_site)') }} as started_date,

        -- timestamps
        min(event_at) filter (where is_on_site) as started_at,
        max(event_at) filter (where is_on_site) as ended_at

    from events_that_count
    group by 1
    -- nobody visited when all there is of a session is a shipment
    having count(*) filter (where is_on_site) > 0

)

select * from final
