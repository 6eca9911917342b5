{#
    The calendar day of an instant, where the business is. A bare cast to date would follow the time
    zone of whoever runs it, and the same orders would fall on other days.
#}
{% macro business_date(instant) -%}
    cast({{ instant }} at time zone '{{ var("business_timezone") }}' as date)
{%- endmacro %}
