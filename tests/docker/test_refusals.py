"""Bad input: what is wrong and how to mend it is said in words, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import time


def test_a_lost_key_that_data_was_encrypted_with(stack):
    stack.api.call("POST", "/variables", json={"key": "precious", "value": "1"})
    key = stack.secrets()["fernet_key"]
    stack.in_secrets("rm /run/greenery/fernet_key")
    try:
        done = stack.init()
    finally:
        stack.in_secrets("umask 077; cat > /run/greenery/fernet_key", input=key)
    assert done.returncode == 1
    assert "fernet_key is lost, and 1 of Airflow's own connections or variables" in done.stderr
    assert "Traceback" not in done.stderr
    assert stack.api.call("GET", "/variables/precious")["value"] == "1"
    stack.api.call("DELETE", "/variables/precious")


def test_a_broken_model_and_a_database_that_lets_nobody_in(stack):
    url = "postgresql://shop:not-its-password@metadata/airflow"
    broken = stack.folder / "broken.sql"
    broken.write_text("select * from {{ ref('no_such_model') }}\n")
    broken.chmod(0o644)
    # in the place of a model, but for this container alone
    model = "/opt/airflow/dbt/greenery/models/marts/core/dim_users.sql"
    done = stack.init("--volume", f"{broken}:{model}:ro", "--env", f"GREENERY_SOURCE={url}")
    assert done.returncode == 0
    assert "greenery_elt.py can't be read, so its DAG does not run" in done.stderr
    assert "depends on a node named 'no_such_model' which was not found" in done.stderr
    assert "The shop's database (GREENERY_SOURCE) can't be read now" in done.stderr
    assert "not-its-password" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_where_a_url_is_wanted(stack):
    done = stack.init("--env", "GREENERY_SOURCE=/data/landing")
    assert done.returncode == 1
    assert "A folder of this machine goes into GREENERY_LANDING." in done.stderr


def test_a_volume_of_another_postgres(stack):
    image = stack.inspect("warehouse")["Config"]["Image"]
    old = (
        "mkdir -p /var/lib/postgresql/12/docker; echo 12 >/var/lib/postgresql/12/docker/PG_VERSION"
    )
    script = stack.folder / "include/elt/docker/postgres.sh"
    done = subprocess.run(
        [
            *("docker", "run", "--rm", "--entrypoint", "sh"),
            *("--volume", f"{script}:/postgres.sh:ro"),
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
        assert log_in(stack.secrets()["ui_password"]) == "201"
    finally:
        subprocess.run(["docker", "rm", "--force", container], capture_output=True)
