"""
### Have the next run build a day, or a key of a model, anew

**What** Marks what belongs to a `day` of the business, or to a `key` of a `model`, as touched: the
next daily run builds it from `raw` and publishes what comes out otherwise. Without
`confirm` the log only says what that costs.

**When** When somebody triggers it. It waits for no run: while one is at work it says so and fails.

**Rerun** Does no harm: it is built once more.

**Who hears** A failed run sends one message to the connection `greenery_slack`.
"""

from airflow.sdk import Param, dag

from elt.airflow.operator_tasks import mark_for_rebuild
from elt.airflow.run_tasks import ON_REQUEST


@dag(
    **ON_REQUEST,
    params={
        "day": Param(
            "",
            type="string",
            pattern=r"^(\d{4}-\d\d-\d\d)?$",
            description="A day of the business, such as 2026-11-20.",
        ),
        "model": Param("", type="string", description="Or a model that is built by its changes."),
        "key": Param("", type="string", description="And a value of the column it is built by."),
        "confirm": Param(False, type="boolean", description="Yes, at the cost that the log tells."),
    },
    doc_md=__doc__,
)
def rebuild():
    mark_for_rebuild()


rebuild()
