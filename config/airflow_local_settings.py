"""Airflow reads this file at start-up.

The LocalExecutor forks the scheduler for every task. What the scheduler has imported and parsed by
then, no task of dbt need do again: that is about 5 CPU seconds a task.

Airflow's components, and dbt within its tasks, connect to Postgres by themselves: whoever started
them has variables of libpq that would change what they read.
"""

import sys

from include.warehouse.session import drop_libpq_variables

drop_libpq_variables()

if "scheduler" in sys.argv[1:2]:
    from include.transform.warm_up import warm_up

    warm_up()
