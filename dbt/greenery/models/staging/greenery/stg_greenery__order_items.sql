with

source as (

    select * from {{ source('greenery', 'order_items') }}

),

renamed as (

    select
        -- ids
        order_id,
        product_id,

        -- numerics
        quantity,

        -- bookkeeping
        _load_id as load_id

    from source
    -- the loader keeps rows that the shop deleted, and marks them
    where _deleted_at is null

)

select * from renamed
