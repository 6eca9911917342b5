select
    -- ids
    product_id,

    -- strings
    name as product_name,

    -- numerics
    price as price_usd,
    inventory as inventory_count,

    -- bookkeeping
    _load_id as load_id,
    _loaded_at as loaded_at

from {{ source('greenery', 'products') }}
-- the loader keeps rows that the shop deleted, and marks them
where _deleted_at is null
