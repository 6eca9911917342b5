"""The manifest of this shop's dbt project."""

from __future__ import annotations

from typing import Any

import pytest

from elt.transform.project import PROJECT
from tests.support.manifest import parse


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return parse(PROJECT, tmp_path_factory.mktemp("dbt"))
