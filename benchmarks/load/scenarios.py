"""What is loaded, and onto what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load.files import Rows


@dataclass(frozen=True)
class Scenario:
    """``before`` and ``file`` name the files loaded before and now, ``rows`` what is there then."""

    name: str
    title: str
    file: str
    before: str | None
    rows: Callable[[Rows], int]
    from_postgres: bool = False


SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario("first-1m", "1M events, first load", "small", None, lambda rows: rows.small),
        Scenario("first-5m", "5M events, first load", "large", None, lambda rows: rows.large),
        Scenario(
            "new-50k",
            "50,000 new events onto 5M",
            "new",
            "large",
            lambda rows: rows.large + rows.new,
        ),
        Scenario(
            "same", "the same file of 1M events again", "small", "small", lambda rows: rows.small
        ),
        Scenario(
            "changed",
            "a file of 1M events with 1 % changed",
            "changed",
            "small",
            lambda rows: rows.small,
        ),
        Scenario("bad-row", "1M events, one row is bad", "bad", None, lambda rows: rows.small - 1),
        Scenario(
            "from-postgres",
            "1M events from another Postgres",
            "small",
            None,
            lambda rows: rows.small,
            from_postgres=True,
        ),
    )
}


@dataclass(frozen=True)
class Job:
    """One load: a file, or the URL of the source database, into the database of a URL.

    ``login_url`` lets nobody in but the daily run's login. ``landing`` is a landing folder with
    what was loaded before and the file. ``scratch`` is an empty folder.
    """

    scenario: Scenario
    file: Path
    source_url: str
    url: str
    login_url: str
    landing: Path
    scratch: Path

    @property
    def source(self) -> str:
        return self.source_url if self.scenario.from_postgres else str(self.file)
