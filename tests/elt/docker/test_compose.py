"""What docker-compose.yml and the workflows promise, as far as it shows without an engine."""

from __future__ import annotations

import os
import re
import subprocess

import pytest
import yaml

from tests.support.installation import ROOT

SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_no_container_can_become_more_than_it_is(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    added = service.get("cap_add", [])
    assert not added or name in ("warehouse", "metadata", "broker")


@pytest.mark.parametrize("name", ["warehouse", "metadata", "slack", "broker"])
def test_what_needs_no_file_of_its_own_has_a_root_that_nobody_writes_to(name):
    assert SERVICES[name]["read_only"] is True
    assert SERVICES[name]["tmpfs"] == ["/tmp"]


CURL = """#!/bin/sh
case "$*" in
    *elsewhere*) [ "$TO_ANOTHER_NAME" = 200 ] ;;
    *) echo '{"metadatabase":{"status":"'"$DATABASE"'"},"scheduler":{"status":"healthy"}}' ;;
esac
"""


@pytest.mark.parametrize(
    ("database", "to_another_name", "is_healthy"),
    [("healthy", "400", True), ("unhealthy", "400", False), ("healthy", "200", False)],
)
def test_a_ui_without_its_database_or_that_answers_to_any_name_is_ill(
    tmp_path, database, to_another_name, is_healthy
):
    (tmp_path / "curl").write_text(CURL)
    (tmp_path / "curl").chmod(0o755)
    kind, check = SERVICES["api-server"]["healthcheck"]["test"]
    assert kind == "CMD-SHELL"
    answers = {"DATABASE": database, "TO_ANOTHER_NAME": to_another_name}
    environ = {"PATH": f"{tmp_path}:{os.environ['PATH']}", **answers}
    assert (subprocess.run(["sh", "-c", check], env=environ).returncode == 0) == is_healthy


def test_each_variable_that_is_offered_reaches_a_service():
    offered = re.findall(r"^#?([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    compose = (ROOT / "docker-compose.yml").read_text()
    assert {"GREENERY_SLACK", "GREENERY_MAIL", "GREENERY_WEBHOOK"} <= {*offered}
    # which docker compose reads itself
    assert {name for name in offered if f"${{{name}:-" not in compose} == {"COMPOSE_PROFILES"}


def test_each_action_is_named_by_its_commit():
    text = "".join(file.read_text() for file in (ROOT / ".github/workflows").glob("*.yml"))
    used = re.findall(r"uses: (\S+)", text)
    assert used
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action) for action in used)


def test_the_api_server_shows_the_report_that_tasks_write():
    def of(name: str) -> tuple[str, dict[str, str]]:
        service = SERVICES[name]
        mounts = (volume.split(":", 1) for volume in service["volumes"])
        return service["environment"]["GREENERY_REPORT"], dict(mounts)

    (written, scheduler), (shown, api_server) = of("scheduler"), of("api-server")
    assert written == shown
    assert scheduler["report"] == written
    assert api_server["report"] == f"{shown}:ro"


def test_a_worker_writes_where_no_other_container_does_and_has_no_secret_of_airflow_s():
    worker = SERVICES["worker"]
    assert worker["volumes"]
    assert all(volume.endswith(":ro") for volume in worker["volumes"])
    assert "worker-secrets:/run/greenery:ro" in worker["volumes"]
    for secret in ("fernet_key", "jwt_secret", "api_secret_key", "ui_password"):
        assert secret not in str(worker["environment"])


def test_the_image_gets_what_not_everybody_needs_by_one_argument():
    arguments = SERVICES["init"]["build"]["args"]
    assert arguments["EXTRAS"] == "${GREENERY_EXTRAS:-}"
    dockerfile = (ROOT / "Dockerfile").read_text()
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    for extra in ("celery", "s3"):
        assert f"requirements-{extra}.txt" in dockerfile
        assert f"!requirements-{extra}.txt" in ignored
