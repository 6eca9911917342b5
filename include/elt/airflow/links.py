"""Links from the task of a model or snapshot to what is known of it.

Airflow's API server asks for them when somebody looks at a task: tasks have no part in it.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperatorLink
from cosmos.operators.local import DbtBuildLocalOperator

from elt.airflow.views import DOCS_VIEW, STATE_VIEW
from elt.reporting.folder import BUILDS
from elt.transform.project import PROJECT, project_name


class DocsLink(BaseOperatorLink):
    """To its page in dbt's documentation: columns, SQL, tests, who depends on it."""

    name = "dbt docs"
    operators = [DbtBuildLocalOperator]  # noqa: RUF012, Airflow wants a list

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return an address that begins where Airflow's UI does."""
        node = ti_key.task_id.rpartition(".")[2]
        kind = "model" if any((PROJECT / "models").rglob(f"{node}.sql")) else "snapshot"
        return DOCS_VIEW.inside(f"!/{kind}/{kind}.{project_name()}.{node}")


class StateLink(BaseOperatorLink):
    """To how long its last build took beside its usual time, and what its tests found."""

    name = "Time and tests"
    operators = [DbtBuildLocalOperator]  # noqa: RUF012, Airflow wants a list

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return an address that begins where Airflow's UI does."""
        return STATE_VIEW.inside(f"{BUILDS}-{ti_key.task_id.rpartition('.')[2]}")
