{% snapshot products_history %}
    {# what a test of today's rows refuses must never get into a history that can't be mended #}
    -- depends_on: {{ ref('stg_greenery__products') }}

    select
        -- ids
        product_id,

        -- numerics
        price as price_usd,
        inventory as inventory_count,
        _load_id as load_id,

        -- booleans
        _deleted_at is not null as is_deleted,

        -- timestamps
        _loaded_at as loaded_at

    from {{ source('greenery', 'products') }}

{% endsnapshot %}
