"""
### Let runs publish again after a rollback

**What** Ends the pin that `rollback` has set. Nothing is shown by it: the next good daily
run publishes what it builds.

**When** When somebody triggers it.

**Rerun** Does no harm: if nothing is pinned, it says so.

**Who hears** A failed run sends one message to the connection `greenery_slack`.
"""

from airflow.sdk import Param, dag

from elt.airflow.operator_tasks import release_marts
from elt.airflow.run_tasks import ON_REQUEST


@dag(
    **ON_REQUEST,
    params={"by": Param("", type="string", description="Who decides this.")},
    doc_md=__doc__,
)
def release():
    release_marts()


release()
