"""
### Try rows in quarantine again

**What** Loads the rows of `ops.quarantine` that fit by now into `raw`: after their contract was
mended, or their `row_text` by SQL. A row goes in once, and never over a newer one. What is still
bad goes on waiting, with its new reason. The next daily run builds and publishes what came in.

**When** When somebody triggers it. It waits for no run: while one is at work it says so and fails.

**Rerun** Does no harm: what was loaded is not tried again.

**Who hears** A failed run sends one message to the connection `greenery_slack`.
"""

from airflow.sdk import Param, dag

from elt.airflow.run_tasks import ON_REQUEST, replay_rows
from elt.loading.sources_yaml import declared_tables


@dag(
    **ON_REQUEST,
    params={
        "table": Param(
            "",
            type="string",
            enum=["", *declared_tables()],
            description="The table whose rows are tried again; empty for all of them.",
        )
    },
    doc_md=__doc__,
)
def replay_quarantine():
    replay_rows()


replay_quarantine()
