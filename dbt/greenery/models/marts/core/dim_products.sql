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
        {{ money('price_usd') }} as price_usd,
        inventory_count

    from products

)

select * from final
