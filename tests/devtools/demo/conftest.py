"""A connection that may make temporary tables only, and one shop for all who only read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from psycopg2.extensions import connection

from devtools.demo.generate import write_landing
from devtools.demo.settings import DemoSettings, days_until
from tests.devtools.demo.judge import Shop

SETTINGS = DemoSettings(date(2026, 1, 1), seed=7, users=160, sessions_per_day=40)
LAST_DAY = date(2026, 1, 24)


@pytest.fixture
def shop_database(server) -> Iterator[connection]:
    with contextlib.closing(server.connect("analyst")) as opened:
        yield opened


@pytest.fixture(scope="session")
def landing(server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "landing"
    with contextlib.closing(server.connect("analyst")) as opened:
        write_landing(opened, folder, SETTINGS, days_until(SETTINGS, LAST_DAY))
    return folder


@pytest.fixture(scope="session")
def shop(landing: Path) -> Shop:
    return Shop.read(landing)
