"""Airflow reads this file at start-up.

The LocalExecutor forks the scheduler for every task. What the scheduler has imported and parsed by
then, no task of dbt need do again: that is about 5 CPU seconds a task.
"""

import sys

if "scheduler" in sys.argv[1:2]:
    from include.transform.warm_up import warm_up

    warm_up()
