"""Tasks on workers of Celery, which share nothing but the databases and the broker.

They take minutes each, those that kill for a missed heartbeat: `make test-docker ALL=1`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from devtools.local.api import AirflowApi
from devtools.local.postgres import free_port
from elt.shop import SHOP
from tests.docker.older_image import worker_of_an_older_image
from tests.docker.stack import Stack
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from tests.support.bucket_server import BucketServer

pytestmark = pytest.mark.rare
# everything is built anew: what was published before by another executor must not change
ANEW = {"full_refresh": ["all"]}


@pytest.fixture(scope="module")
def store(stack) -> Iterator[BucketServer]:
    """A server of S3's kind where containers reach it, with an empty bucket for logs."""
    for library in ("boto3", "moto"):
        pytest.importorskip(library, reason="requirements-s3-test.txt is not installed")
    from tests.support.bucket_server import bucket_server

    hosts = stack.in_service("scheduler", "getent", "hosts", "host.docker.internal")
    with bucket_server(hosts.split()[0]) as server:
        server.client.create_bucket(Bucket="logs")
        yield server


@pytest.fixture
def full_store(store) -> Iterator[BucketServer]:
    """The same, with room for nothing more until the test is over."""
    store.is_full = True
    yield store
    store.is_full = False


@pytest.fixture(scope="module")
def workers(stack, first_marts, store) -> Iterator[Stack]:
    """The same installation, with three workers."""
    from tests.support.bucket_server import REGION, WHO

    port = store.url.rpartition(":")[2]
    logs = {
        **WHO,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ENDPOINT_URL": f"http://host.docker.internal:{port}",
        "GREENERY_LOGS": "s3://logs/greenery",
    }
    celery = {
        "COMPOSE_PROFILES": "slack,celery",
        "GREENERY_EXECUTOR": "CeleryExecutor,LocalExecutor",
        "GREENERY_PARALLELISM": "6",
        "GREENERY_WORKERS": "3",
    }
    workers = dataclasses.replace(stack, variables={**stack.variables, **celery, **logs})
    workers.up()
    yield workers
    workers.compose("rm", "--stop", "--force", "worker", "broker")
    stack.up()


def test_three_workers_publish_the_same_and_their_logs_outlive_them(workers, first_marts):
    ids = ids_of_workers(workers)
    run_id = workers.api.trigger(ANEW)
    assert workers.wait(run_id) == "success", workers.explain(run_id)
    assert workers.marts() == first_marts
    hosts = {task["task_id"]: task["hostname"] for task in workers.api.tasks(run_id)}
    scheduler = workers.inspect("scheduler")["Config"]["Hostname"]
    assert hosts.pop("write_report") == scheduler
    assert set(hosts.values()) == {container[:12] for container in ids}
    for container in json.loads(subprocess.check_output(["docker", "inspect", *ids])):
        assert container["Mounts"]
        assert not any(mount["RW"] for mount in container["Mounts"])

    gone = hosts["build.fct_orders"]
    subprocess.run(["docker", "rm", "--force", gone], check=True, capture_output=True)
    log = log_of(workers, run_id, "build.fct_orders")
    assert "s3://logs/greenery" in log
    assert "fct_orders" in log
    workers.up("--no-deps", "worker")


def test_a_changed_model_reaches_every_worker_with_the_next_run(workers):
    path = "dbt/greenery/models/marts/core/dim_users.sql"
    before = (workers.folder / path).read_text()
    after = before.replace("users.first_name,", "lower(users.first_name) as first_name,")
    assert after != before
    with workers.changed(path, after):
        workers.run()
    assert workers.ask("select bool_and(first_name = lower(first_name)) from marts.dim_users") == [
        ["t"]
    ]


def test_a_full_store_of_logs_is_told_and_costs_no_run(workers, first_marts, full_store):
    run_id = workers.api.trigger(ANEW)
    assert workers.wait(run_id) == "success", workers.explain(run_id)
    assert workers.marts() == first_marts
    look_after_runs(workers)
    assert "Greenery can't keep the logs of its tasks" in json.dumps(workers.messages())
    ((sentence,),) = workers.ask("select sentence from ops.incident where kind = 'logs'")
    assert " can't write the logs of tasks to s3://logs/greenery: " in sentence
    assert sentence.endswith("The bucket is full.")

    # as docs/operations.md has it
    assert "Could not read served logs" in log_of(workers, run_id, "build.fct_orders")
    # nothing of it is lost yet
    (task,) = (one for one in workers.api.tasks(run_id) if one["task_id"] == "build.fct_orders")
    kept = "cat /opt/airflow/logs/dag_id=*/run_id=*/task_id=build.fct_orders/attempt=1.log"
    command = ["docker", "exec", task["hostname"], "sh", "-c", kept]
    assert "fct_orders" in subprocess.check_output(command, text=True)

    full_store.is_full = False
    look_after_runs(workers)
    assert "keeps the logs of its tasks again" in json.dumps(workers.messages())


def test_a_worker_of_an_older_image_does_nothing_and_says_so(workers, first_marts):
    with worker_of_an_older_image(workers, ids_of_workers(workers)[0]) as older:
        workers.compose("stop", "worker")
        run_id = workers.api.trigger(ANEW)
        said = f"{older[:12]} has an older version of the code than the warehouse"
        wait_until(lambda: started(workers, run_id), "a worker with older code to begin", 300)
        # its log is written when the task has ended
        wait_until(lambda: said in log_of(workers, run_id, "begin_run"), said)
    assert "with the image that the scheduler has" in log_of(workers, run_id, "begin_run")
    workers.up("--no-deps", "worker")
    assert workers.wait(run_id) == "success", workers.explain(run_id)
    (begin,) = (one for one in workers.api.tasks(run_id) if one["task_id"] == "begin_run")
    assert begin["try_number"] == 2
    assert workers.marts() == first_marts


@contextlib.contextmanager
def held(stack: Stack, table: str) -> Iterator[None]:
    """Let nobody write to a table of the warehouse meanwhile."""
    psql = stack.start(
        "exec", "-T", "warehouse", "psql", "-U", "postgres", "-d", "greenery", "-qAt"
    )
    assert psql.stdin is not None
    assert psql.stdout is not None
    psql.stdin.write(f"begin; lock table {table} in exclusive mode; select 'held';\n")
    psql.stdin.flush()
    assert psql.stdout.readline() == "held\n"
    try:
        yield
    finally:
        psql.communicate()


def kill(container: str) -> None:
    """Kill a container's processes, as a machine that dies would; the engine starts it again."""
    state = json.loads(subprocess.check_output(["docker", "inspect", container]))[0]["State"]
    os.kill(state["Pid"], signal.SIGKILL)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may kill a container's process")
@pytest.mark.parametrize(
    ("task_id", "table"),
    [
        ("load_users", "raw.users"),
        ("build.dim_users", "marts_build.dim_users"),
        ("publish_marts", "marts.dim_users"),
    ],
)
def test_a_worker_killed_in_the_middle_of_a_task_costs_a_try_of_it(
    workers, first_marts, task_id, table
):
    # what is in the landing folder counts as new
    landing = ("--entrypoint", "sh", "init", "-c", "touch /landing/demo/users/*.csv")
    workers.compose("run", "--rm", "--no-deps", "-T", *landing)
    waits = f"select from pg_locks where not granted and relation = '{table}'::regclass"
    with held(workers, table):
        run_id = workers.api.trigger(ANEW)
        wait_until(lambda: workers.ask(f"select exists ({waits})") == [["t"]], task_id, 300)
        (task,) = (one for one in workers.api.tasks(run_id) if one["task_id"] == task_id)
        kill(task["hostname"])
    assert workers.wait(run_id, 900) == "success", workers.explain(run_id)
    tries = {one["task_id"]: one["try_number"] for one in workers.api.tasks(run_id)}
    assert tries[task_id] == 2
    assert workers.marts() == first_marts


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may kill a container's process")
def test_a_broker_and_one_of_two_schedulers_are_killed_during_a_run(workers, first_marts):
    workers.up("--no-deps", "--no-recreate", "--scale", "scheduler=2", "scheduler")
    first, _second = workers.compose("ps", "--quiet", "scheduler").stdout.split()
    run_id = workers.api.trigger(ANEW)
    wait_until(lambda: started(workers, run_id) > 3, "some tasks", 120)
    kill(workers.compose("ps", "--quiet", "broker").stdout.strip())
    wait_until(lambda: started(workers, run_id) > 10, "more tasks", 300)
    kill(first)
    assert workers.wait(run_id, 900) == "success", workers.explain(run_id)
    assert workers.marts() == first_marts
    workers.up("--no-deps", "--scale", "scheduler=1", "scheduler")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may kill a container's process")
def test_one_of_two_api_servers_is_killed_during_a_run(workers, first_marts):
    port = free_port()
    variables = {**workers.variables, "GREENERY_PORTS": f"{port}-{port + 1}"}
    two = dataclasses.replace(workers, port=port, variables=variables)
    two.up("--no-deps", "--scale", "api-server=2", "api-server")
    try:
        other = AirflowApi(f"http://127.0.0.1:{port + 1}")
        run_id = other.trigger(ANEW)
        # tasks at work ask both for what they need
        wait_until(lambda: started(two, run_id) > 3, "some tasks", 120)
        kill(two.compose("ps", "--quiet", "api-server").stdout.split()[0])
        assert two.wait(run_id, 900) == "success", two.explain(run_id)
        assert other.state(run_id) == "success"
        assert two.marts() == first_marts
    finally:
        workers.up("--no-deps", "--scale", "api-server=1", "api-server")


def log_of(stack: Stack, run_id: str, task_id: str) -> str:
    """Return what the UI shows of a task's first try."""
    path = f"/dags/{SHOP.dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/logs/1"
    return json.dumps(stack.api.call("GET", path, headers={"Accept": "application/json"}))


def look_after_runs(stack: Stack) -> None:
    """Have what looks after the runs do so now; by itself it does every five minutes."""
    watch = AirflowApi(f"http://127.0.0.1:{stack.port}", "greenery_alerts")
    run_id = watch.trigger()
    wait_until(lambda: watch.state(run_id) in ("success", "failed"), "the runs are looked at", 180)
    assert watch.state(run_id) == "success"


def ids_of_workers(stack: Stack) -> list[str]:
    return stack.compose("ps", "--quiet", "worker").stdout.split()


def started(stack: Stack, run_id: str) -> int:
    return sum(task["start_date"] is not None for task in stack.api.tasks(run_id))
