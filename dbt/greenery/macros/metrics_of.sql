{#
    A row for each metric of each row that was counted by day and dimension. Metrics are by name what is
    added up and, unless that is all, what it is divided by.
#}
{% macro metrics_of(counted, metrics) -%}
    select
        counted.metric_date,
        counted.dimension,
        counted.dimension_value,
        metrics.*
    from {{ counted }} as counted
    cross join
        lateral (
            values
            {%- for name, parts in metrics.items() %}
            (
                '{{ name }}',
                cast(counted.{{ parts[0] }} as numeric),
                cast({{ 'counted.' ~ parts[1] if parts | length > 1 else 'null' }} as bigint)
            ){{ ',' if not loop.last }}
            {%- endfor %}
        ) as metrics (metric, numerator, denominator)
{%- endmacro %}
