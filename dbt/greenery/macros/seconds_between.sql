{#
    Whole seconds from one instant to another. Each instant is cut to its second first, so that the
    parts of a visit add up to the visit. dbt.datediff goes by the clock on the wall of the
    database session: an hour would be lost or won when summer time starts or ends.
#}
{% macro seconds_between(first_instant, last_instant) -%}
    cast(
        floor(extract(epoch from {{ last_instant }}))
        - floor(extract(epoch from {{ first_instant }})) as bigint
    )
{%- endmacro %}
