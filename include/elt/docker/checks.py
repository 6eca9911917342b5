"""What is checked of an installation, each by a command of its own.

``… elt.docker.checks project``, while the image is built: dbt can read its project; the image has
its manifest then. ``… dags``, at the start: Airflow can read the DAG files. It shows what is broken
in the UI alone, and who starts the containers looks at their first lines. ``… beat SchedulerJob``,
all the time: a component of Airflow is alive. That asks Airflow's database, as Airflow does.
Importing Airflow for it would cost seconds of CPU at every check; and asking the API server would
call everything ill when only that is.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable

from elt.docker import environment
from elt.warehouse import session
from elt.warehouse.rows import one_value

DAGS = "/opt/airflow/dags"
# Airflow's own limit is 30 s; a scheduler that warms up or waits for a lock may beat a little late
LIMIT_SECONDS = 60
LAST_BEAT = """
    select extract(epoch from clock_timestamp() - max(latest_heartbeat))
    from public.job where job_type = %s and hostname = %s and state = 'running'
"""


def check_project() -> str | None:
    """Make dbt's manifest, and return None, or what dbt says of a project that it can't read."""
    # parsing asks no database, but what is parsed depends on where it is
    os.environ["AIRFLOW_CONN_GREENERY_WAREHOUSE"] = environment.warehouse("unknown-at-build")
    from elt.airflow.dbt_tasks import manifest_path
    from elt.transform.project import BrokenProjectError

    try:
        print(manifest_path())
    except BrokenProjectError as error:
        return f"\n{error}\n"
    return None


def check_dags() -> int:
    """Read the DAG files as the DAG processor will, print what is broken and return how much."""
    # what Airflow says of it is longer
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "CRITICAL"
    from airflow.dag_processing.dagbag import DagBag

    errors = DagBag(os.environ.get("AIRFLOW__CORE__DAGS_FOLDER", DAGS)).import_errors
    for file, stack_trace in errors.items():
        print(
            f"\n{file} can't be read, so its DAG does not run:\n\n{gist(stack_trace)}\n\n"
            "Mend the file on the host; nothing need be started again.\n",
            file=sys.stderr,
        )
    return len(errors)


def gist(stack_trace: str) -> str:
    """Return what a person needs of a stack trace: dbt's own words, or the last place and error."""
    _, broken_project, words = stack_trace.rpartition("BrokenProjectError: ")
    if broken_project:
        return words.strip()
    _, place, error = stack_trace.rpartition('  File "')
    return (place + error).strip()


def check_beat(job_type: str) -> str | None:
    """Return None if an Airflow component of a kind is alive, else what is wrong."""
    password = environment.read_secret("metadata_password")
    connection = session.connect(
        host="metadata", dbname="airflow", user="airflow", password=password, timeout_seconds=5
    )
    with connection.cursor() as cursor:
        # of this container: another one of its kind may be well
        cursor.execute(LAST_BEAT, (job_type, socket.gethostname()))
        age = one_value(cursor)
    connection.close()
    if age is None:
        return f"no {job_type} is running"
    return None if age < LIMIT_SECONDS else f"the last beat of {job_type} was {age:.0f} s ago"


CHECKS: dict[str, Callable[..., str | int | None]] = {
    "project": check_project,
    "dags": check_dags,
    "beat": check_beat,
}

if __name__ == "__main__":
    sys.exit(CHECKS[sys.argv[1]](*sys.argv[2:]))
