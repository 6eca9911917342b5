"""A process that reads the DAG and does tasks in forks of itself, as the scheduler has it.

Its environment says which shop. Each line that it reads is a task's id, or empty for the DAG alone;
each that it writes has the seconds of the clock and of CPU, as JSON.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

from airflow.dag_processing.dagbag import DagBag

RUN_ID = "a run"


def read(file: Path, dag_id: str, task_id: str) -> Any:
    """Read a DAG's file as the process of a task does; without a task, as the DAG processor."""
    # by what Airflow sets them for `get_parsing_context()`
    os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = dag_id if task_id else ""
    os.environ["_AIRFLOW_PARSING_CONTEXT_TASK_ID"] = task_id
    bag = DagBag(file)
    if bag.import_errors:
        raise SystemExit(f"{bag.import_errors}")
    return bag.dags[dag_id]


def do(file: Path, dag_id: str, task_id: str) -> None:
    """Do what the process of a task does of its own: read the DAG, then the task."""
    task = read(file, dag_id, task_id).get_task(task_id)
    ti = SimpleNamespace(run_id=RUN_ID, task_id=task_id, try_number=1, xcom_push=lambda **_: None)
    # stock Cosmos announces each model as an asset; here nobody listens
    events: dict[object, Mock] = defaultdict(Mock)
    context = {"ti": ti, "task_instance": ti, "run_id": RUN_ID, "task": task}
    task.execute({**context, "outlet_events": events})


def in_fork(act: Callable[[], Any]) -> dict[str, float]:
    """Return the seconds that something takes in a fork of this process, with its children's."""
    begun = time.monotonic()
    child = os.fork()
    if not child:
        try:
            act()
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit("failed")
    return {"wall": time.monotonic() - begun, "cpu": used.ru_utime + used.ru_stime}


def main() -> None:
    file, dag_id = Path(sys.argv[1]), sys.argv[2]
    # what tasks say is nobody's concern here, and stdout is for the answers
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    logging.disable(logging.CRITICAL)
    if dag_id != "stock":
        from elt.airflow.warm_up import warm_up_for_tasks

        warm_up_for_tasks()
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        task_id = line.strip()
        act = do if task_id.partition(" ")[0] == "do" else read
        task_id = task_id.removeprefix("do").strip()
        done = in_fork(lambda act=act, task_id=task_id: act(file, dag_id, task_id))
        print(json.dumps(done), file=answers, flush=True)


if __name__ == "__main__":
    main()
