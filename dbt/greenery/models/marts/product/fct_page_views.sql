with

page_views as (

    select * from {{ ref('int_page_views') }}
    where {{ only_changed_keys('order_id') }}

),

final as (

    select
        -- ids
        order_id,

        -- strings
        event_type,

        -- numerics
        count(*) as event_count,
        cast(sum(duration_seconds) as bigint) as duration_seconds

    from page_views
    -- a visit that ended without an order tells nothing about a buyer
    where order_id is not null
    group by 1, 2

)

select * from final
