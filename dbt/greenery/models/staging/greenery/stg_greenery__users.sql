select
    -- ids
    user_id,
    address_id,

    -- strings
    first_name,
    last_name,
    email,
    phone_number,

    -- timestamps
    created_at,
    updated_at,

    -- bookkeeping
    _load_id as load_id,
    _loaded_at as loaded_at

from {{ source('greenery', 'users') }}
-- the loader keeps rows that the shop deleted, and marks them
where _deleted_at is null
