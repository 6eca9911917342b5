"""Which shop a local run loads: demo data, a landing folder, or a database."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from devtools.demo.files import TABLES
from devtools.demo.generate import write_landing
from devtools.demo.settings import days_until, default_settings, read_note
from devtools.local import services
from devtools.local.postgres import Server
from devtools.local.state_folder import Home
from elt.errors import EltError
from elt.loading.database.source import database_at, is_database_url
from elt.loading.files.landing import landing_at
from elt.loading.sources_yaml import declared_tables
from elt.shop import SHOP
from elt.warehouse.rows import one_value, value_or_none


class OtherSourceError(EltError):
    """What is there already stands in the way of what was asked for."""


def identity(source: str) -> str:
    """Return the URL that tells a shop from another, without log-in and password."""
    return database_at(source).url if is_database_url(source) else landing_at(source).url


def choose_source(home: Home, server: Server, asked: str | None) -> str:
    """Return the source to load, as a path or URL; make demo data if it is the demo's folder.

    The URL of a database may hold a password: ``identity`` is for people.

    Raises:
        OtherSourceError: if the warehouse was filled from another one.
    """
    known = _known_source(server)
    demo = identity(str(home.demo_landing))
    wanted = identity(asked) if asked else known or demo
    if known and wanted != known:
        raise OtherSourceError(
            f"This warehouse holds the shop at {known}, not {wanted}. Two shops in one warehouse "
            "would mix their numbers. Run without SOURCE to go on with the first, or `make reset` "
            "to start over."
        )
    if is_database_url(wanted):
        if not asked:
            raise OtherSourceError(
                f"This warehouse holds the shop at {wanted}. Its log-in is not kept here: name it "
                "again, SOURCE=postgresql://login:password@host:5432/database."
            )
        return asked
    if wanted == demo:
        _refuse_demo_of_another_shop()
        make_demo(home, server)
    elif wanted.startswith("file://") and not Path(wanted.removeprefix("file://")).is_dir():
        raise OtherSourceError(f"There is no folder {wanted.removeprefix('file://')}.")
    return wanted


def _refuse_demo_of_another_shop() -> None:
    """Raise OtherSourceError if the contracts do not declare what the demo data is made for."""
    if not {*TABLES} <= declared_tables().keys():
        raise OtherSourceError(
            f"There is no demo data for {SHOP.title}. Say where its files are: "
            "make run SOURCE=folder, or postgresql://…"
        )


def make_demo(home: Home, server: Server) -> None:
    """Write the demo shop's drops up to yesterday, as far as they are not there."""
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    note = read_note(home.demo_landing)
    settings = note.settings if note else default_settings(yesterday)
    days = days_until(settings, yesterday)
    with contextlib.closing(server.connect("analyst")) as connection:
        written = write_landing(connection, home.demo_landing, settings, days)
    if written:
        print(f"Demo data: {len(written)} files in {home.demo_landing}", flush=True)


def refuse_other_source(home: Home, source: str) -> None:
    """Raise OtherSourceError if the Airflow that is up loads from another source."""
    up = services.up(home)
    if up and up.source != identity(source):
        raise OtherSourceError(
            f"Airflow is up with the source {up.source}, not {identity(source)}. "
            "`make down`, then again."
        )


def _known_source(server: Server) -> str | None:
    with contextlib.closing(server.connect("analyst")) as connection, connection.cursor() as cursor:
        cursor.execute("select to_regclass('ops.source') is not null")
        if not one_value(cursor):
            return None
        cursor.execute("select url from ops.source")
        return value_or_none(cursor, str)
