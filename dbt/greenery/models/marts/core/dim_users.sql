with

users as (

    select * from {{ ref('stg_greenery__users') }}
    where {{ only_changed_keys('user_id') }}

),

addresses as (

    select * from {{ ref('stg_greenery__addresses') }}

),

final as (

    select
        -- ids
        users.user_id,
        users.address_id,

        -- strings
        users.first_name,
        users.last_name,
        users.email,
        users.phone_number,
        addresses.state,
        addresses.country,

        -- timestamps
        users.created_at,
        users.updated_at

    from users
    left join addresses on users.address_id = addresses.address_id

)

select * from final
