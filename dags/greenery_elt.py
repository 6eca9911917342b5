"""
### The daily run of the shop

**What** Loads the shop's landing files, or its database, into `raw`, builds and tests the dbt
project, and publishes `marts` when everything passed. Readers see the last good publication all
along. At its end it writes the report.

**When** Every day at midnight UTC, one run at a time. A run loads what is new since the last one,
so a missed day needs no catch-up; with nothing new it skips the build.

**Rerun** Running twice changes nothing. After a failure: mend the cause, then clear the failed
tasks with their downstream, or trigger a new run.

**Who hears** What fails is one message in Slack (connection `greenery_slack`), which is kept up to
date until it is mended. Published marts are assets: other DAGs can run on audited data.
"""

import pendulum
from airflow.sdk import Param, chain, dag
from airflow.timetables.interval import CronDataIntervalTimetable

from elt.airflow.alerts import notify_of_failed_run, notify_of_good_run
from elt.airflow.assets import mart_assets
from elt.airflow.dbt_tasks import dbt_task_group, freshness_task
from elt.airflow.run_tasks import (
    TASK_DEFAULTS,
    begin_run,
    end_run,
    freeze_horizon,
    load_tasks,
    publish_marts,
    write_report,
)
from elt.shop import SHOP


@dag(
    dag_id=SHOP.dag_id,
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=pendulum.datetime(2021, 2, 10, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    on_failure_callback=notify_of_failed_run,
    on_success_callback=notify_of_good_run,
    default_args=TASK_DEFAULTS,
    params={
        "confirm_shrunk": Param(
            [],
            type="array",
            items={"type": "string"},
            description="Tables whose snapshot may lose more than half of its rows in this run.",
        ),
        "full_refresh": Param(
            [],
            type="array",
            items={"type": "string"},
            description="Models to build from the whole history, with all that depends on them; "
            "`all` for every one. A run does so by itself when a definition has changed.",
        ),
    },
    doc_md=__doc__,
    tags=[SHOP.title.lower()],
)
def greenery_elt():
    begin = begin_run()
    loads = load_tasks(begin)
    freshness = freshness_task("check_freshness")
    build = dbt_task_group(SHOP.dag_id)
    publish = publish_marts.override(outlets=mart_assets("publish_marts"))()
    end = end_run().as_teardown()
    report = write_report().as_teardown()  # it tells of failed runs too, and never makes one

    chain(begin, loads, freeze_horizon(), build, publish, end, report)
    chain(loads, freshness, publish)  # what stays away is told by a run with nothing new, too
    # whatever has failed, the lease is given back only when nothing is at work any more
    [*loads, freshness, *build] >> end


greenery_elt()
