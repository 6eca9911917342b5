"""
### Who was not told yet?

**What** Compares what Airflow says of the daily runs with what people were told, and tells the
rest; sends what Slack did not take before; says when a run or a publication is late, and when the
logs of tasks can't be written to their bucket; makes one digest of warnings a day, and one message
of the day's numbers where a place is named for it.

**When** Every five minutes. Callbacks of Airflow get lost, above all when a process is killed; this
does not depend on them, nor on the warehouse.

**Rerun** As often as one likes: what was told is not told again.

**Who hears** The connections `greenery_slack`, `greenery_mail` and `greenery_webhook`. Without any
of them nothing is done.
"""

import pendulum
from airflow.sdk import dag, get_current_context, task
from airflow.timetables.interval import CronDataIntervalTimetable

from elt.airflow.alerts import reconcile_runs
from elt.shop import SHOP


@dag(
    schedule=CronDataIntervalTimetable("*/5 * * * *", timezone="UTC"),
    start_date=pendulum.datetime(2021, 2, 10, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={
        "owner": "data-platform",
        "retries": 1,
        "retry_delay": pendulum.duration(seconds=30),
        "retry_exponential_backoff": True,
        "execution_timeout": pendulum.duration(minutes=5),
    },
    doc_md=__doc__,
    tags=[SHOP.title.lower()],
)
def greenery_alerts():
    @task
    def tell() -> list[str]:
        """Return the ids of the runs that were told."""
        return reconcile_runs(get_current_context())

    tell()


greenery_alerts()
