select
    -- ids
    address_id,

    -- strings
    address,
    zipcode,
    state,
    country,

    -- bookkeeping
    _load_id as load_id,
    _loaded_at as loaded_at

from {{ source('greenery', 'addresses') }}
-- the loader keeps rows that the shop deleted, and marks them
where _deleted_at is null
