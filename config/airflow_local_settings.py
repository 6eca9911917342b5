"""Airflow reads this file at start-up.

The LocalExecutor forks the scheduler for every task. What is imported here, once, is what each task
of dbt need not import again: about 5 CPU seconds a task.
"""

import contextlib
import sys

if "scheduler" in sys.argv[1:2]:
    import airflow.sdk  # noqa: F401

    # the scheduler also runs where dbt is not installed, with another executor
    with contextlib.suppress(ImportError):
        import dbt.adapters.postgres
        import dbt.cli.main  # noqa: F401
