"""The metrics as dbt's semantic YAML defines them, over the marts as readers see them.

MetricFlow writes the SQL and nothing else here: it opens no connection, and its command, which asks
for updates over the network, is not used.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from elt.errors import EltError
from elt.transform.project import (
    PROFILE_NAME,
    PROJECT,
    fingerprint,
    run_dbt,
    target_folder,
)

if TYPE_CHECKING:
    from metricflow.engine.metricflow_engine import MetricFlowEngine

TARGET = "published"
TIME = "metric_time"
GRAINS = ("day", "week", "month", "quarter", "year")


class MetricError(EltError):
    """The question is wrong, or there is nothing yet to answer it; the message says what to do."""


@dataclass(frozen=True)
class Metric:
    """A metric: what it is in words, what its value counts, and who answers in its place."""

    name: str
    label: str
    description: str
    unit: str = ""
    # the metric that has the dimensions that this one's rows have not
    otherwise: str | None = None
    # asked for as part of this one, not by itself
    part_of: str | None = None


class Definitions:
    """The metrics of a dbt project."""

    def __init__(self, semantic_manifest: dict[str, Any]) -> None:
        """Take what dbt made of the project's semantic YAML.

        Args:
            semantic_manifest: parsed for the target ``published``.
        """
        self._manifest = _without_database(semantic_manifest)

    @cached_property
    def metrics(self) -> dict[str, Metric]:
        """The metrics by name, as the YAML has them."""
        found = {}
        for metric in self._manifest["metrics"]:
            meta = (metric.get("config") or {}).get("meta") or {}
            found[metric["name"]] = Metric(
                name=metric["name"],
                label=metric.get("label") or metric["name"],
                description=" ".join((metric.get("description") or "").split()),
                **{key: meta[key] for key in ("unit", "otherwise", "part_of") if key in meta},
            )
        return found

    @cached_property
    def _described(self) -> dict[str, str]:
        """What dimensions are, by their own name."""
        return {
            one["name"]: one.get("description") or one.get("label") or ""
            for model in self._manifest["semantic_models"]
            for one in [*model["dimensions"], *model["entities"]]
            if one.get("description") or one.get("label")
        }

    def description_of(self, dimension: str) -> str:
        """Return what a dimension is, in words."""
        return self._described.get(dimension, "")

    def dimensions_of(self, metric: str) -> dict[str, str]:
        """Return what a metric can be split by besides time: short name, and MetricFlow's.

        Of several ways to a dimension the shortest is taken.
        """
        found: dict[str, str] = {}
        for short, long in sorted(
            self._group_bys(metric), key=lambda pair: (pair[1].count("__"), pair[1])
        ):
            found.setdefault(short, long)
        return dict(sorted(found.items()))

    def _group_bys(self, metric: str) -> Iterator[tuple[str, str]]:
        labelled = {
            entity["name"]
            for model in self._manifest["semantic_models"]
            for entity in model["entities"]
            if entity.get("label")
        }
        for one in self._engine.list_group_bys(metric_names=[metric]):
            long = getattr(one, "dunder_name", one.name)
            is_entity = long == one.name
            if one.name in labelled if is_entity else one.type.value == "categorical":
                yield one.name, long

    def sql(
        self, metric: str, by: Sequence[str], first: date | None = None, last: date | None = None
    ) -> str:
        """Return the SQL that answers a question.

        Args:
            metric: its name.
            by: what to split it by, as MetricFlow calls that.
            first: the first day that counts.
            last: the last day that counts.
        """
        from metricflow.engine.metricflow_engine import MetricFlowQueryRequest

        # as conditions: MetricFlow's own constraint of time is widened to whole weeks or months
        bounds = {">=": first, "<=": last}
        request = MetricFlowQueryRequest.create(
            metric_names=[metric],
            group_by_names=list(by),
            order_by_names=list(by),
            where_constraints=[
                f"{{{{ TimeDimension('{TIME}', 'day') }}}} {sign} '{day.isoformat()}'"
                for sign, day in bounds.items()
                if day
            ],
        )
        explained: str = self._engine.explain(request).sql_statement.without_descriptions.sql
        return explained

    @cached_property
    def _engine(self) -> MetricFlowEngine:
        try:
            from metricflow.engine.metricflow_engine import MetricFlowEngine
            from metricflow.protocols.sql_client import SqlEngine
            from metricflow.sql.render.postgres import PostgresSQLSqlPlanRenderer
            from metricflow_semantics.model.dbt_manifest_parser import (
                parse_manifest_from_dbt_generated_manifest,
            )
            from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup
        except ImportError:
            raise MetricError(
                "MetricFlow, which answers metrics by name, is not installed. Install it: "
                "pip install --constraint constraints.txt metricflow"
            ) from None

        for library in ("metricflow", "metricflow_semantics"):
            # each step of its work is a line to it
            logging.getLogger(library).setLevel(logging.WARNING)

        class Dialect:
            """All that MetricFlow asks of a connection to write SQL."""

            sql_engine_type = SqlEngine.POSTGRES
            sql_plan_renderer = PostgresSQLSqlPlanRenderer()

        manifest = parse_manifest_from_dbt_generated_manifest(json.dumps(self._manifest))
        dialect: Any = Dialect()
        return MetricFlowEngine(SemanticManifestLookup(manifest), dialect)


def read_definitions(project: Path = PROJECT) -> Definitions:
    """Return the metrics of a dbt project as it is on disk now, parsing it if need be.

    Raises:
        BrokenProjectError: if dbt can't parse the project.
        MetricError: if the project defines no metric.
    """
    folder = target_folder(project)
    kept = folder / f"{TARGET}-{fingerprint(project)}.json"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"{TARGET}-*.json"):
            old.unlink(missing_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix="parse-") as scratch:
            _parse(project, Path(scratch))
            (Path(scratch) / "semantic_manifest.json").replace(kept)
    manifest = json.loads(kept.read_text())
    if not manifest["metrics"]:
        raise MetricError(f"The dbt project {project.name} defines no metric.")
    return Definitions(manifest)


def _parse(project: Path, scratch: Path) -> None:
    arguments = [
        *("--quiet", "--no-use-colors", "parse", "--no-partial-parse"),
        *("--project-dir", str(project), "--profiles-dir", str(project)),
        *("--target-path", str(scratch), "--log-path", str(scratch)),
        *("--profile", PROFILE_NAME, "--target", TARGET),
    ]
    run_dbt(project, arguments, {})


def _without_database(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a semantic manifest whose tables are those of the database that is asked."""
    nodes = [*manifest["semantic_models"], *manifest["project_configuration"]["time_spines"]]
    for node in nodes:
        relation = node["node_relation"]
        relation["relation_name"] = f'"{relation["schema_name"]}"."{relation["alias"]}"'
        relation["database"] = None
    return manifest
