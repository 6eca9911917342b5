"""dbt in a process of its own, for an analyst's schemas that nobody else has."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elt.errors import EltError
from elt.transform.project import DBT


class DbtFailedError(EltError):
    """dbt could not even begin; the message is dbt's own."""


@dataclass(frozen=True)
class Dbt:
    """A project, the folder for what dbt writes, and the analyst's name that its schemas bear."""

    project: Path
    target: Path
    name: str

    def __call__(self, *arguments: str) -> None:
        """Run a command, which may fail. What dbt says goes to the standard error.

        Raises:
            DbtFailedError: if the command, or the project, is not understood.
        """
        folders = [
            *("--project-dir", str(self.project), "--profiles-dir", str(self.project)),
            *("--target-path", str(self.target), "--log-path", str(self.target)),
        ]
        done = subprocess.run(
            [*DBT, "--no-use-colors", *arguments, *folders],
            env={**os.environ, "DO_NOT_TRACK": "1", "GREENERY_DBT_NAME": self.name},
            cwd=self.project,
            stdout=subprocess.PIPE,
            text=True,
        )
        print(done.stdout, end="", file=sys.stderr, flush=True)
        # 1: something that was built or tested has failed, which the results tell
        if done.returncode > 1 or not (self.target / "manifest.json").exists():
            raise DbtFailedError(f"dbt could not read {self.project}; it says why above.")

    @property
    def manifest(self) -> Path:
        return self.target / "manifest.json"

    def nodes(self) -> dict[str, Any]:
        """Return the nodes of the project by unique id, as the last command parsed them."""
        return json.loads(self.manifest.read_text())["nodes"]

    def results(self) -> dict[str, dict[str, Any]]:
        """Return the result of each node of the last build by unique id; none if it did nothing."""
        file = self.target / "run_results.json"
        if not file.exists():
            return {}
        return {result["unique_id"]: result for result in json.loads(file.read_text())["results"]}
