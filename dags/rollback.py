"""
### Show the publication before the last one again

**What** Undoes the last publication that changed anything, in one transaction, and *pins* what is
shown then: runs go on building and testing, and publish nothing, until somebody triggers `release`.
`marts.data_status` says so of each mart. One step back is kept.

**When** When somebody triggers it and sets `confirm`. It does not wait for a run that is at work.

**Rerun** Does no harm: what is done is not done again.

**Who hears** A failed run sends one message to the connection `greenery_slack`.
"""

from airflow.sdk import Param, dag

from elt.airflow.operator_tasks import roll_back_marts
from elt.airflow.run_tasks import ON_REQUEST


@dag(
    **ON_REQUEST,
    params={
        "confirm": Param(
            False, type="boolean", description="Yes, readers are to see the older publication."
        ),
        "reason": Param("", type="string", description="Why, for everybody to read."),
        "by": Param("", type="string", description="Who decides this; empty: who triggers it."),
    },
    doc_md=__doc__,
)
def rollback():
    roll_back_marts()


rollback()
