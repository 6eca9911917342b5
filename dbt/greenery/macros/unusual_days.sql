{#
    SQL of the days to judge on which a number was not as usual: what the tests usual_... have in
    common. usual_level says what is usual. A failing row has the columns of `by`, a `sentence` for
    people, `judged_day` and `is_error`.

    numbers    SQL of judged_day, judged_value, row_count (how many rows the value is made of) and
               the columns of `by`; with judged_value null nothing is said of that day
    days       of days_to_judge
    by         columns that tell one series from another
    told_columns  those of them that told_as speaks of
    kind       'volume' (a day that is not there counts 0), 'measure' or 'share' (0 to 1)
    told_as    SQL of what to call the number
    unit       what stands behind the number
    direction  which days are told: 'both', 'up', 'down'
    least_change  too small a change to tell, of the number

    A day that was not as usual itself is not compared with: each of the last twenty weeks is judged
    by the days before it first, so that an outage does not become what is usual. Nor is one of the
    variable special_days, nor the first day of a series, which is rarely whole.

    Not told: a special day; what was told the same way on each of the three days before; a rise
    that all volumes of the test have at least half of, since more visits, carts and orders together
    are a good day. Next to nothing (a twentieth of what is considerable) is told whatever came
    before, and is an error unless the day is a special one.
#}
{% macro unusual_days(
    numbers, days, by, kind, told_as, unit='', direction='both', least_change=none, told_columns=[]
) -%}

    {%- set scale = 'share' if kind == 'share' else 'log' -%}
    {%- set special_days = var('special_days', {}).keys() | list -%}

    with

    numbers as (

        {{ numbers }}

    ),

    keyed as (

        select
            array[{% for column in by %}cast({{ column }} as text), {% endfor %}'']
                as series_key,
            cast(judged_day as date) as judged_day,
            cast(row_count as double precision) as row_count,
            -- what is no number is none here either
            case
                when judged_value between -1e15 and 1e15
                    then cast(judged_value as double precision)
            end as judged_value
        from numbers
        where judged_day between
            cast('{{ days[0] }}' as date) - 140 and cast('{{ days[1] }}' as date)

    ),

    calendar as (

        select
            cast(moment as date) as judged_day,
            {% if special_days -%}
                cast(moment as date) in (
                    {%- for day in special_days %}
                    cast('{{ day }}' as date){{ ',' if not loop.last }}
                    {%- endfor %}
                )
            {%- else -%} false
            {%- endif %} as is_special
        from generate_series(
            timestamp '{{ days[0] }}' - interval '140 days',
            timestamp '{{ days[1] }}',
            interval '1 day'
        ) as moment

    ),

    beginnings as (

        select
            series_key,
            min(judged_day) as first_day
        from keyed
        group by 1

    ),

    complete as (

        select
            beginnings.series_key,
            calendar.judged_day,
            calendar.is_special,
            {% if kind == 'volume' -%}
                coalesce(keyed.judged_value, 0) as judged_value,
            {%- else -%}
                keyed.judged_value,
            {%- endif %}
            coalesce(keyed.row_count, 0) as row_count
        from beginnings
        inner join calendar on beginnings.first_day < calendar.judged_day
        left join keyed
            on
                beginnings.series_key = keyed.series_key
                and calendar.judged_day = keyed.judged_day

    ),

    levelled as (

        select
            *,
            {% if scale == 'share' -%} judged_value
            {%- else -%} sign(judged_value) * ln(1 + abs(judged_value))
            {%- endif %} as level
        from complete

    ),

    first_look as (

        {{ usual_level(
            'levelled', scale, kind == 'volume', 'level is not null and not is_special',
            8, least_change, direction
        ) }}

    ),

    looked_at as (

        select
            series_key, judged_day, is_special, judged_value, row_count, level, side as first_side,
            -- three in a row, whatever their order
            sum(side) over (
                partition by series_key order by judged_day rows between 3 preceding and 1 preceding
            ) as side_of_three
        from first_look

    ),

    second_look as (

        {{ usual_level(
            'looked_at', scale, kind == 'volume',
            'level is not null and not is_special and first_side = 0', 20, least_change, direction
        ) }}

    ),

    valued as (

        select
            *,
            {{ number_of_level('centre', scale) }} as usual_value,
            {% if kind == 'volume' -%}
                min(level - centre) over (partition by judged_day)
                    >= 0.5 * max(level - centre) over (partition by judged_day)
                and count(*) over (partition by judged_day) > 1
            {%- else -%} false
            {%- endif %} as do_all_rise,
            {% if kind == 'volume' -%}
                not is_rough and side = -1
                and {{ number_of_level('centre', scale) }} >= 20
                and judged_value <= 0.05 * {{ number_of_level('centre', scale) }}
            {%- else -%} false
            {%- endif %} as is_next_to_nothing
        from second_look
        where judged_day between cast('{{ days[0] }}' as date) and cast('{{ days[1] }}' as date)

    ),

    told as (

        select
            *,
            is_next_to_nothing and not is_special as is_error
        from valued
        where
            is_next_to_nothing
            or (
                side <> 0
                and not is_special
                and coalesce(side_of_three, 0) <> 3 * side
                and not (side = 1 and do_all_rise)
            )

    )

    select
        {% for column in by -%}
            {% if column not in told_columns -%}
                series_key[{{ loop.index }}] as {{ column }},
            {%- endif %}
        {% endfor -%}
        concat(
            {{ told_as }},
            to_char(judged_day, '" on "FMDay FMDD FMMonth": "'),
            {{ number_in_words('judged_value', scale, unit, kind == 'volume') }},
            {% if kind == 'share' -%}
                case when usual_value = 0 and 0 = all(baseline) then ', which is new' end,
            {% endif -%}
            {% if direction == 'up' -%} ', usually up to ',
            {%- else -%}
                ', usually ',
                {{ number_in_words(number_of_level('lowest', scale, kind), scale, '', kind == 'volume') }},
                {{ "' or more'" if direction == 'down' else "' to '" }},
            {%- endif %}
            {% if direction != 'down' -%}
                {{ number_in_words(number_of_level('highest', scale, kind), scale, unit, kind == 'volume') }},
            {%- endif %}
            case
                when is_rough then to_char(
                    judged_day,
                    '" (roughly: there are not yet four "FMDay"s before; the last days: "'
                )
                else to_char(judged_day, '" (the last "FMDay"s: "')
            end,
            (
                select string_agg(
                    {{ number_in_words(number_of_level('one.level', scale), scale, '', kind == 'volume') }},
                    ', ' order by one.place
                )
                from unnest(baseline) with ordinality as one (level, place)
                where one.place > cardinality(baseline) - 4
            ),
            ')'
        ) as sentence,
        judged_day,
        is_error
    from told
    order by is_error desc, judged_day desc, abs(level - centre) desc, series_key

{%- endmacro %}
