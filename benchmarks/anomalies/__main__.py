"""False alarms and faults found, ours beside Elementary's method: ``make bench-anomalies``.

Half years of the demo's shop, with a trend, a weekly shape, holidays, promotions, half days,
outages and broken tracking, in a Postgres of its own. A day is told if anything is told of one of
its four numbers: visits, page views, carts, orders. Ours is judged by the SQL that dbt compiles of
the generic test that stands on the marts' series, all days at once, each by those before it alone.
Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from collections import Counter
from datetime import date
from pathlib import Path

from psycopg2.extensions import cursor as Cursor

from benchmarks.anomalies import elementary
from benchmarks.anomalies.judge import MAKE_TABLE, compile_tests
from benchmarks.anomalies.series import KINDS, Season, fill, season
from devtools.local import postgres

FAULTS = ("half a day", "outage", "broken tracking")
OURS = {
    "day": "day",
    "value": "sum(value)",
    "series": {
        "name": {
            "sessions": "Visits",
            "page_views": "Page views",
            "add_to_carts": "Add-to-carts",
            "orders": "Orders",
        }
    },
}


def ours(folder: Path, server: postgres.Server, made: Season, *, knows_holidays: bool) -> str:
    """Return the SQL of our test for a season's days."""
    holidays = {day: "Holiday" for day, kind in made.kinds.items() if kind == "holiday"}
    login = {"user": "postgres", "password": server.passwords["postgres"], "dbname": "postgres"}
    compiled = compile_tests(
        folder,
        {"host": "127.0.0.1", "port": server.port, **login},
        {"ours": {"usual_volume": {"arguments": OURS}}},
        days=(made.judged[0], made.judged[-1]),
        special_days=holidays if knows_holidays else {},
    )
    return f"select judged_day as day from ({compiled['ours']}) as found"


def told_days(cursor: Cursor, sql: str) -> set[date]:
    """Return the days of which a method tells anything."""
    cursor.execute(f"select distinct day from ({sql}) as told")
    return {day for (day,) in cursor.fetchall()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="make bench-anomalies", description=__doc__)
    parser.add_argument("--seasons", type=int, default=6, help="half years, each by its own seed")
    parser.add_argument("--sessions", type=int, default=200, help="visits on a usual day")
    options = parser.parse_args()
    days: Counter[str] = Counter()
    told: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory(prefix="greenery-anomalies-") as name:
        folder = Path(name)
        server = postgres.start(folder / "state")
        try:
            with contextlib.closing(server.connect("postgres", "postgres")) as connection:
                with connection.cursor() as cursor:
                    cursor.execute(f"create schema staging; {MAKE_TABLE}")
                    connection.commit()
                    for seed in range(1, options.seasons + 1):
                        made = season(seed)
                        fill(cursor, made, seed, options.sessions)
                        days.update(made.kinds[day] for day in made.judged)
                        methods = {
                            "Elementary, by default": elementary.DEFAULT,
                            "Elementary, `day_of_week`": elementary.DAY_OF_WEEK,
                            "ours, without special days": ours(
                                folder / "dbt", server, made, knows_holidays=False
                            ),
                            "**ours**": ours(folder / "dbt", server, made, knows_holidays=True),
                        }
                        for method, sql in methods.items():
                            found = told_days(cursor, sql)
                            told.setdefault(method, Counter()).update(
                                made.kinds[day] for day in made.judged if day in found
                            )
                        connection.rollback()
        finally:
            postgres.remove(folder / "state")
    show(days, told)


def show(days: Counter[str], told: dict[str, Counter[str]]) -> None:
    """Print how many days of each kind were told, and how many there were."""
    print(f"| | {' | '.join(f'{kind} ({days[kind]})' for kind in KINDS)} | false alarms | faults |")
    print(f"|---|{'---|' * (len(KINDS) + 2)}")
    all_faults = sum(days[kind] for kind in FAULTS)
    for method, found in told.items():
        faults = sum(found[kind] for kind in FAULTS)
        false = found.total() - faults
        share = f"{faults / all_faults:.0%}"
        print(
            f"| {method} | {' | '.join(str(found[kind]) for kind in KINDS)} | {false} "
            f"| {faults} of {all_faults} ({share}) |"
        )


if __name__ == "__main__":
    main()
