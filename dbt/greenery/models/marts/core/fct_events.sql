with

events as (

    select * from {{ ref('stg_greenery__events') }}
    where {{ only_changed_keys('session_id') }} and session_id is not null

),

final as (

    select
        -- ids
        event_id,
        session_id,
        user_id,
        product_id,
        order_id,

        -- strings
        event_type,
        -- people type things into a page that end up behind "?" or "#": no business of a reader
        split_part(split_part(page_url, '?', 1), '#', 1) as page_url,

        -- booleans
        is_on_site,

        -- dates
        {{ business_date('event_at') }} as event_date,

        -- timestamps
        event_at

    from events

)

select * from final
