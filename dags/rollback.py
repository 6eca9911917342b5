"""
### Show the publication before the last one again

**What** Undoes the last publication that changed anything, in one transaction, and *pins* what is
shown then: runs go on building and testing, and publish nothing, until somebody triggers `release`.
`marts.data_status` says so of each mart. One step back is kept.

**When** When somebody triggers it and sets `confirm`. It does not wait for a run that is at work.

**Rerun** Does no harm: what is done is not done again.

**Who hears** A failed run sends one message to the connection `greenery_slack`.
"""

import pendulum
from airflow.sdk import Param, dag

from include.alert.callback import tell_of_failed_run
from include.operate.tasks import roll_back_marts
from include.run_tasks import TASK_DEFAULTS


@dag(
    schedule=None,
    start_date=pendulum.datetime(2021, 2, 10, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    on_failure_callback=tell_of_failed_run,
    default_args=TASK_DEFAULTS,
    params={
        "confirm": Param(
            False, type="boolean", description="Yes, readers are to see the older publication."
        ),
        "reason": Param("", type="string", description="Why, for everybody to read."),
        "by": Param("", type="string", description="Who decides this; empty: who triggers it."),
    },
    doc_md=__doc__,
    tags=["greenery"],
)
def rollback():
    roll_back_marts()


rollback()
