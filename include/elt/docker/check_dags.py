"""Read the DAG files as the DAG processor will, and say in a few lines what is broken.

Airflow shows that in the UI alone; who starts the containers looks at their first lines.
"""

from __future__ import annotations

import os
import sys

DAGS = "/opt/airflow/dags"


def main() -> int:
    """Print what is broken, and return how many files are."""
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


if __name__ == "__main__":
    main()
