{#
    Each day has about as many rows as the same weekdays before, neither fewer nor more, by
    unusual_days. A day without rows counts 0.

    day     column with the day of the business
    value   how many: an aggregate
    what    what to call it: Orders
    series  {column: {value: what to call it}}: several numbers of one long table, by a column.
            They belong to one business: what all of them rise by is not told
    by      columns that part it further; they are told with the day if they may be shown
#}
{% test usual_volume(model, day, value='count(*)', what='Rows', series=none, by=[], unit='', direction='both') %}

    {{ config(**how_usual_warns()) }}
    {%- set days = days_to_judge(model, day) -%}
    {%- if days is none -%} {{ nothing_to_judge() }}
    {%- else -%}
    {%- set numbers = numbers_by_day(model, day, value, value, series, by, days) -%}
    {{ unusual_days(
        numbers, days, usual_columns(series, by), 'volume', usual_name(series, what), unit, direction,
        told_columns=(series or {}).keys() | list
    ) }}
    {%- endif -%}

{% endtest %}
