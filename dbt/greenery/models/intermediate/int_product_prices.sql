with

products as (

    select * from {{ ref('stg_greenery__products') }}
    where {{ only_changed_keys('product_id') }}

),

final as (

    select
        -- ids
        product_id,

        -- numerics
        price_usd

    from products

)

select * from final
