{#
    A number of the day, such as a mean, a median or a share, is about that of the same weekdays
    before, by unusual_days. A day without it is not judged.

    day       column with the day of the business
    value     the number: an aggregate, such as avg(duration_seconds) or
              percentile_cont(0.5) within group (order by order_total_usd)
    rows      how many rows it is made of: an aggregate; few rows vary by chance
    is_share  whether it lies between 0 and 1, and is told in percent
    what, series, by, unit, direction: see usual_volume
#}
{% test usual_measure(
    model, day, value, rows='count(*)', is_share=false, what='The number', series=none, by=[], unit='',
    direction='both'
) %}

    {{ config(**how_usual_warns()) }}
    {%- set days = days_to_judge(model, day) -%}
    {%- if days is none -%} {{ nothing_to_judge() }}
    {%- else -%}
    {%- set numbers = numbers_by_day(model, day, value, rows, series, by, days) -%}
    {{ unusual_days(
        numbers, days, usual_columns(series, by), 'share' if is_share else 'measure',
        usual_name(series, what), unit, direction,
        told_columns=(series or {}).keys() | list
    ) }}
    {%- endif -%}

{% endtest %}
