"""What the local commands print about a run."""

from __future__ import annotations

from typing import Any

from psycopg2.extensions import cursor as Cursor

from include.local.home import Home

MARKS = {"success": "✓", "failed": "✗", "upstream_failed": "-", "skipped": "-"}
WORDS = {"upstream_failed": "not done: something before it failed", "skipped": "skipped"}


def task(instance: dict[str, Any], seconds: float) -> None:
    """Print a line for a task that has ended. ``seconds`` is the time since the run began."""
    state = instance["state"]
    mark = MARKS.get(state, "?")
    note = WORDS.get(state) or f"{instance['duration'] or 0:.1f} s"
    print(f"{seconds:6.1f} s  {mark} {instance['task_id']:<60} {note}", flush=True)


def end_of_run(
    cursor: Cursor, home: Home, run_id: str, state: str, seconds: float, page: str | None = None
) -> bool:
    """Print how a run ended and what to do next. Return whether it succeeded.

    It may do so without publishing, while an operator has an older publication pinned. ``page`` is
    the address of the fake Slack, if that was told.
    """
    cursor.execute("select to_regclass('ops.publication') is not null")
    publication = None
    if cursor.fetchone()[0]:
        cursor.execute(
            "select rows_inserted, rows_updated, rows_deleted from ops.publication "
            "where run_id = %s order by publication_id desc limit 1",
            (run_id,),
        )
        publication = cursor.fetchone()
    if state == "success" and publication:
        _success(cursor, publication, seconds)
        return True
    if state == "success":
        cursor.execute(
            "select max(reason) from marts.data_status where last_run_id = %s", (run_id,)
        )
        print(f"\nThe run was good ({seconds:.1f} s). {cursor.fetchone()[0]}")
        return True
    _failure(cursor, home, run_id, seconds, page)
    return False


def _success(cursor: Cursor, publication: tuple[int, int, int], seconds: float) -> None:
    inserted, updated, deleted = publication
    cursor.execute(
        "select min(data_as_of), count(*) from marts.data_status "
        "where last_run_outcome = 'published'"
    )
    as_of, marts = cursor.fetchone()
    age = f"Data as of {as_of:%d %b %Y %H:%M} UTC" if as_of else "No data was loaded yet"
    print(
        f"\nPublished {marts} marts in {seconds:.1f} s: {inserted:,} rows inserted, "
        f"{updated:,} updated, {deleted:,} deleted. {age}.\n"
    )
    cursor.execute(
        "select metric, value, numerator, denominator, unit, description from marts.fct_kpis "
        "order by metric"
    )
    for metric, value, numerator, denominator, unit, description in cursor:
        shown = "-" if value is None else f"{float(value):,.4f}".rstrip("0").rstrip(".")
        parts = (
            "" if denominator is None else f"{float(numerator):,.10g}/{float(denominator):,.10g}"
        )
        print(f"  {metric:<36} {shown:>12} {unit:<15} {parts:>22}   {description}")
    print(
        "\nWhere to look next:\n"
        "  make psql            ask the marts: select * from marts.fct_product_funnel;\n"
        "  make up              Airflow's UI, with this run in it\n"
        '  make dbt ARGS="build -s fct_kpis"   build into your own schemas'
    )


def _failure(cursor: Cursor, home: Home, run_id: str, seconds: float, page: str | None) -> None:
    print(f"\nThe run failed after {seconds:.1f} s. Nothing was published.\n")
    cursor.execute("select to_regclass('ops.task_failure') is not null")
    if cursor.fetchone()[0]:
        cursor.execute(
            "select distinct on (task_id) task_id, message from ops.task_failure "
            "where run_id = %s order by task_id, try_number desc",
            (run_id,),
        )
        for task_id, message in cursor:
            print(f"✗ {task_id}\n    " + message.replace("\n", "\n    "))
        cursor.execute(
            "select distinct state, channel, error from ops.notification "
            "where run_id = %s and parent_key is null",
            (run_id,),
        )
        for state, channel, error in cursor:
            where = f" in {channel}" if channel else ""
            where += f", see http://{page}" if page else ""
            print(f"\nSlack was told{where}." if state == "sent" else f"\nSlack: {error}")
    print(
        f"\nLogs: {home.logs}/dag_id=greenery_elt/run_id={run_id}\n"
        "Mend the cause and `make run` again. `make up` shows the run in Airflow's UI."
    )
