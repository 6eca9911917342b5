{#
    The newest instant of a day is about as near to the end of the day as on the same weekdays
    before, to at least an hour, by unusual_days: a day that stops at noon is not whole, however
    busy its morning was. It reads the same weekdays alone, since what has instants is often long.

    column_name  the instant
    day          column with the day of the business on which it lies
    what         what ended: visit
#}
{% test usual_newest(model, column_name, day, what='row') %}

    {{ config(**how_usual_warns()) }}
    {%- set days = days_to_judge(model, day) -%}
    {%- if days is none -%} {{ nothing_to_judge() }}
    {%- else -%}
    {%- set numbers -%}
        select
            daily.judged_day,
            -- the day ends when the next one begins, be it 23 hours long or 25
            extract(epoch from (
                cast(daily.judged_day + 1 as timestamp) at time zone '{{ var("business_timezone") }}'
            ) - daily.newest) / 60 as judged_value,
            100 as row_count
        from (
            select
                {{ day }} as judged_day,
                max({{ column_name }}) as newest
            from {{ model }}
            where {{ day }} in (
                select cast(moment as date) - 7 * week
                from generate_series(
                    timestamp '{{ days[0] }}', timestamp '{{ days[1] }}', interval '1 day'
                ) as moment
                cross join generate_series(0, 12) as week
            )
            group by {{ day }}
        ) as daily
    {%- endset -%}
    {{ unusual_days(
        numbers, days, [], 'measure',
        "'Minutes from the last " ~ (what | replace("'", "''")) ~ " to midnight'",
        direction='up', least_change=60
    ) }}
    {%- endif -%}

{% endtest %}
