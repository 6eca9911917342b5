"""The dbt project on which the product is tried, and its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.manifest import parse

PROJECT = Path(__file__).parents[2] / "dbt" / "greenery"


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return parse(PROJECT, tmp_path_factory.mktemp("dbt"))
