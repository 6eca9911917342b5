with

products as (

    select * from {{ ref('stg_greenery__products') }}

),

final as (

    select
        -- ids
        product_id,

        -- strings
        product_name,

        -- numerics
        cast(price_usd as numeric(12, 2)) as price_usd,
        inventory_count

    from products

)

select * from final
