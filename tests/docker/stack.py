"""An installation by docker compose: a copy of the checkout under a project name of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx

from devtools.local.api import AirflowApi, DagBrokenError
from devtools.local.postgres import free_port
from elt.docker.environment import MAKERS
from elt.shop import SHOP
from tests.support.installation import ORDERS_AND_KPIS, ROOT, copy_checkout, keep_models

FILES = (
    "docker-compose.yml",
    "Dockerfile",
    ".dockerignore",
    "requirements.txt",
    "requirements-celery.txt",
    "requirements-s3.txt",
    "constraints.txt",
    "overrides.txt",
)
SERVICES = ("warehouse", "metadata", "api-server", "scheduler", "dag-processor", "triggerer")
FIRST_RUN_SECONDS = 480


@dataclass(frozen=True)
class Stack:
    """A project of docker compose on a free port."""

    project: str
    folder: Path
    port: int
    variables: dict[str, str]

    def compose(self, *arguments: str, check: bool = True, **more) -> subprocess.CompletedProcess:
        done = subprocess.run(**self._command(*arguments), capture_output=True, **more)
        assert not check or done.returncode == 0, f"{arguments}:\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command that is told more meanwhile."""
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        return subprocess.Popen(**self._command(*arguments), **pipes)

    def _command(self, *arguments: str) -> dict[str, Any]:
        ours = ("GREENERY_", "AIRFLOW_", "AWS_", "COMPOSE_")
        outer = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        if image := os.environ.get("AIRFLOW_IMAGE"):
            outer["AIRFLOW_IMAGE"] = image
        return {
            "args": ["docker", "compose", "--project-name", self.project, *arguments],
            "cwd": self.folder,
            "env": {**outer, "GREENERY_PORT": str(self.port), **self.variables},
            "text": True,
        }

    def up(self, *arguments: str) -> None:
        done = self.compose(
            *("up", "--detach", "--wait", "--wait-timeout", "300", *arguments), check=False
        )
        if done.returncode != 0:
            logs = self.compose("logs", "--tail", "20", check=False).stdout
            raise AssertionError(f"{done.stderr[-2000:]}\n{logs}")

    @cached_property
    def api(self) -> AirflowApi:
        return AirflowApi(f"http://127.0.0.1:{self.port}")

    def ask(self, query: str) -> list[list[str]]:
        """Return the rows of a query to the warehouse, asked as its superuser."""
        done = self.compose(
            *("exec", "-T", "warehouse", "psql", "-U", "postgres", "-d", "greenery"),
            *("-qAtF", "|", "-c", query),
        )
        return [line.split("|") for line in done.stdout.splitlines()]

    def in_service(self, service: str, *command: str) -> str:
        return self.compose("exec", "-T", service, *command).stdout

    def in_secrets(self, script: str, **more) -> None:
        """Run a script where the secrets may be written."""
        entrypoint = ("--entrypoint", "sh", "init", "-c", script)
        self.compose("run", "--rm", "--no-deps", "-T", *entrypoint, **more)

    def init(self, *arguments: str) -> subprocess.CompletedProcess:
        """Make ready once more, as each `up` does."""
        return self.compose("run", "--rm", "--no-deps", "-T", *arguments, "init", check=False)

    def secrets(self) -> dict[str, str]:
        files = [f"/run/greenery/{name}" for name in MAKERS]
        values = self.in_service(
            "scheduler", "sh", "-c", 'for f in "$@"; do cat $f; echo; done', "-", *files
        )
        made = dict(zip(MAKERS, values.split(), strict=True))
        assert all(len(value) > 10 for value in made.values())
        return made

    @contextlib.contextmanager
    def changed(self, path: str, text: str) -> Iterator[None]:
        """Write a file of the checkout, and put back at the end what was there."""
        file = self.folder / path
        before = file.read_text() if file.exists() else None
        file.write_text(text)
        file.chmod(0o644)
        try:
            yield
        finally:
            if before is None:
                file.unlink()
            else:
                file.write_text(before)

    def inspect(self, service: str) -> dict:
        container = self.compose("ps", "--all", "--quiet", service).stdout.strip()
        return json.loads(subprocess.check_output(["docker", "inspect", container]))[0]

    def pause(self, paused: bool) -> None:
        self.api.call("PATCH", f"/dags/{SHOP.dag_id}", json={"is_paused": paused})

    def first_run(self) -> str:
        """Wait for the run that comes by itself, and return its id."""
        deadline = time.monotonic() + FIRST_RUN_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                runs = self.api.call("GET", "/dags/greenery_elt/dagRuns")["dag_runs"]
                if runs:
                    return runs[0]["dag_run_id"]
            time.sleep(1)
        raise AssertionError("no run came by itself")

    def wait(self, run_id: str, seconds: float = FIRST_RUN_SECONDS) -> str:
        """Wait for the end of a run, whatever dies meanwhile, and return its state."""
        deadline = time.monotonic() + seconds
        state = "unknown"
        while time.monotonic() < deadline:
            with contextlib.suppress(httpx.HTTPError):
                state = self.api.state(run_id)
                if state in ("success", "failed"):
                    return state
            time.sleep(1)
        return state

    def start_run(self, **conf: list[str]) -> str:
        """Start a run of the DAG as it is on disk now, and return its id."""
        deadline = time.monotonic() + 120
        while True:
            try:
                self.api.wait_for_dag()
                return self.api.trigger(conf)
            except DagBrokenError:
                # it may have been read while some of several files were changed
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)

    def run(self) -> str:
        """Run the DAG as it is on disk now, and return the run's id when it succeeded."""
        run_id = self.start_run()
        assert self.wait(run_id) == "success", self.explain(run_id)
        return run_id

    def explain(self, run_id: str) -> str:
        rows = self.ask(f"select task_id, message from ops.task_failure where run_id = '{run_id}'")
        return "\n".join(": ".join(row) for row in rows)

    def messages(self) -> list[dict[str, Any]]:
        """Return what the fake Slack was told, replies in threads too."""
        page = f"http://127.0.0.1:{self.variables['GREENERY_SLACK_PORT']}/messages"
        messages: list[dict[str, Any]] = httpx.get(page, trust_env=False).json()
        return messages

    def marts(self) -> list[list[str]]:
        """Return the number of rows of each mart, and all KPIs."""
        names = [
            name
            for (name,) in self.ask(
                "select tablename from pg_tables where schemaname = 'marts' "
                "and tablename <> 'data_status' order by 1"
            )
        ]
        assert names
        counts = " union all ".join(
            f"select '{name}', count(*)::text, md5(string_agg(t::text, '' order by t::text)) "
            f"from marts.{name} as t"
            for name in names
        )
        return sorted(self.ask(counts))


@contextlib.contextmanager
def running(project: str, folder: Path, **variables: str) -> Iterator[Stack]:
    """Build and start a stack of its own, and take away all of it at the end.

    It has half of the models, since its runs are not about them: they cost a third of the CPU.
    """
    copy_checkout(folder)
    keep_models(folder, ORDERS_AND_KPIS)
    for name in FILES:
        (folder / name).write_bytes((ROOT / name).read_bytes())
    # the copy is read by the image's user
    subprocess.run(["chmod", "-R", "a+rX", str(folder)], check=True)
    stack = Stack(project, folder, free_port(), variables)
    try:
        stack.compose("build")
        stack.up()
        yield stack
    finally:
        stack.compose("down", "--volumes", "--timeout", "10", check=False)
        subprocess.run(["docker", "image", "rm", f"{project}-airflow"], capture_output=True)
