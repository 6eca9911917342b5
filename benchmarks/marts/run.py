"""A daily run without Airflow, and the CPU seconds of its steps."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil
from dbt.cli.main import dbtRunner

from devtools.local import postgres
from elt.airflow.dbt_events import NO_FILES, NO_LOG
from elt.airflow.dbt_tasks import manifest_path, open_profile
from elt.publishing.publish import publish
from elt.transform.lineage import Lineage
from elt.transform.project import PROJECT, environment_with
from elt.warehouse import lease
from elt.warehouse.connection import transaction

STEPS = ("transform", "tests", "publish")
# `dbt run` would leave out the snapshots
BUILD = ("build", "--resource-type", "model", "--resource-type", "snapshot")


class Run:
    """Daily runs without Airflow: dbt in this process, for the warehouse of a server."""

    def __init__(self, server: postgres.Server, folder: Path) -> None:
        self.server, self.folder = server, folder / "target"
        self.results: list[Any] = []
        self.postmaster = psutil.Process(
            int(Path(server.home, "data/postmaster.pid").read_text().split()[0])
        )
        self.lineage = Lineage.read(manifest_path())
        self.manifest = self.dbt("parse")

    def dbt(self, *command: str) -> Any:
        """Run a dbt command as the daily run does and return its results."""
        with open_profile() as (profiles, environment), environment_with(environment):
            done = dbtRunner(manifest=getattr(self, "manifest", None)).invoke(
                [
                    *(*NO_LOG, *NO_FILES, *command),
                    *("--project-dir", str(PROJECT), "--target", "prod"),
                    *("--profiles-dir", str(profiles.parent), "--target-path", str(self.folder)),
                    *("--log-path", str(self.folder)),
                ]
            )
        if not done.success:
            raise SystemExit(f"dbt {' '.join(command)} failed: {done.exception or 'see above'}")
        return done.result

    def cpu(self) -> float:
        """Return the CPU seconds of this process and of Postgres so far."""
        while True:
            # the backends that ended are in the postmaster's own account
            account = self.postmaster.cpu_times()[:4]
            used = [os.times()[:2], account]
            for backend in self.postmaster.children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    used.append(backend.cpu_times()[:2])
            # one that ended meanwhile is in neither
            if self.postmaster.cpu_times()[2:4] == account[2:4]:
                return sum(map(sum, used))

    def __call__(self, *arguments: str, is_tested: bool = True) -> list[float]:
        """Build, test and publish; return the CPU seconds of each.

        Without tests, all count as passed: to come quickly to where a history is published.
        """
        run_id = f"run {uuid.uuid4()}"
        with transaction("loader") as cursor:
            lease.take(cursor, run_id)
            lease.freeze_horizon(cursor, run_id)
        self.results = []
        steps: Sequence[Callable[[], Any]] = (
            lambda: self.results.extend(self.dbt(*BUILD, *arguments)),
            lambda: self.results.extend(self._test()) if is_tested else None,
            lambda: publish(run_id, self.lineage),
        )
        seconds = []
        for step, act in zip(STEPS, steps, strict=True):
            if step == "publish":
                self._note(run_id)
            before = self.cpu()
            act()
            seconds.append(self.cpu() - before)
        with transaction("loader") as cursor:
            lease.release(cursor, run_id)
        return seconds

    def _test(self) -> Any:
        return self.dbt("test", "--exclude-resource-type", "unit_test")

    def dearest(self, count: int) -> None:
        """Print which models and tests of the last run took longest, in seconds of the clock."""
        slowest = sorted(self.results, key=lambda result: -result.execution_time)
        for result in slowest[:count]:
            print(f"  {result.execution_time:6.2f} s  {result.node.name}")

    def _note(self, run_id: str) -> None:
        statuses = dict.fromkeys(self.lineage.of_type("model", "test"), "pass")
        statuses |= {result.node.unique_id: str(result.status) for result in self.results}
        with transaction("loader") as cursor:
            for unique_id, status in statuses.items():
                cursor.execute(
                    "insert into ops.node_result"
                    " (run_id, task_id, try_number, unique_id, kind, status)"
                    " values (%s, 'benchmark', 1, %s, 'test', %s)",
                    (run_id, unique_id, status),
                )
