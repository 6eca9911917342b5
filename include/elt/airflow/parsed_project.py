"""The dbt project as it was parsed before this process was forked, so that no task parses it again.

dbt takes a manifest in place of a project to parse, for programs that call it again and again:
https://docs.getdbt.com/reference/programmatic-invocations. What it is given it makes a graph of, as
a whole, for each command. So a task's dbt gets the part that its node is made from, and a model
among 500 costs about what one among 30 does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gc
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from elt.transform.lineage import Lineage
from elt.transform.project import environment_with

log = logging.getLogger(__name__)

Callbacks = Sequence[Callable[[Any], None]]


@dataclasses.dataclass(frozen=True)
class ParsedProject:
    """A dbt project, parsed.

    Attributes:
        small_manifest: the path of its small manifest; the name has a hash of the project.
        lineage: of the small manifest.
        profile: the text of the profile that it was parsed with: in which database a node is
            stands in the manifest.
        manifest: what dbt made of it (``dbt.contracts.graph.manifest.Manifest``).
    """

    small_manifest: Path
    lineage: Lineage = dataclasses.field(repr=False)
    profile: str = dataclasses.field(repr=False)
    manifest: Any = dataclasses.field(repr=False)

    def use_for(self, operator: Any, node: str, callbacks: Callbacks) -> None:
        """Have an operator of Cosmos' run dbt on its node without parsing.

        Args:
            operator: with dbt's command in this process, which its ``run_dbt_runner`` runs.
            node: the id of the node.
            callbacks: dbt calls them with each of its events.
        """
        # neither a parse nor a manifest of all is to be copied into the task's folder
        operator.partial_parse = False
        operator.manifest_filepath = ""
        operator.run_dbt_runner = functools.partial(self._run_dbt, node, callbacks)

    def _run_dbt(
        self,
        node: str,
        callbacks: Callbacks,
        command: Sequence[str],
        env: Mapping[str, str],
        cwd: str,
        **_: Any,
    ) -> Any:
        target = Path(cwd) / "target"
        target.mkdir(exist_ok=True)
        # what alerting and Cosmos read afterwards
        (target / "manifest.json").write_text(json.dumps(self.lineage.part_of(node)))
        with contextlib.chdir(cwd), environment_with(env):
            result = _invoke(command, callbacks, self._part_of(node))
            if _failed_to_compile(result):
                log.info("dbt knew no more than what %s is made from; now it gets it all.", node)
                result = _invoke(command, callbacks, self.manifest)
            return result

    def _part_of(self, node: str) -> Any:
        known = self.manifest.nodes
        stands_on_nodes = ("exposures", "metrics", "semantic_models", "saved_queries", "unit_tests")
        return dataclasses.replace(
            self.manifest,
            nodes={name: known[name] for name in self.lineage.needed_for(node) if name in known},
            **{kind: {} for kind in stands_on_nodes},
        )


_held: ParsedProject | None = None


def hold(project: ParsedProject) -> None:
    """Keep a project for the forks of this process."""
    global _held
    _held = project


def held(small_manifest: Path) -> ParsedProject | None:
    """Return the project that is held, if this is its small manifest."""
    return _held if _held and _held.small_manifest == small_manifest else None


def _invoke(command: Sequence[str], callbacks: Callbacks, manifest: Any) -> Any:
    from dbt.adapters.factory import reset_adapters
    from dbt.cli.main import dbtRunner

    try:
        # the first word is dbt itself
        return dbtRunner(manifest=manifest, callbacks=[*callbacks]).invoke([*command[1:]])
    finally:
        # what it holds of the system's semaphores would outlive the process of a task
        reset_adapters()  # type: ignore[no-untyped-call]  # dbt
        gc.collect()


def _failed_to_compile(result: Any) -> bool:
    """Tell if dbt failed before it asked the warehouse.

    Of what it was not given it says the wrong thing: that there is no such model, where a model
    only did not say that it reads it.
    """
    if result.success:
        return False
    said = [result.exception, *(node.message for node in getattr(result.result, "results", []))]
    return any("Compilation Error" in str(one) for one in said)
