"""The files for a cluster are valid, and name what is there. No cluster and no helm is asked."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest
import yaml

from tests.support.installation import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"


@pytest.fixture(scope="module")
def validate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("validate", FOLDER / "validate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return shutil.copytree(FOLDER, tmp_path / "kubernetes")


def test_every_secret_that_is_asked_for_is_in_the_example(validate):
    assert validate.disagreements() == []


def test_a_secret_that_nobody_makes_is_named(validate, copy):
    file = copy / "values.yaml"
    file.write_text(file.read_text().replace("greenery-jwt-secret", "another"))
    (said,) = validate.disagreements(copy)
    assert "jwt-secret of the secret another" in said


def test_the_manifests_are_valid_and_one_that_is_not_is_named(validate, copy):
    pytest.importorskip("kubernetes_validate", reason="deploy/kubernetes/requirements.txt")
    assert validate.faults() == []
    file = copy / "pod-template.yaml"
    file.write_text(file.read_text().replace("restartPolicy", "restartpolicy"))
    (said,) = validate.faults(copy)
    assert said.startswith("Pod task:")
    assert "restartpolicy" in said


def test_pods_have_limits_and_no_secret_stands_in_the_values():
    values = yaml.safe_load((FOLDER / "values.yaml").read_text())
    for part in ("scheduler", "dagProcessor", "apiServer"):
        assert values[part]["resources"]["limits"]["memory"]
    assert not {"fernetKey", "apiSecretKey", "jwtSecret"} & values.keys()
    assert "metadataConnection" not in values["data"]
