"""What a row is refused for is told where it can be erased, and not in the server's log."""

from __future__ import annotations

import contextlib
import gzip
from dataclasses import replace
from pathlib import Path

import psycopg2
import pytest

from elt.errors import SourceError
from elt.loading.contract import Column, Table
from elt.loading.quarantine import replay

HERS = "anna@example.com"
PEOPLE = Table(
    "people",
    (
        Column("person_id", "text"),
        Column("email", "text", is_personal=True),
        Column("age", "integer", is_personal=True),
        Column("born_on", "date", is_personal=True),
    ),
    primary_key=("person_id",),
    load="delta",
    change_key=("person_id",),
)
STOPPED = replace(PEOPLE, on_bad_row="stop")
HEADER = "person_id,email,age,born_on\n"
GOOD = f"a,{HERS},1,2000-01-01\n"
REFUSED = {
    "a number": f"b,x,{HERS},\n",
    "a date": f"b,x,1,{HERS}\n",
    "too many columns": f"b,{HERS},1,,x\n",
    "too few columns": f"b,{HERS}\n",
    "no key": f",{HERS},1,\n",
    "a key twice": f"b,{HERS},1,\nb,{HERS} again,2,\n",
    "a quote that stays open": f'b,"{HERS},1,\n',
    "no text": f"b,\x00{HERS},1,\n",
    "no UTF-8": f"b,\xff{HERS},1,\n",
    "a shifted row": f"{HERS},b,x,1\n",
}


def said(warehouse) -> str:
    return Path(warehouse.server.home, "log").read_text(errors="replace")


@pytest.mark.parametrize("table", [PEOPLE, STOPPED], ids=["quarantine", "stop"])
@pytest.mark.parametrize("row", REFUSED.values(), ids=REFUSED)
def test_a_refused_row_of_a_file_is_not_in_it(shop, row, table):
    before = len(said(shop.warehouse))
    # the first load and a later one go other ways
    for number, text in enumerate((HEADER + GOOD + row, HEADER + row + GOOD)):
        packed = gzip.compress(text.encode("latin-1"))
        shop.write(f"people/{number}.csv.gz", packed)
        with contextlib.suppress(SourceError):
            shop.load(table)
    replay.replay({"people": PEOPLE}, "replay")
    assert HERS not in said(shop.warehouse)[before:]


@pytest.mark.parametrize("login", ["greenery", "analyst", "postgres"])
def test_neither_is_what_anybody_asks_in_vain(shop, login):
    before = len(said(shop.warehouse))
    for statement in (
        f"select '{HERS}'::date",
        f"select * from nowhere where email = '{HERS}'",
        f"do $$ begin raise exception '{HERS}'; end $$",
        "create temporary table t (email text primary key);"
        f" insert into t values ('{HERS}'), ('{HERS}')",
        f"set statement_timeout = 10; select pg_sleep(1), '{HERS}'",
        f"do $$ begin raise warning '{HERS}'; end $$",
    ):
        with contextlib.suppress(psycopg2.Error):
            shop.warehouse.run(statement, login=login)
    assert HERS not in said(shop.warehouse)[before:]


def test_the_server_tells_no_details_of_a_statement_whatever_the_database(shop):
    """So of a process that was killed: the server itself tells what it was doing."""
    told = (
        "select current_setting('log_error_verbosity'), current_setting('log_min_error_statement')"
    )
    server = shop.warehouse.server
    with contextlib.closing(server.connect("postgres", "postgres")) as connection:
        with connection.cursor() as cursor:
            cursor.execute(told)
            assert cursor.fetchone() == ("terse", "panic")
