with

addresses as (

    select * from {{ ref('stg_greenery__addresses') }}

),

final as (

    select
        -- ids
        address_id,

        -- strings
        address,
        zipcode,
        state,
        country

    from addresses

)

select * from final
