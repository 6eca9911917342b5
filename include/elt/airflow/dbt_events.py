"""What dbt says while a task is at work: its words in the task's log, and each node's result.

dbt offers its events to a callback, and Cosmos passes it on. So dbt writes nothing for it:

- no log of its own. What a database error quotes of a row, ``invalid input syntax for type integer:
  "…"``, may be a name, and a log in a file would go with the task's folder.
- no file for other programs. Nearly all of these is the complete manifest, which each command
  writes twice; no flag leaves out that alone. Cosmos puts the small manifest that is kept beside
  the parse in its place; where it found no parse it still wants one afterwards.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow.sdk import Context

from elt.alerting.record_results import node_result, record_dbt_results
from elt.alerting.redact import without_rows
from elt.transform.project import newest_manifest

log = logging.getLogger(__name__)

NO_LOG = ("--log-level", "none", "--log-level-file", "none")
NO_FILES = ("--no-write-json",)

# what comes for debugging is in no list: a hundred of it with each node
_LEVELS = {"info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


@dataclass(frozen=True)
class _Finished:
    result: dict[str, Any]
    file_name: str


# of the last command of this process: a task has one of its own
_finished: dict[str, _Finished] = {}


def keep_manifest(event: Any) -> None:
    """Put the small manifest where Cosmos copies it from, unless it has done so itself.

    dbt calls this with each of its events (``EventMsg``); the first of a command will do. Cosmos
    runs dbt in the folder of the task.
    """
    target = Path.cwd() / "target"
    if event.info.name != "MainReportVersion" or (target / "manifest.json").exists():
        return
    if manifest := newest_manifest():
        target.mkdir(exist_ok=True)
        shutil.copyfile(manifest, target / "manifest.json")


def log_event(event: Any) -> None:
    """Log what dbt has to say. dbt calls this with each of its events (``EventMsg``)."""
    level = _LEVELS.get(event.info.level)
    if level and event.info.msg.strip():
        log.log(level, "%s", without_rows(event.info.msg))


def collect_result(event: Any) -> None:
    """Keep the result of a node. dbt calls this with each of its events (``EventMsg``)."""
    name = event.info.name
    if name == "MainReportVersion":
        # a command begins
        _finished.clear()
    elif name == "NodeFinished":
        said, node = event.data.run_result, event.data.node_info
        status = said.status
        result = {
            "unique_id": node.unique_id,
            "status": status,
            # an event has a zero for what was not counted
            "failures": said.num_failures if status in ("pass", "warn", "fail") else None,
            "message": said.message or None,
            "execution_time": said.execution_time,
        }
        _finished[node.unique_id] = _Finished(result, Path(node.node_path).name)
    elif name == "SkippingDetails":
        node = event.data.node_info
        result = {"unique_id": node.unique_id, "status": "skipped"}
        _finished[node.unique_id] = _Finished(result, Path(node.node_path).name)


def record_collected(project_dir: str | Path, context: Context, **_: Any) -> None:
    """Keep what was collected in ``ops.node_result`` (Cosmos calls this after dbt).

    Raises:
        AirflowFailException: if something failed that trying again does not mend.
        WarehouseUnreachableError: if good results can't be kept.
    """
    compiled = Path(project_dir) / "target" / "compiled"
    results = [
        node_result({**done.result, "compiled_code": _compiled_code(compiled, done.file_name)})
        for done in _finished.values()
    ]
    record_dbt_results(project_dir, context, results)


def _compiled_code(compiled: Path, file_name: str) -> str | None:
    """Return the SQL of a node as dbt left it in its target folder."""
    found = next(compiled.rglob(file_name), None) if file_name.endswith(".sql") else None
    return found.read_text(encoding="utf-8") if found and found.is_file() else None
