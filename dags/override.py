"""
### Let a failing test through for a while

**What** A test that fails stops the publication. With an override, which has a reason and an end,
it warns instead: the run goes on and publishes. `marts.data_status.warnings` and Slack say so of
each publication until it ends. Without a `test` it lists what is let through.

**When** When somebody triggers it. Then clear the failed task with its downstream, or start a run.

**Rerun** Does no harm: the last word on a test counts.

**Who hears** A failed run sends one message to the connection `greenery_slack`.
"""

from airflow.sdk import Param, dag

from elt.airflow.operator_tasks import decide_on_test
from elt.airflow.run_tasks import ON_REQUEST


@dag(
    **ON_REQUEST,
    params={
        "test": Param("", type="string", description="Its name, as dbt has it; empty: list them."),
        "reason": Param("", type="string", description="Why, for everybody to read."),
        "until": Param(
            "",
            type="string",
            pattern=r"^(\d{4}-\d\d-\d\d)?$",
            description="The last day (UTC), such as 2026-11-30; empty: 7 days, 30 at most.",
        ),
        "end": Param(False, type="boolean", description="Let it through no longer."),
        "by": Param("", type="string", description="Who decides this; empty: who triggers it."),
    },
    doc_md=__doc__,
)
def override():
    decide_on_test()


override()
