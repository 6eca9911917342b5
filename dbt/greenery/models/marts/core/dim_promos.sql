with

promos as (

    select * from {{ ref('stg_greenery__promos') }}

),

final as (

    select
        -- ids
        promo_id,

        -- strings
        promo_status,

        -- numerics
        cast(discount_usd as numeric(12, 2)) as discount_usd

    from promos

)

select * from final
