select
    -- ids
    order_id,
    product_id,

    -- numerics
    quantity,

    -- bookkeeping
    _load_id as load_id,
    _loaded_at as loaded_at

from {{ source('greenery', 'order_items') }}
-- the loader keeps rows that the shop deleted, and marks them
where _deleted_at is null
