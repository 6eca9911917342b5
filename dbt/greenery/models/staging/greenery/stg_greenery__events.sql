select
    -- ids
    event_id,
    session_id,
    user_id,
    product_id,
    order_id,

    -- strings
    event_type,
    page_url,

    -- booleans
    -- a shipment carries the session id of the visit, but happens hours later in the warehouse
    event_type <> 'package_shipped' as is_on_site,

    -- timestamps
    created_at as event_at,

    -- bookkeeping
    _load_id as load_id,
    _loaded_at as loaded_at

from {{ source('greenery', 'events') }}
-- the loader keeps rows that the shop deleted, and marks them
where _deleted_at is null
