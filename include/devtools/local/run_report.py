"""What the local commands print about a run."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from devtools.local.state_folder import Home
from elt.alerting.messages.phrases import count, listed
from elt.cli.terminal import print_table
from elt.shop import SHOP
from elt.transform.project import TASK_GROUP
from elt.warehouse.rows import first_row, one_row, one_value, rows_as

MARKS = {"success": "✓", "failed": "✗", "skipped": "-"}
WORDS = {"skipped": "skipped"}
# where the shop's metrics are, and what can be shown of them
KPI_COLUMNS = ("metric", "value", "numerator", "denominator", "unit", "description")


def tasks(instances: Iterable[tuple[dict[str, Any], float]]) -> None:
    """Print a line for each task as it ends, and one for all that were not done.

    Args:
        instances: task instances that have ended, each with the seconds since the run began.
    """
    held_back, unchanged, seconds = 0, 0, 0.0
    for instance, seconds in instances:
        state = instance["state"]
        if state == "upstream_failed":
            held_back += 1
            continue
        if state == "skipped" and instance["task_id"].startswith(f"{TASK_GROUP}."):
            unchanged += 1
            continue
        note = WORDS.get(state) or f"{instance['duration'] or 0:.1f} s"
        mark = MARKS.get(state, "?")
        print(f"{seconds:6.1f} s  {mark} {instance['task_id']:<60} {note}", flush=True)
    if held_back:
        print(f"{seconds:6.1f} s  - {count(held_back, 'task')} not done: something before failed")
    if unchanged:
        print(f"{seconds:6.1f} s  - {count(unchanged, 'task')} of dbt not done: nothing is new")


def end_of_run(
    cursor: Cursor, home: Home, run_id: str, state: str, seconds: float, page: str | None = None
) -> bool:
    """Print how a run ended and what to do next. Return whether it succeeded.

    It may do so without publishing, while an operator has an older publication pinned. ``page`` is
    the address of the fake Slack, if that was told.
    """
    cursor.execute("select to_regclass('ops.publication') is not null")
    publication = None
    if one_value(cursor):
        cursor.execute(
            "select rows_inserted, rows_updated, rows_deleted from ops.publication "
            "where run_id = %s order by publication_id desc limit 1",
            (run_id,),
        )
        publication = first_row(cursor, SimpleNamespace)
    if state == "success" and publication:
        _success(cursor, publication, seconds)
        _report(home)
        return True
    if state == "success":
        cursor.execute(
            "select max(reason) from marts.data_status where last_run_id = %s", (run_id,)
        )
        print(f"\nThe run was good ({seconds:.1f} s). {one_value(cursor)}")
        _report(home)
        return True
    _failure(cursor, home, run_id, seconds, page)
    return False


def _success(cursor: Cursor, publication: SimpleNamespace, seconds: float) -> None:
    cursor.execute(
        "select min(data_as_of) as data_as_of, count(*) as marts, min(mart) as first_mart "
        "from marts.data_status where last_run_outcome = 'published'"
    )
    shown = one_row(cursor, SimpleNamespace)
    as_of = shown.data_as_of
    age = f"Data as of {as_of:%d %b %Y %H:%M} UTC" if as_of else "No data was loaded yet"
    print(
        f"\nPublished {shown.marts} marts in {seconds:.1f} s: "
        f"{publication.rows_inserted:,} rows inserted, {publication.rows_updated:,} updated, "
        f"{publication.rows_deleted:,} deleted. {age}.\n"
    )
    _kpis(cursor)
    if mart := shown.first_mart:
        print(
            "\nWhere to look next:\n"
            f"  make psql            ask the marts: select * from marts.{mart} limit 10;\n"
            "  make up              Airflow's UI, with this run and its report in it\n"
            f'  make dbt ARGS="build -s {mart}"   build into your own schemas'
        )


def _report(home: Home) -> None:
    page = home.report / "index.html"
    if page.exists():
        print(f"\nThe report: {page}   (`make report OPEN=1` opens it)")


def _kpis(cursor: Cursor) -> None:
    """Print the shop's metrics, or say why there are none to print: a shop may do without."""
    if SHOP.kpis is None:
        return
    cursor.execute(
        "select attname from pg_attribute "
        "where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped",
        (f"marts.{SHOP.kpis}",),
    )
    present = {name for (name,) in cursor}
    if not present:
        print(f"There is no mart `{SHOP.kpis}`, so no metrics are shown here.")
        return
    if missing := [f"`{name}`" for name in KPI_COLUMNS[:2] if name not in present]:
        print(
            f"The mart `{SHOP.kpis}` has no column {listed(missing)}, so no metrics are shown here."
        )
        return
    columns = ", ".join(name if name in present else f"null as {name}" for name in KPI_COLUMNS)
    cursor.execute(
        sql.SQL("select {} from {} order by metric").format(
            sql.SQL(columns), sql.Identifier("marts", SHOP.kpis)
        )
    )
    metrics = rows_as(cursor, SimpleNamespace)
    if not metrics:
        print(f"The mart `{SHOP.kpis}` has no rows, so no metrics are shown here.")
        return
    print_table(
        ("metric", "value", "unit", "of", "what it is"),
        [(one.metric, _value(one), one.unit, _parts(one), one.description) for one in metrics],
        numbers=["value", "of"],
    )


def _value(metric: SimpleNamespace) -> str:
    shown = _number(metric.value, ",.4f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _parts(metric: SimpleNamespace) -> str:
    if metric.denominator is None:
        return ""
    return f"{_number(metric.numerator)}/{_number(metric.denominator)}"


def _number(value: Any, form: str = ",.10g") -> str:
    """Return a number in short; what is none as it is, nothing as a dash."""
    if value is None:
        return "-"
    try:
        return format(float(value), form)
    except (TypeError, ValueError):
        return str(value)


def _failure(cursor: Cursor, home: Home, run_id: str, seconds: float, page: str | None) -> None:
    print(f"\nThe run failed after {seconds:.1f} s. Nothing was published.\n")
    cursor.execute("select to_regclass('ops.task_failure') is not null")
    if one_value(cursor):
        cursor.execute(
            "select distinct on (task_id) task_id, message from ops.task_failure "
            "where run_id = %s order by task_id, try_number desc",
            (run_id,),
        )
        for failed in rows_as(cursor, dict[str, str]):
            print(f"✗ {failed['task_id']}\n    " + failed["message"].replace("\n", "\n    "))
        cursor.execute(
            "select distinct channel from ops.notification "
            "where run_id = %s and parent_key is null and state = 'sent'",
            (run_id,),
        )
        for (channel,) in cursor:
            where = f" in {channel}" if channel else ""
            where += f", see http://{page}" if page else ""
            print(f"\nSlack was told{where}.")
    _report(home)
    print(
        f"\nLogs: {home.logs}/dag_id={SHOP.dag_id}/run_id={run_id}\n"
        "Mend the cause and `make run` again. `make up` shows the run in Airflow's UI."
    )
