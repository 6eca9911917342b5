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
        {{ money('discount_usd') }} as discount_usd

    from promos

)

select * from final
