"""How to mend what failed, and how to run it again, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from elt.alerting.incidents import Incident
from elt.alerting.messages.blocks import code
from elt.alerting.messages.phrases import duration
from elt.alerting.report import SLOW_RUN, Report
from elt.warehouse.time_limit import VARIABLE, task_limit

# Postgres' own words, whatever it was about to write
FULL_DISK = "No space left on device"


def how(incidents: Sequence[Incident], report: Report) -> list[str]:
    """Return what to do about open incidents, the clicks and the command included."""
    if {incident.fingerprint for incident in incidents} == {SLOW_RUN}:
        return [
            "*To mend it:* _Open the run_ and see in the log of the task that is at work what it "
            "waits for: a lock in the warehouse, a slow source. A task is stopped after "
            f"{duration(task_limit().total_seconds())} ({VARIABLE}). To give up, mark the run as "
            "failed; readers keep what they have."
        ]
    if all(incident.kind == "late" for incident in incidents):
        return [
            "*To mend it:* see in Airflow whether the scheduler is up, the DAG "
            f"{code(report.hint.dag_id)} is not paused and no run hangs; then start a run: "
            f"`airflow dags trigger {report.hint.dag_id}`."
        ]
    if report.hint.state == "success":
        return [
            "*To mend it:* mend the data at its source, or the model, before the override ends. "
            "Then the test fails again and nothing is published. What is let through: "
            "`make override`."
        ]
    return [f"*To mend it:* {_mend(incidents, report)}", *_run_again(incidents, report)]


def _mend(incidents: Sequence[Incident], report: Report) -> str:
    kinds = {incident.kind for incident in incidents}
    if report.facts is None:
        return "see that the warehouse is up, then clear the failed tasks in Airflow."
    if any(FULL_DISK in incident.sentence for incident in incidents):
        return (
            "make room on the disk of the warehouse's server, then clear the failed tasks in "
            "Airflow. What was being written was taken back; readers keep the last published data."
        )
    if "load" in kinds:
        return (
            "put a right file in the place of the one named above and start a new run, "
            "or clear the failed load in Airflow. What was loaded stays."
        )
    if kinds & {"test", "model"}:
        return (
            "mend the data at its source, or the model; "
            "then start a new run, or clear the failed tasks in Airflow. "
            "Readers keep the last published data until a run succeeds."
        )
    return "look at the log, then clear the failed tasks in Airflow. Doing them twice does no harm."


def _run_again(incidents: Sequence[Incident], report: Report) -> list[str]:
    task = next((incident.task_id for incident in incidents if incident.task_id), None)
    again = f"`airflow dags trigger {report.hint.dag_id}`"
    if task is None or len({incident.task_id for incident in incidents}) > 1:
        clicks = "_Open the run_ → _Clear Dag Run_ → _Clear only failed tasks_ → _Confirm_"
    else:
        clicks = (
            f"_Open the log_ of {code(task)} → _Clear Task Instance_ → _Downstream_ → _Confirm_"
        )
    return [f"*To run it again:* {clicks}. A new run: {again}."]
