"""A run: what Airflow says of it, and what ``ops`` knows of it. The SQL of the latter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote

import psycopg2.extras
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json

from elt.alerting.messages import phrases
from elt.transform.overrides import Override, in_force
from elt.warehouse.connection import transaction
from elt.warehouse.rows import first_row, one_value, rows_as

# of the DAG that asks
QUESTION_PAGE = "/dags/publish_all_the_same/required_actions"
RunState = Literal["running", "failed", "success"]


@dataclass(frozen=True)
class RunContext:
    """A run, as the callback's context has it."""

    dag_id: str
    run_id: str
    # Airflow's own: task_failure, timed_out, all_tasks_deadlocked …
    reason: str | None = None
    # one failed task, usually the last one
    task_id: str | None = None
    # task id → state; None where Airflow can't be asked
    states: Mapping[str, str] | None = None
    base_url: str = ""
    state: RunState = "failed"
    started_at: datetime | None = None
    # how long it may take, if it takes longer
    longer_than: timedelta | None = None
    # False: this is what the watch found beside the runs, and `run_id` says what and since when
    is_run: bool = True

    @property
    def failed_tasks(self) -> set[str]:
        """The tasks that are known to have failed."""
        if self.states is None:
            return {self.task_id} if self.task_id else set()
        return {task for task, state in self.states.items() if state == "failed"}

    def is_over(self, task_id: str) -> bool:
        """Whether a task that failed once has since been cleared and done, or is held back."""
        ended = ("success", "skipped", "upstream_failed", "removed")
        return self.states is not None and self.states.get(task_id) in ended

    @property
    def run_url(self) -> str | None:
        """The run's page in Airflow; None where there is none, or its address is not known."""
        if not self.base_url or not self.is_run:
            return None
        return f"{self.base_url.rstrip('/')}/dags/{quote(self.dag_id)}/runs/{quote(self.run_id)}"

    @property
    def question_url(self) -> str | None:
        """Where Airflow has what people are asked; None where its address is not known."""
        return f"{self.base_url.rstrip('/')}{QUESTION_PAGE}" if self.base_url else None

    def log_url(self, task_id: str) -> str | None:
        """Return the page of a task's log in Airflow, or None."""
        return f"{self.run_url}/tasks/{quote(task_id)}" if self.run_url else None


@dataclass(frozen=True)
class NodeResult:
    """What dbt says of one node after one try."""

    unique_id: str
    kind: str
    status: str
    failures: int | None
    message: str | None
    execution_seconds: float | None
    compiled_sql: str | None = None
    owner: str | None = None
    tags: tuple[str, ...] = ()
    # failing rows: columns and rows of text, masked
    sample: dict[str, Any] | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True)
class TaskFailure:
    """A task that failed for good, in words."""

    task_id: str
    try_number: int
    message: str
    log_url: str | None
    failed_at: datetime | None = None


@dataclass(frozen=True)
class Question:
    """Whether to publish all the same, as a person is asked of a run. ``answer``: yes, no, None."""

    until: datetime
    answer: str | None
    # None: nobody; silence means no
    answered_by: str | None
    note: str | None


@dataclass(frozen=True)
class Facts:
    """What ``ops`` knows of a run."""

    # task id and result, the last try of each task only
    results: tuple[tuple[str, int, NodeResult], ...] = ()
    task_failures: tuple[TaskFailure, ...] = ()
    published_at: datetime | None = None
    published_run_id: str | None = None
    loaded_rows: int = 0
    deleted_rows: int = 0
    loaded_tables: int = 0
    quarantined_rows: int = 0
    # how old what people see is, at its oldest
    data_as_of: datetime | None = None
    # tests that warned under an override; whether they would have failed is not asked yet
    overrides: tuple[Override, ...] = ()
    # unique id of what fails now → how it went in the runs before, in words
    histories: Mapping[str, str] = field(default_factory=dict)
    question: Question | None = None


def keep_results(run_id: str, task_id: str, try_number: int, results: Iterable[NodeResult]) -> None:
    """Keep what dbt said of nodes in one try of a task, in place of what was kept of that try.

    Args:
        run_id: of Airflow's run.
        task_id: of the task that ran dbt.
        try_number: which of its tries it was.
        results: one of each node.
    """
    rows = [
        (
            *(run_id, task_id, try_number),
            *(result.unique_id, result.kind, result.status, result.failures),
            *(result.message, result.execution_seconds, result.compiled_sql),
            *(result.owner, list(result.tags), result.sample and Json(result.sample)),
        )
        for result in results
    ]
    with transaction("loader") as cursor:
        psycopg2.extras.execute_values(
            cursor,
            """
            insert into ops.node_result (
                run_id, task_id, try_number, unique_id, kind, status, failures, message,
                execution_seconds, compiled_sql, owner, tags, sample
            )
            values %s
            on conflict (run_id, task_id, try_number, unique_id) do update
            set status = excluded.status,
                failures = excluded.failures,
                message = excluded.message,
                execution_seconds = excluded.execution_seconds,
                compiled_sql = excluded.compiled_sql,
                owner = excluded.owner,
                tags = excluded.tags,
                sample = excluded.sample,
                finished_at = now(),
                moment = excluded.moment,
                taken_from = null
            """,
            rows,
        )


def keep_task_failure(run_id: str, failure: TaskFailure) -> None:
    """Keep why a task of a run failed, in place of what was kept of the same try."""
    with transaction("loader") as cursor:
        cursor.execute(
            """
            insert into ops.task_failure (run_id, task_id, try_number, message, log_url)
            values (%s, %s, %s, %s, %s)
            on conflict (run_id, task_id, try_number) do update
            set message = excluded.message, log_url = excluded.log_url, failed_at = now()
            """,
            (run_id, failure.task_id, failure.try_number, failure.message, failure.log_url),
        )


def read_facts(cursor: Cursor, run_id: str) -> Facts:
    """Return all that ``ops`` knows of a run: of each task the results of its last try."""
    cursor.execute(
        """
        select
            task_id, try_number,
            unique_id, kind, status, failures, message, execution_seconds,
            case when status = any (%(failing)s) then compiled_sql end as compiled_sql,
            owner, tags, sample, finished_at
        from (
            select *, max(try_number) over (partition by task_id) as last_try
            from ops.node_result
            where run_id = %(run_id)s
        ) as result
        where try_number = last_try
        order by task_id, unique_id
        """,
        {"run_id": run_id, "failing": sorted(phrases.FAILING)},
    )
    results = tuple(rows_as(cursor, _last_try))
    cursor.execute(
        """
        select distinct on (task_id) task_id, try_number, message, log_url, failed_at
        from ops.task_failure
        where run_id = %s
        order by task_id, try_number desc
        """,
        (run_id,),
    )
    task_failures = tuple(rows_as(cursor, TaskFailure))
    cursor.execute(
        "select published_at, run_id as published_run_id from ops.publication "
        "where undone_at is null order by publication_id desc limit 1"
    )
    publication = first_row(cursor, dict[str, Any]) or {}
    cursor.execute(
        """
        select
            coalesce(sum(rows_inserted + rows_updated) filter (where status = 'loaded'), 0)::bigint
                as loaded_rows,
            coalesce(sum(rows_deleted) filter (where status = 'loaded'), 0)::bigint
                as deleted_rows,
            count(distinct table_name) filter (where status = 'loaded') as loaded_tables,
            coalesce(sum(rows_quarantined), 0)::bigint as quarantined_rows
        from ops.load
        where run_id = %s
        """,
        (run_id,),
    )
    (loads,) = rows_as(cursor, dict[str, Any])
    cursor.execute("select min(data_as_of) from marts.data_status where published_at is not null")
    data_as_of = one_value(cursor)
    cursor.execute(
        "select until, answer, answered_by, note from ops.question where run_id = %s "
        "order by question_id desc limit 1",
        (run_id,),
    )
    question = first_row(cursor, Question)
    failing = [result.unique_id for _, _, result in results if result.status in phrases.FAILING]
    histories = _histories(cursor, run_id, failing)
    return Facts(
        results=results,
        task_failures=task_failures,
        **publication,
        **loads,
        data_as_of=data_as_of,
        overrides=tuple(in_force(cursor, run_id)),
        histories=histories,
        question=question,
    )


def _last_try(
    *, task_id: str, try_number: int, tags: list[str], **result: Any
) -> tuple[str, int, NodeResult]:
    return task_id, try_number, NodeResult(**result, tags=tuple(tags))


def _histories(cursor: Cursor, run_id: str, unique_ids: list[str]) -> dict[str, str]:
    """Return in words how nodes went in the up to 100 runs before this one."""
    cursor.execute(
        """
        select unique_id, array_agg(status order by moment desc) as statuses
        from unnest(%(unique_ids)s::text[]) as wanted (unique_id)
        cross join lateral (
            select distinct on (run_id) run_id, status, moment
            from (
                select run_id, status, moment
                from ops.node_result
                where
                    node_result.unique_id = wanted.unique_id
                    and run_id <> %(run_id)s
                order by moment desc
                limit 100
            ) as latest
            order by run_id, moment desc
        ) as before
        group by unique_id
        """,
        {"unique_ids": unique_ids, "run_id": run_id},
    )
    found = rows_as(cursor, dict[str, Any])
    return {one["unique_id"]: phrases.history(one["statuses"]) for one in found}
