"""
### Test everything that is built, and verify what is published

**What** Runs every test of the dbt project on all rows, and compares every mart that readers see
with the build it was published from. The daily run tests what came since the last publication,
because what was there before has passed. What that can't see is found here: rows that were changed
behind the loader's back, a test that was rewritten under its old name, a mart that something other
than a publication has changed. Builds and publishes nothing.

**When** Every Sunday at 12:07 UTC, and when somebody triggers it. While the daily run is at work it
waits, up to an hour; the daily run in turn can't begin before it ends.

**Rerun** As often as one likes. What fails is tested whole by the next daily run, which does not
publish until it is mended. A mart that was changed is built anew and put right by the next run.

**Who hears** What fails is one message in Slack (connection `greenery_slack`).
"""

import pendulum
from airflow.sdk import chain, dag
from airflow.timetables.interval import CronDataIntervalTimetable

from elt.airflow.alerts import notify_of_failed_run
from elt.airflow.dbt_tasks import full_test_task
from elt.airflow.run_tasks import TASK_DEFAULTS, begin_full_test, end_full_test, verify_marts
from elt.shop import SHOP


@dag(
    # a run's id is its time: that of a daily run set to each hour must be another
    schedule=CronDataIntervalTimetable("7 12 * * 0", timezone="UTC"),
    start_date=pendulum.datetime(2021, 2, 7, 12, 7, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    on_failure_callback=notify_of_failed_run,
    default_args=TASK_DEFAULTS,
    doc_md=__doc__,
    tags=[SHOP.title.lower()],
)
def full_test():
    test = full_test_task("test_everything")
    # after it: what a failed test tells of a build is not told a second time of its mart
    chain(begin_full_test(), test, verify_marts(), end_full_test().as_teardown())


full_test()
