"""
### Try rows in quarantine again

**What** Loads the rows of `ops.quarantine` that fit by now into `raw`: after their contract was
mended, or their `row_text` by SQL. A row goes in once, and never over a newer one. What is still
bad goes on waiting, with its new reason. The next daily run builds and publishes what came in.

**When** When somebody triggers it. It waits for no run: while one is at work it says so and fails.

**Rerun** Does no harm: what was loaded is not tried again.

**Who hears** A failed run sends one message to the connection `greenery_slack`.
"""

import pendulum
from airflow.sdk import Param, dag

from include.alert.callback import tell_of_failed_run
from include.extract.task import declared_tables
from include.run_tasks import TASK_DEFAULTS, replay_rows


@dag(
    schedule=None,
    start_date=pendulum.datetime(2021, 2, 10, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    on_failure_callback=tell_of_failed_run,
    default_args=TASK_DEFAULTS,
    params={
        "table": Param(
            "",
            type="string",
            enum=["", *declared_tables()],
            description="The table whose rows are tried again; empty for all of them.",
        )
    },
    doc_md=__doc__,
    tags=["greenery"],
)
def replay_quarantine():
    replay_rows()


replay_quarantine()
