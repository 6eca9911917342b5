with

addresses as (

    select * from {{ ref('stg_greenery__addresses') }}
    where {{ only_changed_keys('address_id') }}

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
