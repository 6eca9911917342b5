"""Half a year of the demo's shop by day: trend, weekly shape, holidays, promotions and faults."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random

from psycopg2.extensions import cursor as Cursor

from benchmarks.anomalies.judge import TABLE
from devtools.demo.generate import prepare
from devtools.demo.settings import DemoSettings

FIRST = date(2026, 1, 5)
# Elementary can tell nothing of fewer than eleven days, so all have more than that before them
WEEKS, WEEKS_BEFORE = 40, 14
# of the visits that the demo makes, so that a promotion has some left to add
BASE = 0.3
# by the day of the week from Monday on
SHAPE = (0.95, 0.9, 0.95, 1.0, 1.1, 1.2, 0.55)
# of visits, and of what is put into carts
KINDS = {
    "normal": (1.0, 1.0),
    "holiday": (0.5, 1.0),
    "promotion": (1.8, 1.0),
    "half a day": (0.5, 1.0),
    "outage": (0.05, 1.0),
    "broken tracking": (1.0, 0.4),
}
# how often in half a year, and for how many days
OCCURS = {
    "holiday": (4, 1),
    "promotion": (3, 3),
    "half a day": (4, 1),
    "outage": (2, 3),
    "broken tracking": (3, 2),
}
COUNT = f"""
    insert into {TABLE} (day, name, value)
    with factors as (
        select * from unnest(%(days)s::date[], %(visits)s::float8[], %(carts)s::float8[])
            as factors (day, visits, carts)
    ),
    visits as (
        select session_date, session_id, is_converted, view_count, factors.carts
        from demo_sessions
        inner join factors on factors.day = session_date
        where pg_temp.share(uuid_send(session_id), 4) < factors.visits
    ),
    looks as (
        select visits.session_date, count(*) filter (
            where looks.carted_at is not null
            and pg_temp.share(uuid_send(looks.view_event_id), 4) < visits.carts
        ) as carts
        from visits
        inner join demo_looks as looks using (session_id, session_date)
        group by 1
    ),
    daily as (
        select session_date, count(*) as visits, count(*) filter (where is_converted) as orders,
            sum(view_count) as views
        from visits group by 1
    )
    select session_date, said.name, said.value
    from daily
    left join looks using (session_date)
    cross join lateral (values
        ('sessions', visits), ('orders', orders), ('page_views', views), ('add_to_carts', carts)
    ) as said (name, value)
"""


@dataclass(frozen=True)
class Season:
    """What each day of half a year is, and what shape its visits have."""

    kinds: dict[date, str] = field(default_factory=dict)

    @property
    def judged(self) -> list[date]:
        """Return the days that have enough of the past before them."""
        return [day for day in self.kinds if day >= FIRST + timedelta(weeks=WEEKS_BEFORE)]


def season(seed: int) -> Season:
    """Return a season with faults, promotions and holidays where a seed puts them."""
    random = Random(seed)
    days = [FIRST + timedelta(days=number) for number in range(7 * WEEKS)]
    kinds = dict.fromkeys(days, "normal")
    for kind, (often, long) in OCCURS.items():
        for _ in range(often):
            while True:
                start = random.randrange(7 * WEEKS_BEFORE, len(days) - long)
                taken = days[start - 1 : start + long + 1]
                if all(kinds[day] == "normal" for day in taken):
                    break
            kinds.update(dict.fromkeys(days[start : start + long], kind))
    return Season(kinds)


def fill(cursor: Cursor, made: Season, seed: int, sessions_per_day: int) -> None:
    """Count a season's visits, orders, page views and carts by day into ``TABLE``."""
    days = sorted(made.kinds)
    shop = DemoSettings(FIRST, seed, users=4000, sessions_per_day=int(sessions_per_day / BASE))
    prepare(cursor, shop, days[0], days[-1])
    visits, carts = [], []
    for number, day in enumerate(days):
        of_visits, of_carts = KINDS[made.kinds[day]]
        # a third more visits at the end than at first
        trend = 1 + number / len(days) / 3
        visits.append(BASE * trend * SHAPE[day.weekday()] * of_visits)
        carts.append(of_carts)
    cursor.execute(f"truncate {TABLE}")
    cursor.execute(COUNT, {"days": days, "visits": visits, "carts": carts})
