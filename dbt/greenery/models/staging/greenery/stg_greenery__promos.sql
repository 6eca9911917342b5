select
    -- ids
    promo_id,

    -- strings
    status as promo_status,

    -- numerics
    discount as discount_usd,

    -- bookkeeping
    _load_id as load_id,
    _loaded_at as loaded_at

from {{ source('greenery', 'promos') }}
-- the loader keeps rows that the shop deleted, and marks them
where _deleted_at is null
