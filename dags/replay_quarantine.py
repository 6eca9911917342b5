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

from include.alert.callback import tell_slack
from include.alert.collect import record_task_failure
from include.extract.task import declared_tables
from include.run_tasks import replay_rows


@dag(
    schedule=None,
    start_date=pendulum.datetime(2021, 2, 10, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    on_failure_callback=tell_slack,
    default_args={
        "owner": "data-platform",
        "retries": 2,
        "retry_delay": pendulum.duration(seconds=20),
        "retry_exponential_backoff": True,
        "max_retry_delay": pendulum.duration(minutes=5),
        "execution_timeout": pendulum.duration(minutes=30),
        "on_failure_callback": record_task_failure,
    },
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
