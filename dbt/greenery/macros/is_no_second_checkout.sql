{#
    Whether an event of `events` is anything but a second checkout of an order: the shop said it twice,
    but it happened once. The earliest one counts; at the same instant, that with the smaller id. It
    may lie in another visit, so who asks this is touched by the orders of events too.
#}
{% macro is_no_second_checkout() -%}
    (
        events.event_type <> 'checkout'
        or not exists (
            select from {{ ref('stg_greenery__events') }} as earlier
            where
                earlier.order_id = events.order_id
                and earlier.event_type = 'checkout'
                and (earlier.event_at, earlier.event_id) < (events.event_at, events.event_id)
        )
    )
{%- endmacro %}
