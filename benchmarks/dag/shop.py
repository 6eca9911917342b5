"""A shop of so many models, made from the tests' bookshop."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from tests.support.bookshop import SHOP as BOOKSHOP
from tests.support.bookshop import SOURCES, add_shared

# what the bookshop has by itself
FIRST = 8
# each group is built from the last model of the one before: a chain of all would be built by one
# task at a time, and none would be no graph
GROUP = 10

_SQL = """select
    order_id,
    customer_id,
    book_id,
    order_date

from {{{{ ref('{parent}') }}}}
"""
# what people get who follow the first page of Cosmos' documentation
_STOCK = """from airflow.sdk import dag
from cosmos import DbtTaskGroup, ProfileConfig, ProjectConfig
from cosmos.profiles import PostgresUserPasswordProfileMapping


@dag(dag_id="stock")
def stock():
    DbtTaskGroup(
        group_id="build",
        project_config=ProjectConfig("{project}"),
        profile_config=ProfileConfig(
            profile_name="greenery",
            target_name="prod",
            profile_mapping=PostgresUserPasswordProfileMapping(
                conn_id="greenery_warehouse",
                profile_args={{"schema": "staging", "role": "transformer"}},
            ),
        ),
    )


stock()
"""


def name_of(number: int) -> str:
    """Return the name of a generated model."""
    return f"fct_orders_{number:03}"


def make_shop(folder: Path, models: int) -> Path:
    """Make a shop with so many models (eight at least) and return the file of its settings."""
    project = folder / "dbt"
    shutil.copytree(BOOKSHOP / "dbt", project)
    shutil.copytree(BOOKSHOP / "landing", folder / "landing")
    add_shared(project)
    marts = project / "models" / "marts"
    given = yaml.safe_load((marts / "_bookshop__models.yml").read_text())["models"]
    columns = next(model["columns"] for model in given if model["name"] == "fct_orders")
    described = []
    for number in range(models - FIRST):
        group = number // GROUP
        parent = name_of(group * GROUP - 1) if group else "fct_orders"
        (marts / f"{name_of(number)}.sql").write_text(_SQL.format(parent=parent))
        described.append(_described(name_of(number), columns, parent, number))
    (marts / "_many__models.yml").write_text(
        yaml.safe_dump({"version": 2, "models": described}, sort_keys=False)
    )
    (folder / "stock").mkdir()
    (folder / "stock" / "stock.py").write_text(_STOCK.format(project=project))
    settings = folder / "config" / "shop.yml"
    settings.parent.mkdir()
    settings.write_text(
        yaml.safe_dump(
            {"title": "Books", "dag_id": "books_elt", "dbt_project": "dbt", "contracts": SOURCES}
        )
    )
    return settings


def _described(
    name: str, columns: list[dict[str, object]], parent: str, number: int
) -> dict[str, object]:
    model: dict[str, object] = {
        "name": name,
        "description": "What was ordered. One row per order.",
        "constraints": [{"type": "primary_key", "columns": ["order_id"]}],
        "columns": columns,
    }
    if number % GROUP == GROUP - 1:
        # on two models, so it has a task of its own, which holds back the groups that follow
        arguments = {"to": f"ref('{parent}')", "field": "order_id"}
        test = {"name": f"{name}__parent_exists", "arguments": arguments}
        model["columns"] = [
            {**columns[0], "data_tests": ["unique", "not_null", {"relationships": test}]},
            *columns[1:],
        ]
    return model
