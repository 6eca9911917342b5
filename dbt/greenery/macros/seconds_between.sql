{#
    Whole seconds from one instant to another; null if one of them is infinite. Each instant is cut to
    its second first, so that the parts of a visit add up to the visit. dbt.datediff goes by the clock
    on the wall of the database session: an hour would be lost or won when summer time starts or ends.
#}
{% macro seconds_between(first_instant, last_instant) -%}
    case
        when isfinite({{ first_instant }}) and isfinite({{ last_instant }}) then cast(
            floor(extract(epoch from {{ last_instant }}))
            - floor(extract(epoch from {{ first_instant }})) as bigint
        )
    end
{%- endmacro %}
