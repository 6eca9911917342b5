"""Elementary's method as published: mean ± 3 standard deviations, the judged day among its own."""

from __future__ import annotations

from benchmarks.anomalies.judge import TABLE

# fourteen days, or with `seasonality: day_of_week` as many of the same weekday; from seven on
_SQL = f"""
    select day, name
    from (
        select day, name, value,
            avg(value) over own as mean, stddev(value) over own as deviation,
            count(*) over own as number
        from {TABLE}
        window own as (
            partition by name {{weekday}} order by day rows between 13 preceding and current row
        )
    ) as scored
    where number >= 7 and abs(value - mean) > 3 * deviation
"""
DEFAULT = _SQL.format(weekday="")
DAY_OF_WEEK = _SQL.format(weekday=", extract(isodow from day)")
