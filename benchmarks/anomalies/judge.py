"""What the tests of usual numbers say of any table, by the SQL that dbt compiles of them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any
from unittest import mock

import yaml
from dbt.cli.main import dbtRunner

from elt.transform.project import PROJECT

TABLE = "staging.judged"
# as reason enough to be one table: a day, a name, and how much
MAKE_TABLE = (
    f"create table {TABLE} (day date, name text, value double precision, moment timestamptz);"
    f" grant select on {TABLE} to public"
)


def compile_tests(
    folder: Path,
    server: Mapping[str, Any],
    tests: Mapping[str, Mapping[str, Any]],
    *,
    days: tuple[date, date] | None = None,
    special_days: Mapping[date, str] | None = None,
    timezone: str = "UTC",
) -> dict[str, str]:
    """Return the SQL of generic tests of ``TABLE``, as dbt compiles it in a project of their own.

    Args:
        folder: for the project; it is made anew.
        server: host, port, user, password and dbname; the table must be there if no days are told.
        tests: by name, each as it would stand in YAML: ``{generic test: its settings}``.
        days: the first and the last one to judge; None: as the daily run would choose them.
        special_days: the variable of that name.
        timezone: the variable business_timezone.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("macros", "tests/generic"):
        shutil.copytree(PROJECT / part, folder / part)
    models = folder / "models"
    models.mkdir()
    (models / "judged.sql").write_text(f"select * from {TABLE}\n")
    variables = {
        "business_timezone": timezone,
        "special_days": {day.isoformat(): name for day, name in (special_days or {}).items()},
        "judged_days": [day.isoformat() for day in days] if days else None,
        "order_statuses": {},
        "earliest_instant": "2010-01-01 00:00:00+00",
    }
    project = {"name": "judge", "version": "1.0.0", "profile": "judge", "vars": variables}
    project["flags"] = {"send_anonymous_usage_stats": False}
    (folder / "dbt_project.yml").write_text(yaml.safe_dump(project))
    output = {"type": "postgres", "schema": "staging", "threads": 1, **server}
    profile = {"judge": {"target": "dev", "outputs": {"dev": output}}}
    (folder / "profiles.yml").write_text(yaml.safe_dump(profile))
    declared = []
    for name, test in tests.items():
        ((kind, settings),) = test.items()
        settings = dict(settings)
        column = settings.pop("column", None)
        declared.append({column: {kind: {"name": name, **settings}}})
    (models / "judged.yml").write_text(yaml.safe_dump(_model(declared)))
    folders = ["--project-dir", str(folder), "--profiles-dir", str(folder)]
    with mock.patch.dict(os.environ, {"DO_NOT_TRACK": "1"}):
        done = dbtRunner().invoke(["--quiet", "compile", "--threads", "1", *folders])
    if done.exception:
        raise done.exception
    compiled = {result.node.name: result.node.compiled_code for result in done.result}
    failed = [result.message for result in done.result if result.status == "error"]
    if failed:
        raise RuntimeError("; ".join(map(str, failed)))
    return {name: compiled[name] for name in tests}


def _model(declared: list[dict[str | None, Any]]) -> dict[str, Any]:
    columns: dict[str, list[Any]] = {}
    of_model = []
    for one in declared:
        ((column, test),) = one.items()
        if column is None:
            of_model.append(test)
        else:
            columns.setdefault(column, []).append(test)
    model = {
        "name": "judged",
        "data_tests": of_model,
        "columns": [{"name": name, "data_tests": told} for name, told in columns.items()],
    }
    return {"version": 2, "models": [model]}
