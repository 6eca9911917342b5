{#
    The number of each day that unusual_days is to know: the days to judge, and twenty weeks before
    them. Arguments as in usual_volume and usual_measure; days as days_to_judge returns them.
#}
{% macro numbers_by_day(model, day, value, rows, series, by, days) -%}
    select
        {% for column in usual_columns(series, by) -%} {{ column }}, {% endfor %}
        {{ day }} as judged_day,
        {{ value }} as judged_value,
        {{ rows }} as row_count
    from {{ model }}
    where
        {{ day }} between cast('{{ days[0] }}' as date) - 140 and cast('{{ days[1] }}' as date)
        {{ only_named(series) }}
    group by {% for column in usual_columns(series, by) -%} {{ column }}, {% endfor %} {{ day }}
{%- endmacro %}
