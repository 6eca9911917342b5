"""
### Let runs publish again after a rollback

**What** Ends the pin that `rollback` has set. Nothing is shown by it: the next good run of
`greenery_elt` publishes what it builds.

**When** When somebody triggers it.

**Rerun** Does no harm: if nothing is pinned, it says so.

**Who hears** A failed run sends one message to the connection `greenery_slack`.
"""

import pendulum
from airflow.sdk import Param, dag

from include.alert.callback import tell_of_failed_run
from include.operate.tasks import release_marts
from include.run_tasks import TASK_DEFAULTS


@dag(
    schedule=None,
    start_date=pendulum.datetime(2021, 2, 10, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    on_failure_callback=tell_of_failed_run,
    default_args=TASK_DEFAULTS,
    params={"by": Param("", type="string", description="Who decides this.")},
    doc_md=__doc__,
    tags=["greenery"],
)
def release():
    release_marts()


release()
