with

sessions_by_product as (

    select
        product_id,
        cast(sum(viewed_session_count) as bigint) as viewed_session_count,
        cast(sum(carted_session_count) as bigint) as carted_session_count,
        cast(sum(purchased_session_count) as bigint) as purchased_session_count
    from {{ ref('fct_daily_product_sessions') }}
    group by 1

),

final as (

    select
        -- ids
        product_id,

        -- strings
        products.product_name,

        -- numerics
        coalesce(sessions_by_product.viewed_session_count, 0) as viewed_session_count,
        coalesce(sessions_by_product.carted_session_count, 0) as carted_session_count,
        coalesce(sessions_by_product.purchased_session_count, 0) as purchased_session_count,
        {{ safe_divide(
            'sessions_by_product.purchased_session_count',
            'sessions_by_product.viewed_session_count'
        ) }} as conversion_rate

    from {{ ref('dim_products') }} as products
    -- from both sides: the past of a product that the shop no longer lists still counts
    full outer join sessions_by_product using (product_id)

)

select * from final
