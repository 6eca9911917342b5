"""A dbt project as dbt understands it: its manifest, parsed anew without any database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def parse(project: Path, target: Path) -> dict[str, Any]:
    """Return the manifest. A warning of dbt, such as a deprecation, fails the parse."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DBT_", "GREENERY_"))
    }
    command = [
        sys.executable,
        "-m",
        "dbt.cli.main",
        "--warn-error",
        # a partial parse forgets the description of a singular test whose SQL has changed
        "--no-partial-parse",
        "parse",
        "--show-all-deprecations",
        f"--project-dir={project}",
        f"--profiles-dir={project}",
        f"--target-path={target}",
        f"--log-path={target}",
    ]
    parsed = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert parsed.returncode == 0, parsed.stdout + parsed.stderr
    return json.loads((target / "manifest.json").read_text())
