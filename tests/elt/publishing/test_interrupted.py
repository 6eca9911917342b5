"""A server that fails in the middle of a publication leaves the last good one, and says which mart.

That a publication can be killed at any of its steps is tried in tests/dbt/test_kill.py.
"""

from __future__ import annotations

import pytest

from elt.publishing.rollback import roll_back
from elt.publishing.table_schema import PublishInterruptedError

CHANGE = (
    "update marts_build.dim_users set state = 'Utah';"
    "insert into marts_build.fct_orders values ('d', 4)"
)
GO_WRONG = """
create function public.go_wrong() returns trigger language plpgsql security definer as
$$ begin {}; return new; end $$;
create trigger go_wrong before insert on marts.fct_orders
    for each row execute function public.go_wrong();
"""


def shown(shop) -> dict[str, list[tuple]]:
    tables = ("fct_orders", "dim_users", "data_status")
    return {table: shop.read(f"marts.{table}") for table in tables}


def assert_said_and_mended(shop, before, says: str) -> None:
    with pytest.raises(PublishInterruptedError, match=says):
        shop.publish()
    assert shown(shop) == before
    assert shop.warehouse.run("select count(*) from ops.row_before") == [(0,)]
    shop.warehouse.run("drop trigger if exists go_wrong on marts.fct_orders")
    shop.warehouse.run("alter role greenery reset all")
    assert shop.publish().changed > 1


@pytest.fixture
def before(shop) -> dict[str, list[tuple]]:
    shop.begin()
    shop.publish()
    shop.build(CHANGE)
    return shown(shop)


@pytest.mark.parametrize(
    ("failing", "says"),
    [
        pytest.param(
            "perform pg_terminate_backend(pg_backend_pid())",
            # the client may hear of it, or find the line dead
            r"marts\.fct_orders could not be published: (terminating|server closed).*last good",
            id="a lost connection",
        ),
        pytest.param(
            "raise exception using errcode = 'disk_full', message ="
            " 'could not extend file \"base/1/2\": No space left on device'",
            r"marts\.fct_orders could not be published: could not extend.*Make room on the server",
            id="a full disk",
        ),
    ],
)
def test_a_server_that_fails_in_the_middle(shop, before, failing, says):
    shop.warehouse.run(GO_WRONG.format(failing))
    assert_said_and_mended(shop, before, says)


def test_a_quota_that_is_used_up(shop, before):
    shop.build("insert into marts_build.fct_orders select n, n from generate_series(1, 20000) as n")
    shop.warehouse.run(
        "alter role greenery set temp_file_limit = '64kB';alter role greenery set work_mem = '64kB'"
    )
    try:
        assert_said_and_mended(
            shop, before, r"marts\.fct_orders .* exceeds \"?temp_file_limit.*Raise that limit"
        )
    finally:
        shop.warehouse.run("alter role greenery reset all")


def test_a_rollback_that_is_cut_off_changes_nothing(shop, before):
    shop.publish()
    after = shown(shop)
    shop.warehouse.run(
        "create function public.go_wrong() returns trigger language plpgsql security definer as"
        " $$ begin perform pg_terminate_backend(pg_backend_pid()); return old; end $$;"
        "create trigger go_wrong before delete on marts.fct_orders"
        " for each row execute function public.go_wrong()"
    )
    with pytest.raises(PublishInterruptedError, match=r"marts\.fct_orders could not be published"):
        roll_back()
    assert shown(shop) == after
    assert shop.warehouse.run("select * from ops.pin") == []
    shop.warehouse.run("drop trigger go_wrong on marts.fct_orders")
    assert "2 rows changed" in roll_back()
    assert shop.read("marts.fct_orders") == before["fct_orders"]
