"""A forgotten person is nowhere: the whole warehouse is searched for what is theirs."""

from __future__ import annotations

import contextlib
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from elt.airflow.load_tasks import load_table
from elt.cli.terminal import print_forgotten
from elt.loading import raw_table
from elt.loading.contract import Column, Table
from elt.loading.sources_yaml import ContractError, declared_tables
from elt.privacy.forget import forget
from elt.privacy.outcome import Forgotten, UnknownPersonError, headline, left_to_do
from elt.privacy.rules import read_rules
from elt.publishing import data_status
from elt.publishing.rollback import roll_back
from elt.warehouse import lease
from elt.warehouse.connection import transaction

HERE = Path(__file__).parent
TABLES = declared_tables()
# whatever must not be found anywhere afterwards
ANNA = "user-anna-0001"
SECRETS = [ANNA, "anna@example.com", "Annabella", "Quidditch", "555-0101", "12 Acorn Alley"]
OF_HERS = ["order-anna-1", "order-anna-2", "order-anna-3", "event-anna-1", "address-anna"]
RAW = (HERE / "raw.sql").read_text()
BUILT = (HERE / "built.sql").read_text()
PUBLISHED = (HERE / "published.sql").read_text()


def as_role(warehouse, role: str, statements: str) -> None:
    warehouse.run(f"set role {role}; {statements}")


@pytest.fixture
def shop(warehouse):
    with transaction("loader") as cursor:
        for table in TABLES.values():
            raw_table.create(cursor, table)
    as_role(warehouse, "loader", RAW)
    as_role(warehouse, "transformer", BUILT)
    warehouse.run("grant select on all tables in schema marts_build to publisher")
    as_role(warehouse, "publisher", PUBLISHED)
    warehouse.run(
        "create schema dev_me_marts_build;"
        "create table dev_me_marts_build.dim_users as select * from raw.users"
    )
    return warehouse


def texts(warehouse) -> dict[str, str]:
    """Return every row of every table of the warehouse as one text by table."""
    tables = warehouse.run(
        "select format('%I.%I', schemaname, tablename) from pg_tables"
        " where schemaname not in ('pg_catalog', 'information_schema', 'dev_me_marts_build')"
    )
    assert len(tables) > 15
    return {
        name: warehouse.run(f"select coalesce(string_agg(t::text, ' '), '') from {name} as t")[0][0]
        for (name,) in tables
    }


def found(warehouse, words: list[str]) -> list[tuple[str, str]]:
    return [
        (table, word)
        for table, text in texts(warehouse).items()
        for word in words
        if word in text.replace("user-anna-0001-b", "")
    ]


def erase(person_id: str = ANNA, run_id: str = "forget") -> Forgotten:
    return forget(person_id, TABLES, run_id)


def count(warehouse, table: str) -> int:
    return warehouse.run(f"select count(*) from {table}")[0][0]


def test_nothing_of_the_person_is_left_anywhere(shop):
    assert len(found(shop, SECRETS)) > 10
    erase()
    assert found(shop, SECRETS[1:]) == []
    # ids of rows that are gone stand in the log by which marts follow, and nowhere else
    assert {table for table, _ in found(shop, [ANNA, *OF_HERS])} == {"raw.change_log"}


def test_what_is_other_peoples_stays(shop):
    words = ["bob@example.com", "user-bob-0002", "order-bob-1", "event-bob-1", "address-bob"]
    before = found(shop, words)
    assert {word for _, word in before} == {*words}
    erase()
    assert set(before) <= set(found(shop, words))
    # somebody else's order goes there
    assert ("raw.addresses", "address-shared") in found(shop, ["address-shared"])
    assert shop.run("select message from ops.task_failure") == [
        ("… is no number, nor is bob@example.com",)
    ]
    assert shop.run("select payload from ops.notification") == [
        ({"text": "…", "blocks": [{"n": 4, "text": "…, order-bob-1"}]},)
    ]
    assert shop.run("select message from ops.node_result") == [
        ("user-anna-0001-b is another one, … is she",)
    ]
    waiting = shop.run("select row_text from ops.quarantine where resolved_at is null order by 1")
    assert waiting == [
        ("order-bob-2,user-bob-0002,lost",),
        ("user-bob-0002,Robert,Plant,bob@example.com,1,nonsense,,",),
    ]


def test_a_name_that_others_have_identifies_nobody(shop):
    as_role(
        shop,
        "loader",
        "insert into raw.users (user_id, first_name, _load_id)"
        " values ('user-eve-0003', 'Annabella', 1);"
        "insert into ops.quarantine (load_id, table_name, source_file, row_text, reason)"
        " values (1, 'users', 'users.csv', '?,Annabella,Marsh', 'r')",
    )
    erase()
    assert ("ops.quarantine", "Annabella") in found(shop, ["Annabella"])


def test_the_ledger_and_the_change_log_tell_what_went(shop):
    done = erase(run_id="forget now")
    assert {table: rows for table, rows in done.removed.items() if rows} == {
        "raw.users": 1,
        "raw.orders": 2,
        "raw.events": 1,
        "raw.order_items": 3,
        "raw.addresses": 1,
        "intermediate.int_page_views": 1,
        "snapshots.orders_history": 2,
        "snapshots.users_history": 1,
        "marts_build.dim_users": 1,
        "marts_build.fct_order_items": 3,
        "untested.dim_users": 1,
        "marts.dim_addresses": 1,
        "marts.dim_users": 1,
        "ops.row_before": 3,
    }
    assert done.quarantined == 3
    assert done.messages == 6
    assert shop.run(
        "select table_name, rows_deleted from ops.load where cause = 'erasure'"
        " and run_id = 'forget now' and status = 'loaded' order by 1"
    ) == [("addresses", 1), ("events", 1), ("order_items", 3), ("orders", 2), ("users", 1)]
    assert shop.run(
        "select table_name, old_key ->> 'order_id', new_key from raw.change_log"
        " inner join ops.load using (load_id, table_name)"
        " where change = 'delete' and table_name = 'orders' order by 2"
    ) == [("orders", "order-anna-1", None), ("orders", "order-anna-2", None)]
    assert shop.run(
        "select old_key ->> 'session_id' from raw.change_log where table_name = 'events'"
    ) == [("s1",)]


def test_headers_warnings_and_old_keys_are_cleared_of_names(shop):
    """A file without a header has data for one; a key that marts follow by may be a name."""
    as_role(
        shop,
        "loader",
        "insert into ops.load (load_id, table_name, source_file, source_columns, started_at,"
        " finished_at, status) overriding system value values (801, 'users', 'users.csv',"
        " '{user_id,Email,Quidditch,anna@example.com,\"12 Acorn Alley, rear\",user-anna-0001}',"
        " now(), now(), 'loaded');"
        "insert into ops.load_warning (table_name, kind, detail, message) values"
        " ('users', 'unknown_column', 'Quidditch', 'users.csv has a column Quidditch'),"
        " ('users', 'unknown_column', 'anna@example.com', 'a column anna@example.com'),"
        " ('users', 'unknown_column', 'nickname', 'a column nickname');"
        "insert into raw.change_log (load_id, table_name, change, old_key, new_key) values"
        " (1, 'users', 'update', '{\"email\": \"anna@example.com\"}', '{\"email\": \"new\"}')",
    )
    done = erase()
    assert found(shop, SECRETS[1:]) == []
    assert shop.run("select source_columns from ops.load where load_id = 801") == [
        (["user_id", "Email", "…", "…", "…, rear", "…"],)
    ]
    details = [detail for (detail,) in shop.run("select detail from ops.load_warning order by 1")]
    assert [detail.split()[0] for detail in details] == ["nickname", "…", "…"]
    assert done.messages_by_table["ops.load_warning"] == 4
    assert done.messages_by_table["raw.change_log"] == 1


def test_a_personal_column_by_which_marts_follow_is_not_written_down_again(shop):
    tables = {**TABLES, "users": replace(TABLES["users"], change_key=("user_id", "email"))}
    forget(ANNA, tables, "forget")
    assert shop.run("select old_key from raw.change_log where table_name = 'users'") == [
        ({"user_id": ANNA},)
    ]


def test_a_source_table_with_names_that_nobody_is_said_to_own_is_told(shop):
    columns = (Column("mail", "text", True), Column("since", "date"))
    letters = Table("letters", columns, ("mail",), "delta")
    with transaction("loader") as cursor:
        raw_table.create(cursor, letters)
        cursor.execute("insert into raw.letters values ('anna@example.com', now(), 1)")
    told = "\n".join(left_to_do(forget(ANNA, {**TABLES, "letters": letters}, "forget")))
    assert "raw.letters: the personal column `mail` has words of theirs" in told
    assert "anna@" not in told


def test_an_older_publication_is_shown_again_without_the_person(shop):
    shop.run(
        "insert into ops.publication (run_id, published_at, rows_inserted, rows_updated,"
        " rows_deleted, tables) select 'a run', now(), 0, 0, 0, '{}' from generate_series(1, 2);"
        "update ops.mart_before set publication_id = 2;"
        "update ops.row_before set publication_id = 2;"
        "alter table marts.dim_users add primary key (user_id)"
    )
    erase()
    shop.run("update marts.dim_users set email = 'new'")
    roll_back()
    assert shop.run("select user_id, email from marts.dim_users") == [
        ("user-bob-0002", "bob@example.com")
    ]


def test_nobody_can_roll_back_while_a_person_goes(shop):
    """Else a rollback could put back what it has read before the person was removed from there."""
    at_marts = (
        "select count(*) from pg_locks inner join pg_class on pg_class.oid = relation"
        " where relname = 'dim_users' and relnamespace = 'marts'::regnamespace"
        " and mode = 'RowExclusiveLock'"
    )
    with (
        ThreadPoolExecutor() as pool,
        contextlib.closing(shop.connect()) as rollback,
        rollback.cursor() as cursor,
    ):
        data_status.lock(cursor)
        forgetting = pool.submit(erase)
        while not shop.run("select 1 from pg_locks where not granted"):
            assert not forgetting.done()
        assert shop.run(at_marts) == [(0,)]
        rollback.rollback()
        assert forgetting.result().rows > 10


def test_models_that_follow_changes_are_built_whole_by_the_next_run(shop):
    state = "select definition_hash from ops.model_state"
    shop.run(
        "insert into ops.model_state (model, definition_hash, version, changes_since)"
        " values ('fct_events', 'a hash', 1, 1)"
    )
    with pytest.raises(UnknownPersonError):
        erase("nobody")
    assert shop.run(state) == [("a hash",)]
    erase()
    assert shop.run(state) == [(None,)]


def test_tombstones_are_set_for_whatever_may_come_again(shop):
    erase()
    expected = {
        *[(table, "user_id", ANNA) for table in ("users", "orders", "events")],
        *[(t, "order_id", f"order-anna-{n}") for t in ("orders", "order_items") for n in (1, 2, 3)],
        ("addresses", "address_id", "address-anna"),
    }
    assert set(shop.run("select table_name, column_name, value_sha256 from ops.erased")) == {
        (table, column, hashlib.sha256(value.encode()).hexdigest())
        for table, column, value in expected
    }


def test_tombstones_are_set_also_where_the_person_had_no_row_yet(shop):
    for table in ("orders", "events", "order_items"):
        shop.run(f"delete from raw.{table}")
    shop.run("delete from ops.quarantine")
    erase()
    assert shop.run(
        "select table_name, column_name from ops.erased where value_sha256 = %s order by 1",
        (hashlib.sha256(ANNA.encode()).hexdigest(),),
    ) == [("events", "user_id"), ("orders", "user_id"), ("users", "user_id")]


def test_tombstones_are_set_for_lines_that_come_after_their_order_went(shop):
    shop.run("delete from raw.order_items")
    erase()
    assert set(
        shop.run("select value_sha256 from ops.erased where table_name = 'order_items'")
    ) == {(hashlib.sha256(f"order-anna-{n}".encode()).hexdigest(),) for n in (1, 2, 3)}


def test_a_second_time_changes_nothing_and_says_so(shop):
    erase()
    before = texts(shop)
    again = erase(run_id="forget again")
    assert (again.was_known, again.rows, again.quarantined) == (True, 0, 0)
    after = texts(shop)
    before.pop("ops.run_lease"), after.pop("ops.run_lease")
    assert after == before
    assert headline(again).startswith("This person was forgotten before")


def test_rows_that_came_back_some_other_way_go_the_second_time(shop):
    erase()
    as_role(
        shop, "loader", "insert into raw.users (user_id, _load_id) values ('user-anna-0001', 9)"
    )
    assert erase().removed["raw.users"] == 1


def test_a_person_known_from_orders_alone_can_be_forgotten(shop):
    shop.run("delete from raw.users where user_id = 'user-anna-0001'")
    assert erase().removed["raw.orders"] == 2


def test_a_person_known_from_the_quarantine_alone_can_be_forgotten(shop):
    for table in ("users", "orders", "events"):
        shop.run(f"delete from raw.{table} where user_id = 'user-anna-0001'")
    done = erase()
    assert done.quarantined == 2
    # the lines of the order that was in quarantine
    assert done.removed["raw.order_items"] == 1


@pytest.mark.parametrize("person_id", ["user-anna", "nobody", "' or true --", ""])
def test_an_unknown_id_is_refused_and_nothing_changes(shop, person_id):
    before = texts(shop)
    with pytest.raises(UnknownPersonError, match=r"Nobody has this user_id.*Nothing was changed"):
        erase(person_id)
    after = texts(shop)
    before.pop("ops.run_lease"), after.pop("ops.run_lease")
    assert after == before


def test_an_id_that_cannot_be_one_is_refused(warehouse):
    columns = (Column("person_id", "integer"),)
    people = Table("people", columns, ("person_id",), "delta", person="person_id")
    with transaction("loader") as cursor:
        raw_table.create(cursor, people)
    with pytest.raises(UnknownPersonError, match="no person_id: it must be a valid integer"):
        forget("a1", {"people": people}, "forget")


def test_it_does_all_or_nothing(shop):
    """A reader's trigger refuses the very last table; then raw must still have the rows."""
    as_role(
        shop,
        "publisher",
        "create function marts.refuse() returns trigger language plpgsql as"
        " 'begin raise exception ''not here''; end';"
        "create trigger refuse before delete on marts.dim_users execute function marts.refuse()",
    )
    with pytest.raises(Exception, match="not here"):
        erase()
    assert count(shop, "raw.users") == 2
    assert count(shop, "ops.erased") == 0
    assert shop.run("select released_at is not null from ops.run_lease") == [(True,)]


def test_a_run_at_work_is_not_disturbed(shop):
    with transaction("loader") as cursor:
        lease.take(cursor, "the daily run")
    with pytest.raises(lease.LeaseHeldError, match="The run the daily run has been at work"):
        erase()
    assert count(shop, "raw.users") == 2


def test_dead_rows_and_statistics_do_not_keep_the_data(shop):
    shop.run("analyze raw.users")
    assert "anna@example.com" in str(
        shop.run(
            "select most_common_vals, histogram_bounds from pg_stats"
            " where tablename = 'users' and attname = 'email'"
        )
    )
    erase()
    assert shop.run(
        "select n_dead_tup from pg_stat_all_tables where relid = 'raw.users'::regclass"
    ) in ([(0,)], [(None,)])
    assert "anna@example.com" not in str(
        shop.run("select most_common_vals, histogram_bounds from pg_stats where schemaname = 'raw'")
    )
    (pages,) = shop.run(
        "select count(*) from pg_class"
        " where oid = 'raw.users'::regclass and relallvisible = relpages"
    )
    assert pages == (1,)


def test_the_report_tells_counts_and_what_is_left_but_no_personal_data(shop, capsys):
    print_forgotten(erase())
    text = capsys.readouterr().out
    for word in ("raw.users", "marts.dim_users", "backups", "landing files", "until the next run"):
        assert word in text
    # an analyst's copy is not ours to change
    assert "dev_me_marts_build.dim_users" in text
    assert "raw.products" not in text
    assert [word for word in (*SECRETS, *OF_HERS) if word in text] == []


# --- and the shop exports the person again


@pytest.fixture
def landing(tmp_path, monkeypatch):
    folder = tmp_path / "landing"
    folder.mkdir()
    connection = json.dumps({"conn_type": "fs", "extra": {"path": str(folder)}})
    monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SOURCE", connection)
    monkeypatch.setenv("GREENERY_SETTLE_SECONDS", "0")
    return folder


def deliver(folder, **rows: list[str]) -> dict[str, dict]:
    """Write a file for each table, its rows filled up with empty fields, and load them."""
    for table, exported in rows.items():
        columns = TABLES[table].column_names
        filled = [row + "," * (len(columns) - 1 - row.count(",")) for row in exported]
        (folder / f"{table}.csv").write_text("\n".join([",".join(columns), *filled, ""]))
    return {table: load_table(table, run_id="a run") for table in rows}


def test_a_reload_brings_nothing_back_and_a_new_order_is_no_trouble(warehouse, landing):
    first = {
        "users": [f"{ANNA},Annabella,Quidditch,anna@example.com", "user-bob-0002,Robert"],
        "addresses": ["address-anna,12 Acorn Alley", "address-bob,2 Main Street"],
        "orders": [f"order-anna-1,{ANNA},,address-anna", "order-bob-1,user-bob-0002"],
        "order_items": ["order-anna-1,fern,1", "order-bob-1,fern,1"],
        "events": [f"event-anna-1,s1,{ANNA}", "event-bob-1,s2,user-bob-0002"],
    }
    deliver(landing, **first)
    assert erase().rows == 5
    # all of it again with something new, and what she did since; one row of hers is broken
    again = deliver(
        landing,
        users=[*first["users"], "user-eve-0003,Eve"],
        addresses=[*first["addresses"], "address-eve"],
        orders=[*first["orders"], f"order-anna-2,{ANNA}", f"order-anna-3,{ANNA},,,nonsense"],
        order_items=[*first["order_items"], "order-anna-2,fern,1"],
        events=[*first["events"], f"event-anna-2,s3,{ANNA}"],
    )
    assert again["orders"]["rows_unchanged"] == 4
    hers = [*SECRETS, "address-anna", "order-anna-1", "order-anna-3", "event-anna"]
    assert {table for table, _ in found(warehouse, hers)} == {"raw.change_log"}
    assert count(warehouse, "ops.quarantine") == 0
    assert count(warehouse, "raw.users") == 2
    # a line of an order that nobody knew of: no trace of her, and that it has no order is known
    assert warehouse.run("select order_id from raw.order_items order by 1") == [
        ("order-anna-2",),
        ("order-bob-1",),
    ]
    assert warehouse.run(
        "select count(*) from ops.erased where table_name = 'orders' and column_name = 'order_id'"
        " and value_sha256 = %s",
        (hashlib.sha256(b"order-anna-2").hexdigest(),),
    ) == [(1,)]


# --- whose is it


def test_contracts_that_do_not_say_whose_a_row_is_are_refused():
    with pytest.raises(ContractError, match=r"Exactly one source table.*these do: none"):
        read_rules({**TABLES, "users": replace(TABLES["users"], person=None)})
    with pytest.raises(ContractError, match="`events` names `session_id` as `person`"):
        read_rules({**TABLES, "events": replace(TABLES["events"], person="session_id")})


def test_every_table_with_a_key_of_a_person_says_whose_its_rows_are():
    """Else its rows would stay: a new table with a user_id must name it."""
    rules = read_rules(TABLES)
    pointing = {rules.root.person, *(table.primary_key[0] for table in rules.own)}
    assert pointing == {"user_id", "order_id", "event_id"}
    assert {name for name, table in TABLES.items() if pointing & set(table.column_names)} == {
        table.name for table in (rules.root, *rules.own, *rules.parts)
    }
