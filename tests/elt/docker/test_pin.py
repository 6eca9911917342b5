"""`make pin-images`, with a docker in its place that says what a registry would."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.installation import ROOT

DIGEST = "sha256:" + "ab" * 32
# what it says of an image is in a file, else one digest of the image's own repository
DOCKER = f"""#!/bin/sh
echo "$@" >>calls
case $1 in
    pull) echo "$3" ;;
    image) cat digests 2>/dev/null || echo "${{5%:*}}@{DIGEST}" ;;
esac
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    docker = tmp_path / "bin/docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    return tmp_path


def pin(folder: Path) -> subprocess.CompletedProcess[str]:
    environ = {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}"}
    script = ROOT / "include/elt/docker/pin.sh"
    return subprocess.run(
        ["sh", str(script)], cwd=folder, env=environ, capture_output=True, text=True
    )


def test_both_images_are_named_by_digest_and_renewed_by_the_same_command(folder):
    (folder / ".env").write_text("GREENERY_PORT=8081\nAIRFLOW_IMAGE='apache/airflow:slim-3.3.2'\n")
    expected = (
        "GREENERY_PORT=8081\n"
        f"POSTGRES_IMAGE=postgres:18@{DIGEST}\n"
        f"AIRFLOW_IMAGE=apache/airflow:slim-3.3.2@{DIGEST}\n"
    )
    for _ in range(2):
        assert pin(folder).returncode == 0
        assert (folder / ".env").read_text() == expected
    # the tag is asked for, not the digest of last time
    assert "@" not in (folder / "calls").read_text()
    assert (folder / ".env").stat().st_mode & 0o077 == 0


def test_without_an_env_file_it_makes_one(folder):
    assert pin(folder).returncode == 0
    assert (folder / ".env").read_text().count(DIGEST) == 2


@pytest.mark.parametrize(
    ("image", "known_as"),
    [
        pytest.param("postgres:18", "postgres", id="short"),
        pytest.param("docker.io/library/postgres:18", "postgres", id="in full"),
        pytest.param("postgres", "docker.io/library/postgres", id="without a tag"),
        pytest.param("mirror.example:5000/postgres:18", "mirror.example:5000/postgres", id="port"),
        pytest.param("mirror.example:5000/postgres", "mirror.example:5000/postgres", id="no tag"),
    ],
)
def test_the_digest_is_that_of_the_image_s_own_repository(folder, image, known_as):
    (folder / ".env").write_text(f"POSTGRES_IMAGE={image}\nAIRFLOW_IMAGE={image}\n")
    others = ("elsewhere.example/postgres", "bitnami/postgres", "mirror.example/postgres")
    known = [*(f"{name}@sha256:{'00' * 32}" for name in others), f"{known_as}@{DIGEST}"]
    (folder / "digests").write_text("\n".join(known) + "\n")
    assert pin(folder).returncode == 0
    assert (folder / ".env").read_text() == (
        f"POSTGRES_IMAGE={image}@{DIGEST}\nAIRFLOW_IMAGE={image}@{DIGEST}\n"
    )


@pytest.mark.parametrize("digests", ["", f"elsewhere.example/postgres@{DIGEST}\n"])
def test_an_image_that_its_registry_does_not_know_changes_nothing(folder, digests):
    (folder / ".env").write_text("GREENERY_PORT=8081\n")
    (folder / "digests").write_text(digests)
    refused = pin(folder)
    assert refused.returncode == 1
    assert "postgres:18 has no digest" in refused.stderr
    assert (folder / ".env").read_text() == "GREENERY_PORT=8081\n"
