{#
    SQL of what each row of a relation is compared with: columns `baseline` (what the days before
    were), `is_rough` (there are too few of the same weekday), `centre`, `lowest`, `highest` (both of
    the scale of `level`) and `side` (1 above the usual, -1 below, 0 neither) are added.

    The usual is the median of the last eight same weekdays, give or take 3.5 robust standard
    deviations: 1.4826 times the median distance from it, at least what chance alone does with so few
    rows, and at least 10 % (of a share: 2 points). With fewer than four of them it is 0.3 to 3 times
    the median of the last 28 days; with fewer than four days nothing is said.

    scale      'log' (level is the logarithm of 1 + the number) or 'share'
    is_count   whether the number is itself a number of rows
    compared   condition: which days may be compared with
    reach      how many of the same weekdays before are looked at to find eight
#}
{% macro usual_level(relation, scale, is_count, compared, reach, least_change, direction) -%}
    select
        days.*,
        found.baseline,
        found.is_rough,
        middle.centre,
        bounds.lowest,
        bounds.highest,
        case
            {% if direction != 'down' -%} when days.level > bounds.highest then 1 {%- endif %}
            {% if direction != 'up' -%} when days.level < bounds.lowest then -1 {%- endif %}
            else 0
        end as side
    from (
        select
            *,
            array_agg(level) filter (where {{ compared }}) over (
                partition by series_key, extract(isodow from judged_day)
                order by judged_day rows between {{ reach }} preceding and 1 preceding
            ) as same_weekdays,
            array_agg(level) filter (where {{ compared }}) over (
                partition by series_key
                order by judged_day rows between 28 preceding and 1 preceding
            ) as days_before
        from {{ relation }}
    ) as days
    cross join lateral (
        select
            case
                when cardinality(days.same_weekdays) >= 4
                    then days.same_weekdays[greatest(1, cardinality(days.same_weekdays) - 7):]
                when cardinality(days.days_before) >= 4 then days.days_before
            end as baseline,
            coalesce(cardinality(days.same_weekdays), 0) < 4 as is_rough
    ) as found
    cross join lateral (
        select percentile_cont(0.5) within group (order by one.level) as centre
        from unnest(found.baseline) as one (level)
    ) as middle
    cross join lateral (
        select
            1.4826 * percentile_cont(0.5) within group (order by abs(one.level - middle.centre))
                as deviation
        from unnest(found.baseline) as one (level)
    ) as spread
    cross join lateral (
        {%- if scale == 'share' %}
        -- 3.5 standard deviations of the arcsine, which are the same for every share
        select
            power(sin(greatest(chance.angle - chance.reach, 0)), 2) as lowest,
            power(sin(least(chance.angle + chance.reach, pi() / 2)), 2) as highest
        from (
            select
                asin(sqrt(least(greatest(
                    (middle.centre * days.row_count + 0.375) / (days.row_count + 0.75), 0
                ), 1))) as angle,
                1.75 / sqrt(days.row_count + 0.5) as reach
        ) as chance
        {%- else %}
        select
            1 / sqrt(greatest(
                {{ 'exp(middle.centre) - 1' if is_count else 'days.row_count' }}, 1
            )) as deviation
        {%- endif %}
    ) as by_chance
    cross join lateral (
        {%- if scale == 'share' %}
        select
            greatest(
                0.02, middle.centre - by_chance.lowest,
                case when found.is_rough then 0.7 * middle.centre else 3.5 * spread.deviation end
            ) as below,
            greatest(
                0.02, by_chance.highest - middle.centre,
                case when found.is_rough then 2 * middle.centre else 3.5 * spread.deviation end
            ) as above
        {%- else %}
        select
            case
                when found.is_rough then greatest(-ln(0.3), 3.5 * by_chance.deviation)
                else 3.5 * greatest(0.1, spread.deviation, by_chance.deviation)
            end as below,
            case
                when found.is_rough then greatest(ln(3), 3.5 * by_chance.deviation)
                else 3.5 * greatest(0.1, spread.deviation, by_chance.deviation)
            end as above
        {%- endif %}
    ) as margin
    cross join lateral (
        {%- if least_change %}
        -- too small a change is none, however rare
        select
            least(
                middle.centre - margin.below,
                ln(greatest(exp(middle.centre) - {{ least_change }}, 0.01))
            ) as lowest,
            greatest(
                middle.centre + margin.above, ln(exp(middle.centre) + {{ least_change }})
            ) as highest
        {%- else %}
        select middle.centre - margin.below as lowest, middle.centre + margin.above as highest
        {%- endif %}
    ) as bounds
{%- endmacro %}
