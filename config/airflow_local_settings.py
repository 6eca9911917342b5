"""Airflow reads this file at start-up.

The LocalExecutor forks the scheduler for every task. What the scheduler has imported and parsed by
then, no task of dbt need do again: that is about 5 CPU seconds a task. The DAG processor forks
itself for every reading of a file in dags/, every 30 seconds. Who starts them asks for it by
GREENERY_WARM_UP; any other command of Airflow's would only take longer.

Airflow's components, and dbt within its tasks, connect to Postgres by themselves: whoever started
them has variables of libpq that would change what they read.
"""

import os

from elt.warehouse.session import drop_libpq_variables

drop_libpq_variables()

# taken away: a task that is no fork of the scheduler (on macOS) would do it for itself alone
if forks := os.environ.pop("GREENERY_WARM_UP", ""):
    from elt.airflow import warm_up

    {"dags": warm_up.warm_up_for_dags, "tasks": warm_up.warm_up_for_tasks}[forks]()
