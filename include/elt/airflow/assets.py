"""Published marts as Airflow assets, for DAGs that are to run on audited data.

Their events come from the publication alone: not from the build, which nobody has tested yet.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from airflow.sdk import Asset, AssetAlias, get_parsing_context

from elt.airflow.dbt_tasks import manifest_path
from elt.shop import SHOP
from elt.transform.lineage import Lineage
from elt.warehouse.connection import transaction
from elt.warehouse.rows import rows_as


@dataclass(frozen=True)
class PublishedMart:
    """What a publication did to a mart, and the oldest last load (UTC) that the mart rests on."""

    mart: str
    publication_id: int
    inserted: int
    updated: int
    deleted: int
    data_as_of: datetime | None


# what a failed run leaves to a person; announced only where there is such a thing
QUESTION = Asset(name=f"{SHOP.dag_id}.question", group=SHOP.dag_id)
QUESTIONS = AssetAlias(name=QUESTION.name, group=SHOP.dag_id)


def mart_asset(mart: str) -> Asset:
    """Return the asset of a published mart, such as ``<DAG>.marts.fct_orders``."""
    return Asset(name=f"{SHOP.dag_id}.marts.{mart}", group=SHOP.dag_id)


def mart_assets(task_id: str) -> list[Asset]:
    """Return the assets of all marts of the project, for the task that publishes them.

    Airflow reads the DAG's file in the process of each task; those of other tasks need none.
    """
    if get_parsing_context().task_id not in (None, task_id):
        return []
    return [mart_asset(mart) for mart in sorted(Lineage.read(manifest_path()).marts)]


def describe_events(run_id: str, outlet_events: Any) -> None:
    """Say in the event of each mart what the run's last publication did to it.

    Args:
        run_id: the run that has published.
        outlet_events: those of the context of the task; each takes an ``extra`` by its asset.
    """
    for published in _last_publication(run_id):
        extra = asdict(published)
        extra["data_as_of"] = published.data_as_of and published.data_as_of.isoformat()
        outlet_events[mart_asset(published.mart)].extra = extra


def _last_publication(run_id: str) -> list[PublishedMart]:
    with transaction("publisher") as cursor:
        cursor.execute(
            "select t.mart, p.publication_id, (t.counts ->> 'inserted')::bigint as inserted, "
            "(t.counts ->> 'updated')::bigint as updated, "
            "(t.counts ->> 'deleted')::bigint as deleted, s.data_as_of "
            "from (select * from ops.publication where run_id = %s "
            "order by publication_id desc limit 1) as p "
            "cross join lateral jsonb_each(p.tables) as t (mart, counts) "
            "left join marts.data_status as s on s.mart = t.mart order by t.mart",
            (run_id,),
        )
        return rows_as(cursor, PublishedMart)
