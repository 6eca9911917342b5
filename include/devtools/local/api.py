"""The few calls of Airflow's REST API that the local commands need."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from elt.errors import EltError
from elt.shop import SHOP

UNFINISHED = ("queued", "running")
ENDED = ("success", "failed", "upstream_failed", "skipped", "removed")
PARSE_TIMEOUT = 120
# of a machine that is busy; whose process ends is noticed at once
ANSWER_SECONDS = 120
SILENCE_SECONDS = 300
# Airflow gives no more at once, whatever is asked for
PAGE = 100


class DagBrokenError(EltError):
    """Airflow can't read the DAG file; the message is the error it met."""


class AirflowApi:
    """A client of a local Airflow that asks for no log-in."""

    def __init__(
        self, url: str, dag_id: str = SHOP.dag_id, watch: Callable[[], None] = lambda: None
    ) -> None:
        """``watch`` is called again and again while something is waited for; it may raise."""
        self._dag_id = dag_id
        self._watch = watch
        # no proxy of the environment stands between us and loopback
        self._client = httpx.Client(
            base_url=f"{url}/api/v2", timeout=ANSWER_SECONDS, trust_env=False
        )
        weakref.finalize(self, self._client.close)

    def call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:
        response = self._client.request(method, path, **arguments)
        try:
            response.raise_for_status()
        except httpx.HTTPStatusError as error:
            # why, in Airflow's words
            error.add_note(response.text[:1000])
            raise
        return response.json() if response.content else {}

    def pages(self, path: str, key: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Yield all that a list has under ``key``, however many pages it takes."""
        seen = 0
        while True:
            page = {"limit": PAGE, "offset": seen, "order_by": "id", **params}
            answer = self.call("GET", path, params=page)
            yield from answer[key]
            seen += len(answer[key])
            if not answer[key] or seen >= answer["total_entries"]:
                return

    def wait_for_dag(self) -> None:
        """Have the DAG file parsed as it is on disk now, and wait until that is done.

        Raises:
            DagBrokenError: if Airflow can't import it.
        """
        dag = self._find_dag()
        if dag:
            before = dag["last_parsed_time"]
            token = self.call("GET", f"/dags/{self._dag_id}/details")["file_token"]
            response = self._client.put(f"/parseDagFile/{token}")
            if response.status_code != httpx.codes.CONFLICT:  # it is on the list already
                response.raise_for_status()
        else:
            before = None
        deadline = time.monotonic() + PARSE_TIMEOUT
        while time.monotonic() < deadline:
            self._watch()
            errors = [*self.pages("/importErrors", "import_errors")]
            if errors:
                raise DagBrokenError("\n".join(error["stack_trace"].strip() for error in errors))
            dag = self._find_dag()
            if dag and dag["last_parsed_time"] != before:
                return
            time.sleep(0.3)
        raise DagBrokenError(
            f"Airflow has not read the DAG {self._dag_id} within {PARSE_TIMEOUT} s."
        )

    def _find_dag(self) -> dict[str, Any] | None:
        response = self._client.get(f"/dags/{self._dag_id}")
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        response.raise_for_status()
        return response.json()

    def unfinished_runs(self) -> list[str]:
        runs = self.pages(f"/dags/{self._dag_id}/dagRuns", "dag_runs", state=list(UNFINISHED))
        return [run["dag_run_id"] for run in runs]

    def trigger(self, conf: dict[str, Any] | None = None) -> str:
        """Start a run now and return its id."""
        body = {"logical_date": None, "conf": conf or {}}
        return self.call("POST", f"/dags/{self._dag_id}/dagRuns", json=body)["dag_run_id"]

    def fail(self, run_id: str) -> None:
        self.call("PATCH", f"/dags/{self._dag_id}/dagRuns/{run_id}", json={"state": "failed"})

    def state(self, run_id: str) -> str:
        return self.call("GET", f"/dags/{self._dag_id}/dagRuns/{run_id}")["state"]

    def tasks(self, run_id: str) -> list[dict[str, Any]]:
        """Return the task instances of a run as the API gives them."""
        path = f"/dags/{self._dag_id}/dagRuns/{run_id}/taskInstances"
        return [*self.pages(path, "task_instances")]

    def clear(self, run_id: str, task_ids: list[str], *, downstream: bool = False) -> None:
        """Have tasks of a run done again, with what comes after them if asked."""
        body = {
            "dag_run_id": run_id,
            "task_ids": task_ids,
            "include_downstream": downstream,
            "only_failed": False,
            "dry_run": False,
        }
        self.call("POST", f"/dags/{self._dag_id}/clearTaskInstances", json=body)

    def follow(self, run_id: str, interval: float = 1) -> Iterator[dict[str, Any]]:
        """Yield each task instance once, when it has ended, until the run has ended.

        Raises:
            httpx.HTTPError: if Airflow refuses to tell, or does not answer for 5 minutes.
        """
        told: set[tuple[str, int]] = set()
        over = False
        answered = time.monotonic()
        while not over:
            self._watch()
            try:
                over, ended = self._look(run_id)
            except httpx.HTTPError as error:
                if _is_final(error) or time.monotonic() - answered > SILENCE_SECONDS:
                    raise
                time.sleep(interval)
                continue
            answered = time.monotonic()
            for task in sorted(ended, key=lambda task: task["end_date"] or ""):
                if (key := (task["task_id"], task["map_index"])) not in told:
                    told.add(key)
                    yield task
            if not over:
                time.sleep(interval)

    def _look(self, run_id: str) -> tuple[bool, list[dict[str, Any]]]:
        """Return whether a run is over, and its task instances that have ended."""
        over = self.state(run_id) not in UNFINISHED
        return over, [task for task in self.tasks(run_id) if task["state"] in ENDED]


def _is_final(error: httpx.HTTPError) -> bool:
    """Tell whether to ask again would change nothing."""
    return isinstance(error, httpx.HTTPStatusError) and error.response.status_code < 500
