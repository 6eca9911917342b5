"""The report of a real warehouse, whatever its marts hold."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from dataclasses import replace

import psycopg2
import pytest

from elt.reporting import write
from elt.reporting.folder import BUILDS
from elt.reporting.questions import EMPTY, ReportError
from elt.reporting.write import write_report
from tests.elt.reporting.conftest import QUESTIONS

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(1)>{{ 7 * 7 }}"
RIGHT_TO_LEFT = "ספר \N{RIGHT-TO-LEFT OVERRIDE}abc"


def written(shop, **more) -> str:
    return write_report(shop.to, shop.shop, personal=frozenset(), **more).read_text()


def rows_in_csv(shop, name: str) -> list[list[str]]:
    (file,) = shop.to.glob(f"*/{name}.csv")
    return list(csv.reader(io.StringIO(file.read_text("utf-8-sig"), newline="")))


def test_a_page_answers_with_the_numbers_of_the_marts_and_needs_nothing_else(shop):
    shop.sell("select date '2026-11-13' + n, 'Emma', 100 + n from generate_series(0, 7) as n")
    page = written(shop)
    assert "On 20 Nov 2026 $107.00." in page
    assert "Best of all <strong>Emma</strong>, $828.00." in page
    # against a day and a week before
    assert "+0.9 %" in page
    assert "+7.0 %" in page
    assert page.count("<svg") == 3
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", page)
    assert "@import" not in page
    assert rows_in_csv(shop, "days")[-1] == ["2026-11-20", "107"]
    assert (shop.to / "1/index.html").exists()


def test_names_are_text_whatever_is_in_them(shop):
    shop.sell(
        f"values (date '2026-11-20', $h${HOSTILE}$h$, 9), ('2026-11-20', '=1+1', 8),"
        f" ('2026-11-20', '{RIGHT_TO_LEFT}', 7), ('2026-11-20', '{'x' * 200}', 6),"
        " ('2026-11-20', '', 5), ('2026-11-20', null, 4), ('2026-11-20', 'unsold', null)"
    )
    page = written(shop)
    assert page.count("<script") == 2
    assert "<img" not in page
    assert "{{ 7 * 7 }}" in page
    assert "<bdi>" in page
    assert RIGHT_TO_LEFT in page
    # shortened, and whole as its title
    assert f'title="{"x" * 200}"' in page
    names = [row[0] for row in rows_in_csv(shop, "books")[1:]]
    assert names == [HOSTILE, "'=1+1", RIGHT_TO_LEFT, "x" * 200, "", "", "unsold"]


def test_an_empty_mart_and_one_that_is_missing_are_one_sentence_each(shop):
    page = written(shop)
    assert page.count(EMPTY) == 2
    assert "<svg" not in page
    shop.warehouse.run("drop table marts.fct_sales")
    page = written(shop)
    assert "This can&#39;t be answered yet: relation &#34;marts.fct_sales&#34;" in page
    assert "State of the data" in page


def test_a_metric_without_rows_is_a_card_without_a_number(shop):
    shop.sell("values (date '2026-11-20', 'Emma', 5)")
    cards = [*QUESTIONS["kpis"]["cards"], {"metric": "returns", "label": "Returns", "unit": "usd"}]
    shop.ask({**QUESTIONS, "kpis": {**QUESTIONS["kpis"], "cards": cards}})
    page = written(shop)
    (card,) = re.findall(r'<p class="label">Returns</p>.*?</li>', page, re.DOTALL)
    assert '<p class="value">\u2013</p>' in card
    assert card.count("<dd>\u2013</dd>") == 2


def test_one_day_is_a_point_and_says_that_nothing_was_before(shop):
    shop.sell("values (date '2026-11-20', 'Emma', 5)")
    page = written(shop)
    assert "On 20 Nov 2026 $5.00." in page
    assert 'class="spark"' not in page
    assert page.count("<svg") == 2


def test_years_of_days_and_thousands_of_names_stay_small(shop):
    shop.sell(
        "select date '2023-11-20' + n % 1096, 'Book ' || n, n from generate_series(1, 11000) as n"
    )
    page = written(shop)
    assert len(page) < 500_000
    assert "The first 100 of more than 10,000 rows; the CSV has the first 10,000." in page
    assert "The first 100 of 1,096 rows; the CSV has all of them." in page
    assert len(rows_in_csv(shop, "books")) == 10_001
    assert len(rows_in_csv(shop, "days")) == 1_097


def test_personal_data_is_not_shown_even_if_it_is_asked_for(shop):
    shop.sell("values (date '2026-11-20', 'ada@example.com', 5)")
    page = write_report(shop.to, shop.shop, personal=frozenset({"title"})).read_text()
    assert "This is not shown: title is personal data." in page
    assert "ada@" not in page
    assert not list(shop.to.glob("*/books.csv"))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("select row_text as title, 1 as sales_usd from ops.quarantine", "permission denied"),
        ("select 1 as title, 1 as sales_usd from raw.books", "permission denied"),
        ("delete from marts.fct_sales", "This could not be answered"),
        ("select 'secret'::int as title, 1 as sales_usd", "This could not be answered"),
        ("select 1 as title", "it has no column sales_usd"),
        ("select pg_sleep(9) as title, 1 as sales_usd", "took too long"),
    ],
    ids=["rows in ops", "raw", "a change", "a value in an error", "a column", "time"],
)
def test_a_query_that_may_not_be_or_fails_is_a_sentence_and_the_rest_is_there(
    shop, monkeypatch, query, said
):
    monkeypatch.setattr(write, "SECONDS", 1)
    shop.sell("values (date '2026-11-20', 'Emma', 5)")
    (shop.questions / "books.sql").write_text(query)
    page = written(shop)
    assert said in page
    assert "secret" not in re.sub(r"<pre.*?</pre>", "", page, flags=re.DOTALL)
    assert "On 20 Nov 2026 $5.00." in page
    assert shop.warehouse.run("select count(*) from marts.fct_sales") == [(1,)]


def test_a_shop_that_asks_nothing_has_the_state_of_its_data(shop):
    page = write_report(shop.to, replace(shop.shop, report=None)).read_text()
    assert "State of the data" in page
    assert "The questions" not in page
    assert "Published, and no test failed" in page


def test_the_state_of_the_data_tells_loads_tests_and_quarantine_and_no_row(shop):
    shop.warehouse.run(
        "insert into ops.load (table_name, source_file, rows_read, rows_inserted, rows_quarantined,"
        " started_at, finished_at, status, error)"
        " values ('books', 'secret.csv', 1000, 998, 2, now(), now(), 'loaded', 'secret');"
        "insert into ops.quarantine (load_id, table_name, source_file, row_text, reason,"
        " column_name)"
        " values (1, 'books', 'secret.csv', 'secret', 'column price: no number', 'price');"
        "insert into ops.node_result (run_id, task_id, try_number, unique_id, kind, status,"
        " failures, message, execution_seconds, compiled_sql, owner)"
        " values ('r', 't', 1, 'test.shop.is_good.1', 'test', 'pass', 0, null, 1, 'secret', 'ada'),"
        " ('r', 'u', 1, 'test.shop.breaks.2', 'test', 'fail', 12, 'secret', 1, 'secret', 'ada'),"
        " ('r', 'v', 1, 'model.shop.fct_sales', 'model', 'success', null, null, 75, null, 'ada');"
        "insert into ops.incident (fingerprint, first_run_id, kind, sentence, unique_id, task_id,"
        " first_seen, last_seen, run_ids, state, acknowledged_by, acknowledged_at, note) values"
        " ('a', 'r', 'test', 'secret', 'test.shop.breaks.2', 'u', now(), now(), '{r}', 'open',"
        " 'grace', now(), 'asks the shop'),"
        " ('b', 'r', 'load', 'secret', null, 'load_books', now(), now(), '{r, s}', 'open',"
        " null, null, null),"
        " ('c', 'r', 'load', 'secret', null, 'load_mended', now(), now(), '{r}', 'open',"
        " null, null, null);"
        "update ops.incident set state = 'resolved', resolved_at = now() where fingerprint = 'c';"
        "insert into ops.override (unique_id, reason, made_by, until)"
        " values ('test.shop.breaks.2', 'known', 'ada', now() + interval '1 day');"
        "update marts.data_status set warnings = '2 rows of books are in quarantine.'"
    )
    page = written(shop)
    for said in (
        *("1 of 2 failed", "failed 12", "column price: no number", "1 min 15 s", "known"),
        *("2 rows of books are in quarantine.", 'class="trust amber"', "load_books"),
    ):
        assert said in page, said
    assert "secret" not in page
    assert "load_mended" not in page
    (row,) = re.findall(r"<tr><td[^>]*>1<.*?breaks.*?</tr>", page)
    assert re.findall("<bdi>(.*?)</bdi>", row)[-2:] == ["grace", "asks the shop"]


def test_each_build_is_told_with_its_time_and_what_the_tests_of_its_task_found(shop):
    shop.warehouse.run(
        "insert into ops.node_result (run_id, task_id, try_number, unique_id, kind, status,"
        " failures, execution_seconds)"
        " select 'r' || n, 'build.fct_sales', 1, 'model.shop.fct_sales', 'model', 'success',"
        " null, n from generate_series(1, 4) as n;"
        # runs with nothing new built nothing
        "insert into ops.node_result (run_id, task_id, try_number, unique_id, kind, status,"
        " execution_seconds, taken_from)"
        " select 'r' || n, 'build.fct_sales', 1, 'model.shop.fct_sales', 'model', 'success', 4,"
        " 'r4' from generate_series(5, 7) as n;"
        "insert into ops.node_result (run_id, task_id, try_number, unique_id, kind, status,"
        " failures) values"
        " ('r4', 'build.fct_sales', 1, 'test.shop.a.1', 'test', 'pass', 0),"
        " ('r4', 'build.fct_sales', 1, 'test.shop.b.1', 'test', 'pass', 0),"
        " ('r4', 'build.fct_sales', 1, 'test.shop.c.1', 'test', 'warn', -5),"
        " ('r4', 'build.fct_sales', 1, 'test.shop.d.1', 'test', 'fail', 12),"
        # of a build before, and of another task
        " ('r3', 'build.fct_sales', 1, 'test.shop.a.1', 'test', 'fail', 1),"
        " ('r4', 'build.other', 1, 'test.shop.e.1', 'test', 'fail', 1)"
    )
    page = written(shop)
    (row,) = re.findall(rf'<tr id="{BUILDS}-fct_sales">.*?</tr>', page)
    assert re.findall('data-v="(.*?)"', row) == [
        "fct_sales",
        "4.0",
        "2.0",
        "3",
        "2",
        "1",
        "1",
        "17",
    ]


def test_the_state_of_the_data_is_a_page_of_its_own_too(shop):
    shop.sell("values (date '2026-11-20', 'Emma', 5)")
    of_report = re.findall("<h3>.*", written(shop))
    page = (shop.to / "state.html").read_text()
    assert "publication 1" in page
    assert "Published, and no test failed" in page
    assert re.findall("<h3>.*", page) == of_report
    assert len(of_report) == 7
    # the links of tasks lead there
    assert f'<article id="{BUILDS}"' in page
    assert "$5.00" not in page
    assert page.count("<h2") == 1


def test_each_publication_keeps_its_page_and_the_oldest_go(shop, monkeypatch):
    monkeypatch.setattr(write, "KEPT", 3)
    for _ in range(4):
        written(shop)
        shop.publish()
    page = written(shop)
    assert sorted(one.name for one in shop.to.iterdir()) == [
        *("3", "4", "5", "index.html", "state.html"),
    ]
    assert re.findall(r'href="(\d/index.html)"', page) == ["4/index.html", "3/index.html"]
    kept = (shop.to / "5/index.html").read_text()
    assert "publication 5 (" in kept
    assert 'href="../4/index.html"' in kept
    assert 'href="../index.html">the newest report' in kept
    assert "the newest report" not in page
    # the same publication once more: its page is the newer one
    shop.warehouse.run("update marts.data_status set last_run_outcome = 'failed', reason = 'Odd.'")
    assert 'class="trust red"' in written(shop)
    assert "Odd." in (shop.to / "5/index.html").read_text()
    assert not list(shop.to.glob("**/.*"))


def test_without_the_library_of_charts_the_answers_are_there(shop, monkeypatch, caplog):
    shop.sell("values (date '2026-11-20', 'Emma', 5)")
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    page = written(shop)
    assert "On 20 Nov 2026 $5.00." in page
    assert "<figure" not in page
    assert "Charts are left out, as vl_convert is not installed." in caplog.text


def test_nobody_but_who_draws_waits_for_the_library_of_charts():
    show = (
        "import sys, elt.reporting.write, elt.airflow.run_tasks;"
        "sys.exit(bool({'altair', 'vl_convert'} & {*sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_folder_that_cant_be_written_to_is_one_sentence(shop, tmp_path):
    (tmp_path / "file").write_text("")
    shop.to = tmp_path / "file" / "report"
    with pytest.raises(ReportError, match=r"can't be written to .*GREENERY_REPORT"):
        written(shop)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"questions": [{"name": "x"}]}, "'heading'"),
        ({"questions": [QUESTIONS["questions"][0] | {"sql": "none.sql"}]}, "none.sql"),
        ({"questions": [QUESTIONS["questions"][0] | {"chart": {"kind": "pie"}}]}, "pie"),
        ({"kpis": {"sql": "kpis.sql", "cards": [{"title": "x"}]}}, "title"),
    ],
    ids=["key", "file", "chart", "card"],
)
def test_what_the_report_asks_must_be_readable(shop, asked, said):
    shop.ask(asked)
    with pytest.raises(ReportError, match=said):
        written(shop)


def test_a_warehouse_that_was_not_prepared_for_it_says_what_to_do(shop):
    shop.warehouse.run("revoke usage on schema ops from reader")
    with pytest.raises(ReportError, match=r"administrator runs greenery bootstrap"):
        written(shop)


def test_a_reader_sees_counts_of_ops_and_none_of_its_tables(warehouse):
    found = dict(
        warehouse.run(
            "select relname, has_table_privilege('reader', oid, 'select') from pg_class"
            " where relnamespace = 'ops'::regnamespace and relkind in ('r', 'v')"
        )
    )
    may = sorted(name for name, is_readable in found.items() if is_readable)
    assert len(found) > 20
    assert may == [
        *("decision_history", "load_history", "node_history", "open_incident"),
        "publication_history",
        "quarantine_waiting",
    ]
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        warehouse.run("set role reader; select * from ops.quarantine")
