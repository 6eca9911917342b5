"""docker-compose.yml on a real engine. The tests use one stack and stand in the order they run."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time

import pytest

from include.docker.keys import MAKERS
from tests.docker.stack import SERVICES, Stack, running
from tests.support.fake_slack import WEBHOOK

pytestmark = pytest.mark.timeout(1800)
DIM_STATES = """
select state, count(*) as user_count from {{ ref('dim_users') }} where state is not null group by 1
"""
ABOUT_DIM_STATES = """
models:
  - name: dim_states
    description: Where users live. One row per state.
    constraints: [{type: primary_key, columns: [state]}]
    columns:
      - name: state
        data_type: text
        data_tests: [not_null, unique]
      - name: user_count
        data_type: bigint
"""


def test_the_configuration_is_clean_without_any_variable(stack):
    done = Stack("x", stack.folder, 8080, {}).compose("config")
    assert done.stderr == ""
    for secret in ("password:", "PASSWORD:", "fernet_key:"):
        assert secret not in done.stdout


def test_the_first_run_comes_by_itself_and_publishes(stack):
    run_id = stack.first_run()
    assert stack.wait(run_id) == "success", stack.explain(run_id)
    assert len(stack.marts()) == 15
    assert int(stack.ask("select count(*) from marts.fct_kpis")[0][0]) > 5
    log = stack.api.call(
        "GET",
        f"/dags/greenery_elt/dagRuns/{run_id}/taskInstances/build.fct_orders/logs/1",
        headers={"Accept": "application/json"},
    )
    assert "fct_orders" in json.dumps(log)


def test_every_service_is_healthy_limited_and_starts_again(stack):
    for service in SERVICES:
        container = stack.inspect(service)
        assert container["State"]["Health"]["Status"] == "healthy"
        assert container["HostConfig"]["Memory"] > 0
        assert container["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
        assert container["Config"]["User"] != "root"


def test_nothing_listens_beyond_loopback(stack):
    published = []
    for service in (*SERVICES, "housekeeping"):
        ports = stack.inspect(service)["NetworkSettings"]["Ports"] or {}
        published += [binding for bindings in ports.values() for binding in bindings or []]
    assert published == [{"HostIp": "127.0.0.1", "HostPort": str(stack.port)}]


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
    for secret in secrets(stack):
        assert secret not in about


def secrets(stack: Stack) -> list[str]:
    values = [stack.in_service("scheduler", "cat", f"/run/greenery/{name}") for name in MAKERS]
    assert all(len(value) > 10 for value in values)
    return values


def test_secrets_are_closed_to_others_and_in_no_log(stack):
    modes = stack.in_service("scheduler", "stat", "-c", "%a %n", *(
        f"/run/greenery/{name}" for name in MAKERS
    ))  # fmt: skip
    assert {line.split()[0] for line in modes.splitlines()} == {"600"}
    logs = stack.compose("logs").stdout
    task_logs = stack.in_service(
        "scheduler", "sh", "-c", "find /opt/airflow/logs -type f | xargs cat"
    )
    for secret in secrets(stack):
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


def test_an_edited_and_an_added_model_are_in_the_next_run(stack):
    models = stack.folder / "dbt/greenery/models/marts/core"
    edited, added = models / "dim_users.sql", models / "dim_states.sql"
    before = edited.read_text()
    try:
        edited.write_text(
            before.replace("users.first_name,", "upper(users.first_name) as first_name,")
        )
        assert edited.read_text() != before
        added.write_text(DIM_STATES)
        (models / "_dim_states.yml").write_text(ABOUT_DIM_STATES)
        subprocess.run(["chmod", "-R", "a+rX", str(stack.folder)], check=True)
        run_id = stack.run()
    finally:
        edited.write_text(before)
        added.unlink(missing_ok=True)
        (models / "_dim_states.yml").unlink(missing_ok=True)
    tasks = [task["task_id"] for task in stack.api.tasks(run_id)]
    assert "build.dim_states" in tasks
    assert stack.ask(
        "select bool_and(first_name = upper(first_name)), count(*) > 0 from marts_build.dim_users"
    ) == [["t", "t"]]
    stack.run()


def test_down_and_up_keeps_everything_and_lost_passwords_are_made_again(stack):
    before = stack.marts()
    runs = stack.api.call("GET", "/dags/greenery_elt/dagRuns")["total_entries"]
    # what is not encrypted with them can be new at any start
    stack.compose(
        *("run", "--rm", "--no-deps", "-T", "--entrypoint", "sh", "init", "-c"),
        "rm /run/greenery/warehouse_password /run/greenery/metadata_password "
        "/run/greenery/metadata_url /run/greenery/jwt_secret",
    )
    stack.compose("down")
    stack.up()
    assert stack.marts() == before
    assert stack.api.call("GET", "/dags/greenery_elt/dagRuns")["total_entries"] == runs
    stack.run()
    assert stack.marts() == before


def test_a_failing_run_reaches_slack_and_the_next_start_needs_no_more_than_a_variable(stack):
    told = Stack(
        stack.project,
        stack.folder,
        stack.port,
        {"GREENERY_SLACK": f"http://127.0.0.1:8065/services/{WEBHOOK}"},
    )
    told.up()
    processor = told.inspect("dag-processor")
    slack = subprocess.check_output(
        [
            *("docker", "run", "--detach", "--rm", "--entrypoint", "python"),
            *("--network", f"container:{processor['Id']}"),
            *("--volume", f"{stack.folder}/tests:/fake/tests:ro", "--workdir", "/fake"),
            *(processor["Config"]["Image"], "-m", "tests.support.fake_slack"),
        ],
        text=True,
    ).strip()
    model = stack.folder / "dbt/greenery/tests/assert_never.sql"
    try:
        model.write_text("select order_id from {{ ref('fct_orders') }}\n")
        model.chmod(0o644)
        told.api.wait_for_dag()
        run_id = told.api.trigger()
        assert told.wait(run_id) == "failed"
        messages: list[dict] = []
        deadline = time.monotonic() + 60
        while not messages and time.monotonic() < deadline:
            time.sleep(1)
            taken = told.in_service("dag-processor", "curl", "-s", "http://127.0.0.1:8065/messages")
            messages = json.loads(taken)
    finally:
        model.unlink()
        subprocess.run(["docker", "kill", slack], capture_output=True)
        stack.up()
    assert len(messages) == 1
    assert re.search(r"\bnever: \d+ rows", json.dumps(messages))
    stack.run()


def test_rotated_passwords_are_told_to_everybody(stack):
    before = secrets(stack)
    stack.compose("run", "--rm", "-T", "init", "rotate")
    stack.up("--force-recreate")
    after = secrets(stack)
    kept = [name for name, old, new in zip(MAKERS, before, after, strict=True) if old == new]
    assert kept == ["fernet_key"]
    stack.run()


def test_a_lost_key_that_data_was_encrypted_with_is_told_in_words(stack):
    stack.api.call("POST", "/variables", json={"key": "precious", "value": "1"})
    key = stack.in_service("scheduler", "cat", "/run/greenery/fernet_key")
    shell = ("run", "--rm", "--no-deps", "-T", "--entrypoint", "sh", "init", "-c")
    stack.compose(*shell, "rm /run/greenery/fernet_key")
    try:
        done = stack.compose("run", "--rm", "--no-deps", "-T", "init", check=False)
    finally:
        stack.compose(*shell, "umask 077; cat > /run/greenery/fernet_key", input=key)
    assert done.returncode == 1
    assert "fernet_key is lost, and 1 of Airflow's own connections or variables" in done.stderr
    assert "Traceback" not in done.stderr
    assert stack.api.call("GET", "/variables/precious")["value"] == "1"
    stack.api.call("DELETE", "/variables/precious")


def test_a_volume_of_another_postgres_is_refused_in_words(stack):
    image = stack.inspect("warehouse")["Config"]["Image"]
    old = (
        "mkdir -p /var/lib/postgresql/12/docker; echo 12 >/var/lib/postgresql/12/docker/PG_VERSION"
    )
    script = stack.folder / "include/docker/postgres.sh"
    done = subprocess.run(
        [
            *(
                "docker",
                "run",
                "--rm",
                "--entrypoint",
                "sh",
                "--volume",
                f"{script}:/postgres.sh:ro",
            ),
            *(image, "-c", f"{old}; exec sh /postgres.sh postgres"),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "holds the data of PostgreSQL 12" in done.stderr
    assert "Nothing was changed" in done.stderr


def test_beyond_loopback_the_ui_asks_for_a_log_in(stack):
    # without the ports of the service: nothing here listens beyond loopback
    container = stack.compose(
        *("run", "--detach", "--rm", "--no-deps", "--env", "GREENERY_BIND=0.0.0.0", "api-server")
    ).stdout.strip()
    password = stack.in_service("scheduler", "cat", "/run/greenery/ui_password")

    def status(*arguments: str) -> str:
        curl = ("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}")
        return subprocess.run(
            ["docker", "exec", container, *curl, *arguments],
            capture_output=True,
            text=True,
        ).stdout

    def log_in(password: str) -> str:
        body = json.dumps({"username": "admin", "password": password})
        header = "Content-Type: application/json"
        return status("-H", header, "-d", body, "http://127.0.0.1:8080/auth/token")

    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            if status("http://127.0.0.1:8080/api/v2/monitor/health") == "200":
                break
            time.sleep(1)
        assert status("http://127.0.0.1:8080/api/v2/dags") == "401"
        assert log_in("admin") == "401"
        assert log_in(password) == "201"
    finally:
        subprocess.run(["docker", "rm", "--force", container], capture_output=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may kill a container's process")
def test_a_killed_container_comes_back_and_its_run_ends_right(stack):
    before = stack.marts()
    stack.api.wait_for_dag()
    run_id = stack.api.trigger()
    for service in ("dag-processor", "triggerer", "api-server", "warehouse", "scheduler"):
        time.sleep(5)
        died = stack.inspect(service)
        # `docker kill` would count as a stop by hand, after which nothing restarts
        os.kill(died["State"]["Pid"], signal.SIGKILL)
    assert stack.wait(run_id, 900) == "success", stack.explain(run_id)
    stack.up()
    for service in ("dag-processor", "triggerer", "api-server", "warehouse", "scheduler"):
        assert stack.inspect(service)["RestartCount"] >= 1
    assert stack.marts() == before


def test_backup_wipe_restore(stack):
    client, server = (
        re.search(r"(\d+)\.", stack.in_service("warehouse", program, "--version"))[1]
        for program in ("pg_dump", "postgres")
    )
    if client != server:
        pytest.skip(f"this image's pg_dump {client} can't read its server {server}")
    before = stack.marts()
    runs = stack.api.call("GET", "/dags/greenery_elt/dagRuns")["total_entries"]
    save(stack, "save")
    stack.compose("down", "--volumes")
    save(stack, "restore")
    assert stack.marts() == before
    assert stack.api.call("GET", "/dags/greenery_elt/dagRuns")["total_entries"] == runs
    stack.run()
    assert stack.marts() == before


def save(stack: Stack, action: str) -> None:
    done = subprocess.run(
        ["sh", "include/docker/backup.sh", action, "backups/one"],
        cwd=stack.folder,
        env={
            **{key: value for key, value in os.environ.items() if not key.startswith("GREENERY_")},
            "COMPOSE_PROJECT_NAME": stack.project,
            "GREENERY_PORT": str(stack.port),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_housekeeping_forgets_old_logs(stack):
    stack.in_service("scheduler", "touch", "-d", "2020-01-01", "/opt/airflow/logs/old.log")
    done = stack.compose(
        "exec", "-T", "housekeeping", "python", "-m", "include.docker.housekeeping"
    )
    assert "1 log files deleted" in done.stdout
    assert stack.api.call("GET", "/dags/greenery_elt/dagRuns")["total_entries"] > 0


def test_real_data_beside_the_demo_gives_the_known_answers(stack, folders, real_landing):
    variables = {"GREENERY_LANDING": str(real_landing)}
    with running(f"{stack.project}-real", folders / "real", **variables) as real:
        run_id = real.first_run()
        assert real.wait(run_id) == "success", real.explain(run_id)
        assert real.ask(
            "select numerator::int, denominator::int from marts.fct_kpis "
            "where metric = 'repeat_rate'"
        ) == [["99", "124"]]
        assert real.ask("select url from ops.source") == [[f"file:///landing{real_landing}"]]
    assert stack.api.call("GET", "/monitor/health")["scheduler"]["status"] == "healthy"
