{#
    The first and the last day that a test of usual numbers judges in this run, as [date, date] of the
    calendar of the business; none if there is no whole day yet.

    The last one is the last whole day of the data: the day before that of the newest load, or, if the
    data is older than that, the day before its own last one. Together with the days that were not
    whole when the last publication was made: each day is judged, whatever day the run comes on. No
    clock is asked, so a run that is done again says the same again.

    The variable judged_days, ['2026-01-01', '2026-06-30'], has a test judge those days instead.
#}
{% macro days_to_judge(relation, day) -%}
    {%- if var('judged_days', none) -%} {{ return(var('judged_days')) }} {%- endif -%}
    {%- if not execute -%} {{ return(none) }} {%- endif -%}
    {%- set question -%}
        with

        known as (

            select
                (select max({{ day }}) from {{ relation }}) as newest_day,
                (
                    select {{ business_date('max(started_at)') }}
                    from ops.load where status = 'loaded'
                ) as load_day,
                (
                    select {{ business_date('started_at') }}
                    from ops.load where load_id = {{ published_horizon() }}
                ) as published_day

        ),

        whole as (

            select
                published_day,
                case
                    when newest_day >= load_day - 1 then load_day - 1 else newest_day - 1
                end as last_day
            from known

        )

        select
            cast(
                least(last_day, greatest(coalesce(published_day, last_day), last_day - 27)) as text
            ),
            cast(last_day as text)
        from whole
    {%- endset -%}
    {%- set days = run_query(question).rows[0] -%}
    {{ return([days[0], days[1]] if days[1] else none) }}
{%- endmacro %}
