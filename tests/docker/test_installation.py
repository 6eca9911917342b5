"""What `docker compose up` brings: services, limits, secrets, databases, and a run by itself."""

from __future__ import annotations

import json
import re
import subprocess

import httpx
import pytest

from elt.docker.environment import MAKERS
from tests.docker.stack import SERVICES, Stack


@pytest.mark.parametrize("executor", ["", "CeleryExecutor", "KubernetesExecutor"])
def test_the_configuration_is_clean_and_the_executor_a_variable(stack, executor):
    done = Stack("x", stack.folder, 8080, {"GREENERY_EXECUTOR": executor}).compose("config")
    assert done.stderr == ""
    assert f"AIRFLOW__CORE__EXECUTOR: {executor or 'LocalExecutor'}\n" in done.stdout
    for secret in ("password:", "PASSWORD:", "fernet_key:"):
        assert secret not in done.stdout


def test_the_first_run_comes_by_itself_and_publishes(stack, first_marts):
    assert {name for name, *_ in first_marts} == {
        *("dim_users", "fct_daily_orders", "fct_kpis"),
        *("fct_order_items", "fct_orders", "fct_user_orders"),
    }
    assert int(stack.ask("select count(*) from marts.fct_kpis")[0][0]) > 5


def test_a_task_s_log_can_be_read_from_every_component(stack, first_marts):
    run_id = stack.first_run()
    log = stack.api.call(
        "GET",
        f"/dags/greenery_elt/dagRuns/{run_id}/taskInstances/build.fct_orders/logs/1",
        headers={"Accept": "application/json"},
    )
    assert "fct_orders" in json.dumps(log)
    file = f"logs/dag_id=greenery_elt/run_id={run_id}/task_id=build.fct_orders/attempt=1.log"
    for service in ("api-server", "scheduler", "dag-processor", "triggerer"):
        assert "fct_orders" in stack.in_service(service, "cat", f"/opt/airflow/{file}")


def test_an_operator_has_one_command_and_it_leaves_what_tasks_keep_alone(stack, first_marts):
    kept = "/opt/greenery/tmp/of-a-task"
    stack.in_service("scheduler", "touch", kept)
    asked = stack.in_service("scheduler", "greenery", "override")
    assert asked.strip()
    assert "Traceback" not in asked
    stack.in_service("scheduler", "rm", kept)


def test_every_service_is_healthy_limited_and_starts_again(stack):
    for service in (*SERVICES, "slack"):
        container = stack.inspect(service)
        assert container["State"]["Health"]["Status"] == "healthy"
        assert container["HostConfig"]["Memory"] > 0
        assert container["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
        assert container["Config"]["User"] != "root"


def test_no_container_can_become_more_than_it_is(stack):
    for service in (*SERVICES, "slack", "housekeeping"):
        host = stack.inspect(service)["HostConfig"]
        assert host["CapDrop"] == ["ALL"]
        assert host["SecurityOpt"] == ["no-new-privileges:true"]
        # of the first process, when it has become what it runs as
        status = stack.in_service(service, "cat", "/proc/1/status")
        assert "NoNewPrivs:\t1" in status
        assert re.search(r"CapEff:\t0+\n", status), service
        assert host["ReadonlyRootfs"] == (service in ("warehouse", "metadata", "slack"))


def test_a_page_of_somebody_elses_reads_and_changes_nothing(stack):
    slack = stack.variables["GREENERY_SLACK_PORT"]
    pages = {stack.port: "/api/v2/dags", int(slack): "/messages"}
    for port, path in pages.items():
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as browser:
            for method in ("GET", "POST", "DELETE"):
                evil = {"Host": f"evil.example:{port}"}
                assert browser.request(method, path, headers=evil).status_code == 400
                evil = {"Origin": "http://evil.example"}
                assert browser.request(method, path, headers=evil).status_code == 403
            own = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"}
            assert browser.get(path, headers=own).status_code == 200


def test_nothing_listens_beyond_loopback(stack):
    published = []
    for service in (*SERVICES, "housekeeping", "slack"):
        ports = stack.inspect(service)["NetworkSettings"]["Ports"] or {}
        published += [binding for bindings in ports.values() for binding in bindings or []]
    ours = {str(stack.port), stack.variables["GREENERY_SLACK_PORT"]}
    assert {binding["HostPort"] for binding in published} == ours
    assert {binding["HostIp"] for binding in published} == {"127.0.0.1"}


def test_the_image_holds_no_tests_and_no_secret(stack):
    image = stack.inspect("scheduler")["Config"]["Image"]
    found = subprocess.check_output(
        [
            *("docker", "run", "--rm", "--entrypoint", "find", image),
            *("/opt/airflow", "/run/greenery", "/landing", "-type", "f"),
        ],
        text=True,
    )
    assert "/opt/airflow/dags/greenery_elt.py" in found
    for unwanted in ("/opt/airflow/tests", ".git/", ".env", "/run/greenery/", "/landing/demo/"):
        assert unwanted not in found
    about = subprocess.check_output(["docker", "image", "inspect", image], text=True)
    about += subprocess.check_output(["docker", "history", "--no-trunc", image], text=True)
    for secret in stack.secrets().values():
        assert secret not in about


def test_secrets_are_closed_to_others_and_in_no_log(stack, first_marts):
    modes = stack.in_service("scheduler", "stat", "-c", "%a %n", *(
        f"/run/greenery/{name}" for name in MAKERS
    ))  # fmt: skip
    assert {line.split()[0] for line in modes.splitlines()} == {"600"}
    logs = stack.compose("logs").stdout
    task_logs = stack.in_service(
        "scheduler", "sh", "-c", "find /opt/airflow/logs -type f | xargs cat"
    )
    for secret in stack.secrets().values():
        assert secret not in logs
        assert secret not in task_logs


def test_nobody_gets_into_a_database_by_network_without_a_password(stack):
    for host, database in (("warehouse", "greenery"), ("metadata", "airflow")):
        done = stack.compose(
            *("exec", "-T", "scheduler", "python", "-c"),
            "import psycopg2, sys; psycopg2.connect(host=sys.argv[1], user='postgres', "
            "dbname=sys.argv[2], connect_timeout=5)",
            *(host, database),
            check=False,
        )
        assert "no password supplied" in done.stderr


def test_databases_are_as_the_loads_want_them(stack):
    assert stack.ask("select current_setting('TimeZone')") == [["UTC"]]
    assert stack.ask(
        "select datlocprovider, datlocale from pg_database where datname = 'greenery'"
    ) == [["b", "C.UTF-8"]]
    assert stack.ask("select current_setting('server_version_num')::int / 10000 >= 17") == [["t"]]
