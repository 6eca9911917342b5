{#
    Each value of a column has about the share of a day's rows that it had on the same weekdays
    before, to at least two points, by unusual_days. A value that never has a hundredth of a day
    could not be odd, and is not looked at; one that is new is told, one that is gone has a share of
    0, and null is a value.

    day     column with the day of the business
    value   how much of the day a value has: an aggregate
    what    what it is a share of: Orders
#}
{% test usual_values(model, column_name, day, value='count(*)', what='Rows') %}

    {{ config(**how_usual_warns()) }}
    {%- set days = days_to_judge(model, day) -%}
    {%- if days is none -%} {{ nothing_to_judge() }}
    {%- else -%}
    {%- set numbers -%}
        with

        counted as (

            select
                array[cast({{ column_name }} as text)] as value_key,
                {{ day }} as judged_day,
                cast({{ value }} as double precision) as value_count,
                sum(cast({{ value }} as double precision)) over (partition by {{ day }}) as day_count
            from {{ model }}
            where
                {{ day }}
                between cast('{{ days[0] }}' as date) - 140 and cast('{{ days[1] }}' as date)
            group by {{ column_name }}, {{ day }}

        ),

        days_there as (

            select
                judged_day,
                max(day_count) as day_count
            from counted
            where day_count > 0
            group by 1

        ),

        values_there as (

            select value_key
            from counted
            group by 1
            having max(value_count / nullif(day_count, 0)) >= 0.01

        )

        select
            values_there.value_key[1] as {{ column_name }},
            days_there.judged_day,
            coalesce(counted.value_count, 0) / days_there.day_count as judged_value,
            days_there.day_count as row_count
        from values_there
        cross join days_there
        left join counted
            on
                values_there.value_key = counted.value_key
                and days_there.judged_day = counted.judged_day
    {%- endset -%}
    {{ unusual_days(
        numbers, days, [column_name], 'share', "'" ~ (what | replace("'", "''")) ~ "'"
    ) }}
    {%- endif -%}

{% endtest %}
