{% snapshot orders_history %}
    {# what a test of today's rows refuses must never get into a history that can't be mended #}
    -- depends_on: {{ ref('stg_greenery__orders') }}

    select
        -- ids
        order_id,

        -- strings
        status as order_status,

        -- numerics
        _load_id as load_id,

        -- booleans
        _deleted_at is not null as is_deleted,

        -- timestamps
        _loaded_at as loaded_at

    from {{ source('greenery', 'orders') }}

{% endsnapshot %}
