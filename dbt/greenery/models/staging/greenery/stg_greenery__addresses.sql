with

source as (

    select * from {{ source('greenery', 'addresses') }}

),

renamed as (

    select
        -- ids
        address_id,

        -- strings
        address,
        zipcode,
        state,
        country,

        -- bookkeeping
        _load_id as load_id

    from source
    -- the loader keeps rows that the shop deleted, and marks them
    where _deleted_at is null

)

select * from renamed
