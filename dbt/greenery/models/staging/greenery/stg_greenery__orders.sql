select
    -- ids
    order_id,
    user_id,
    promo_id,
    address_id,
    tracking_id,

    -- strings
    status as order_status,
    shipping_service,

    -- numerics
    order_cost as order_cost_usd,
    shipping_cost as shipping_cost_usd,
    order_total as order_total_usd,

    -- booleans
    {{ status_means('status', 'is_sold', true) }} as is_sold,
    {{ status_means('status', 'has_revenue', true) }} as has_revenue,
    {{ status_means('status', 'is_delivered', false) }} as is_delivered,

    -- timestamps
    created_at as ordered_at,
    estimated_delivery_at,
    delivered_at,

    -- bookkeeping
    _load_id as load_id,
    _loaded_at as loaded_at

from {{ source('greenery', 'orders') }}
-- the loader keeps rows that the shop deleted, and marks them
where _deleted_at is null
