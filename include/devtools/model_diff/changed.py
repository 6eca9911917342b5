"""Build and test what a change of the dbt project touches, and see how the marts come out."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from devtools.model_diff import base
from devtools.model_diff.dbt import Dbt
from devtools.model_diff.difference import Difference, compare
from devtools.model_diff.report import Outcome
from elt.errors import EltError
from elt.publishing.table_schema import BUILD, MARTS
from elt.transform.project import GOOD
from elt.warehouse import session
from elt.warehouse.rows import one_value


class BadSampleError(EltError):
    """The sample is no day and no days."""


def changed(
    project: Path, before: Path, against: str, folder: Path, sample: str | None = None
) -> Outcome:
    """Build what differs between two versions of the project, and what depends on it.

    What does not differ is read from the daily run's tables, marts as published. With a sample the
    old version is built as well, from the same days, because ``marts`` shows all of them.

    Args:
        before: the project's old version; ``against`` is its name in the report.
        folder: for what dbt writes.
        sample: a day, or two with a slash between, the second included: 2021-02-10/2021-02-12.

    Raises:
        BadSampleError: if the sample is not such.
        DbtFailedError: if dbt can't read one of the versions.
        psycopg2.OperationalError: if the warehouse does not answer.
    """
    days = sample_arguments(sample) if sample else []
    with contextlib.closing(_connect()) as connection, _schemas_of_its_own(connection) as name:
        old = Dbt(before, folder / "before", f"{name}_before")
        old("parse")
        known = base.point_to_the_daily_run(old.manifest)["nodes"]
        state = ("--defer", "--favor-state", "--state", str(folder / "before"))
        everything = base.variables(project) != base.variables(before)
        new = Dbt(project, folder / "after", name)
        select = ("--select", "*" if everything else "state:modified+", *state)
        # Not `build`: a failed test would leave out what comes after. And no snapshot: its history
        # is not to be had again, so that of the daily run is read.
        new("run", *select, *days)
        results = new.results()
        new("test", *select)
        results |= new.results()
        nodes = new.nodes()
        marts = {
            nodes[unique_id]["alias"]: nodes[unique_id]
            for unique_id, result in results.items()
            if result["status"] == "success"
            and nodes.get(unique_id, {})["config"]["schema"] == BUILD
        }
        if days and (again := [n["name"] for i, n in nodes.items() if i in results and i in known]):
            old_nodes = Dbt(before, folder / "sampled", old.name)
            old_nodes("run", "--select", *again, *state, *days)
        differences = _compare(connection, name, marts, old.name if days else None)
        notes = _notes(connection, sample, everything)
    return Outcome(
        against,
        built=[i for i in results if i.startswith("model.") and results[i]["status"] == "success"],
        tested=sum(i.startswith(("test.", "unit_test.")) for i in results),
        failed={
            _name(unique_id): _reason(result)
            for unique_id, result in results.items()
            if result["status"] not in (*GOOD, "skipped")
        },
        skipped=sorted(_name(i) for i, r in results.items() if r["status"] == "skipped"),
        differences=differences,
        notes=notes if results else (),
    )


def sample_arguments(sample: str) -> list[str]:
    """Return what tells dbt to read only some days (of models that have an ``event_time``).

    Raises:
        BadSampleError: if it is no day and no days.
    """
    first, _, last = sample.partition("/")
    try:
        end = date.fromisoformat(last or first) + timedelta(days=1)
        start = date.fromisoformat(first)
    except ValueError:
        start = end = date.min
    if not start < end:
        raise BadSampleError(
            f"SAMPLE={sample} is no day and no days. Write SAMPLE=2021-02-10, or "
            "SAMPLE=2021-02-10/2021-02-12 for three of them."
        )
    return ["--sample", f"{{start: '{start}', end: '{end}'}}"]


def _compare(
    connection: Connection, name: str, marts: Mapping[str, Any], sampled: str | None
) -> dict[str, Difference]:
    before = f"dev_{sampled}_{BUILD}" if sampled else MARTS
    with connection, connection.cursor() as cursor:
        return {
            mart: compare(cursor, (before, mart), (f"dev_{name}_{BUILD}", mart), _key(node))
            for mart, node in marts.items()
        }


def _key(node: Mapping[str, Any]) -> list[str]:
    keys = [c["columns"] for c in node["constraints"] if c["type"] == "primary_key"]
    return keys[0] if keys else []


def _notes(connection: Connection, sample: str | None, everything: bool) -> list[str]:
    notes = []
    if everything:
        notes.append("A variable of the project has changed, so every model was built.")
    if sample:
        notes.append(f"Both versions were built from the sample {sample} alone.")
        return notes
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from ops.load where status = 'loaded' and load_id > coalesce("
            "(select horizon_load_id from ops.publication order by publication_id desc limit 1), 0)"
        )
        files = one_value(cursor, int)
    if files:
        notes.append(
            f"Files loaded since the last publication: {files}. What they bring shows here as well."
        )
    return notes


def _name(unique_id: str) -> str:
    # unit_test.<project>.<model>.<name>, test.<project>.<name>.<hash>, model.<project>.<name>
    return unique_id.split(".")[3 if unique_id.startswith("unit_test.") else 2]


def _reason(result: Mapping[str, Any]) -> str:
    if result["failures"]:
        return f"{result['failures']:,} rows"
    # what dbt says of a broken unit test or statement may run over pages
    return re.sub(r"\s+", " ", result["message"] or result["status"]).strip()[:300]


def _connect() -> Connection:
    return session.connect(
        host=os.environ.get("GREENERY_DBT_HOST", "127.0.0.1"),
        port=os.environ.get("GREENERY_DBT_PORT", "5432"),
        user=os.environ.get("GREENERY_DBT_USER", "analyst"),
        password=os.environ.get("GREENERY_DBT_PASSWORD", ""),
        dbname=os.environ.get("GREENERY_DBT_DATABASE", "greenery"),
    )


@contextlib.contextmanager
def _schemas_of_its_own(connection: Connection) -> Iterator[str]:
    """Yield an analyst's name that nobody has; its schemas go in the end."""
    name = f"ci_{secrets.token_hex(4)}"
    try:
        yield name
    finally:
        connection.rollback()
        with connection, connection.cursor() as cursor:
            cursor.execute(
                "select nspname from pg_namespace where starts_with(nspname, %s)", (f"dev_{name}",)
            )
            for (schema,) in cursor.fetchall():
                cursor.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(schema)))
