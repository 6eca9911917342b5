{#
    Of each day's rows about as many have nothing in these columns as on the same weekdays before, to
    at least two points, by unusual_days.

    day      column with the day of the business
    columns  to look at
#}
{% test usual_nulls(model, day, columns) %}

    {{ config(**how_usual_warns()) }}
    {%- set days = days_to_judge(model, day) -%}
    {%- if days is none -%} {{ nothing_to_judge() }}
    {%- else -%}
    {%- set numbers -%}
        select
            one.empty_column,
            daily.judged_day,
            cast(one.null_count as double precision) / daily.row_count as judged_value,
            daily.row_count
        from (
            select
                {{ day }} as judged_day,
                {% for column in columns -%}
                    count(*) filter (where {{ column }} is null) as nulls_{{ loop.index }},
                {% endfor -%}
                count(*) as row_count
            from {{ model }}
            where
                {{ day }}
                between cast('{{ days[0] }}' as date) - 140 and cast('{{ days[1] }}' as date)
            group by {{ day }}
        ) as daily
        cross join lateral (
            values
            {% for column in columns -%}
                ('{{ column }}', daily.nulls_{{ loop.index }}){{ ',' if not loop.last }}
            {% endfor -%}
        ) as one (empty_column, null_count)
    {%- endset -%}
    {{ unusual_days(
        numbers, days, ['empty_column'], 'share', "concat('Rows without ', series_key[1])",
        told_columns=['empty_column']
    ) }}
    {%- endif -%}

{% endtest %}
