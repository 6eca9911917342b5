"""What `make run` prints at its end."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from devtools.local import run_report
from devtools.local.state_folder import Home

# nothing is there
HOME = Home(state=Path("/nowhere"))


def test_a_run_that_was_held_back_was_good_and_says_why_it_shows_nothing_new(warehouse, capsys):
    warehouse.run(
        "insert into marts.data_status (mart, last_run_id, last_run_outcome, last_run_at, reason)"
        " values ('dim_users', 'run 3', 'held back', now(), 'Not published. Pinned since then.')"
    )
    with contextlib.closing(warehouse.connect("analyst")) as connection:
        assert run_report.end_of_run(connection.cursor(), HOME, "run 3", "success", 12)
    assert capsys.readouterr().out == (
        "\nThe run was good (12.0 s). Not published. Pinned since then.\n"
    )


def shown(warehouse, capsys):
    warehouse.run(
        "insert into ops.publication"
        " (run_id, published_at, rows_inserted, rows_updated, rows_deleted, tables)"
        " values ('run 4', now(), 7, 0, 0, '{}')"
    )
    with contextlib.closing(warehouse.connect("analyst")) as connection:
        assert run_report.end_of_run(connection.cursor(), HOME, "run 4", "success", 12)
    return capsys.readouterr().out


def test_the_last_line_names_the_report(warehouse, capsys, tmp_path, monkeypatch):
    page = tmp_path / "report" / "index.html"
    page.parent.mkdir()
    page.touch()
    monkeypatch.setattr("tests.devtools.local.test_run_report.HOME", Home(state=tmp_path))
    assert f"The report: {page} " in shown(warehouse, capsys).splitlines()[-1]


@pytest.fixture
def kpis(warehouse):
    """Make `marts.fct_kpis` as a shop has it."""

    def make(definition):
        warehouse.run(
            f"drop table if exists marts.fct_kpis; create table marts.fct_kpis {definition}"
        )
        warehouse.run("grant select on marts.fct_kpis to analyst")

    yield make
    warehouse.run("drop table if exists marts.fct_kpis")


def test_a_shop_without_a_mart_of_metrics_ends_in_one_plain_sentence(warehouse, capsys):
    told = shown(warehouse, capsys)
    assert "7 rows inserted" in told
    assert told.endswith("There is no mart `fct_kpis`, so no metrics are shown here.\n")


@pytest.mark.parametrize(
    ("definition", "sentence"),
    [
        ("(metric text, value numeric)", "The mart `fct_kpis` has no rows"),
        ("(name text, value numeric)", "The mart `fct_kpis` has no column `metric`"),
        ("()", "There is no mart `fct_kpis`"),
    ],
    ids=["no rows", "other columns", "no columns"],
)
def test_metrics_that_cannot_be_shown_are_told_in_words(
    warehouse, kpis, capsys, definition, sentence
):
    kpis(definition)
    assert sentence in shown(warehouse, capsys)


@pytest.mark.parametrize(
    ("definition", "line"),
    [
        ("as select 'buyers' as metric, 12::bigint as value", "buyers 12"),
        ("as select 'best' as metric, 'fern'::text as value", "best fern"),
        ("as select null::text as metric, 'NaN'::numeric as value, null::text as unit", "nan"),
        (
            "as select 'rate' as metric, 0.5::numeric as value, 1 as numerator, 'two' as"
            " denominator, 'share' as unit, 'Words.' as description",
            "rate 0.5 share 1/two Words.",
        ),
    ],
    ids=["few columns", "a word", "nothing", "a word as denominator"],
)
def test_metrics_of_another_shape_are_shown_as_far_as_they_go(
    warehouse, kpis, capsys, definition, line
):
    kpis(definition)
    assert line in [" ".join(told.split()) for told in shown(warehouse, capsys).splitlines()]


def told_of(capsys, *instances: tuple[str, str, float]) -> list[str]:
    run_report.tasks(
        ({"task_id": task_id, "state": state, "duration": 1.0}, seconds)
        for task_id, state, seconds in instances
    )
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_what_a_failure_held_back_is_one_line_with_a_count(capsys):
    held_back = [(f"build.m{i}", "upstream_failed", 3.0) for i in range(49)]
    assert told_of(capsys, ("load_orders", "failed", 2.0), *held_back, ("end", "success", 4)) == [
        "2.0 s ✗ load_orders 1.0 s",
        "4.0 s ✓ end 1.0 s",
        "4.0 s - 49 tasks not done: something before failed",
    ]


def test_what_was_not_built_since_nothing_is_new_is_one_line_with_a_count(capsys):
    unchanged = [(f"build.m{i}", "skipped", 3.0) for i in range(49)]
    assert told_of(capsys, *unchanged, ("publish_marts", "skipped", 4)) == [
        "4.0 s - publish_marts skipped",
        "4.0 s - 49 tasks of dbt not done: nothing is new",
    ]
