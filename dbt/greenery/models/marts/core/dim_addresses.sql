{{ config(
    materialized='incremental_by_key',
    unique_key='address_id',
    meta={'build': {
        'key': 'address_id',
        'touched_by': [
            {'source': 'addresses'},
        ],
    }}
) }}

with

addresses as (

    select * from {{ ref('stg_greenery__addresses') }}
    where {{ touched('address_id') }}

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
