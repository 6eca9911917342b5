"""One running Airflow for the end-to-end tests of a file; each test has a shop of its own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.fake_slack import server
from devtools.fake_slack.server import FakeSlack
from tests.support.installation import (
    Installation,
    copy_checkout,
    keep_models,
    running_installation,
)


@pytest.fixture(scope="module")
def installation(request, tmp_path_factory) -> Iterator[Installation]:
    """An Airflow with all models, or with those that the test's file names as MODELS."""
    checkout = copy_checkout(tmp_path_factory.mktemp("installation") / "checkout")
    if names := getattr(request.module, "MODELS", None):
        keep_models(checkout, names)
    with running_installation(checkout) as running:
        yield running


@pytest.fixture
def landing(tmp_path, real_data) -> Path:
    """A landing folder with the real data, free to be changed."""
    folder = tmp_path / "landing"
    folder.mkdir()
    for file in real_data.glob("*.csv"):
        # not its permissions: the folder with the real data may be read-only
        shutil.copyfile(file, folder / file.name)
    return folder


@pytest.fixture
def shop(installation, landing):
    with installation.shop(landing) as shop:
        yield shop


@pytest.fixture
def slack(installation) -> Iterator[FakeSlack]:
    """A strict Slack that the installation's bot connection leads to."""
    with server.running() as fake:
        installation.connect("greenery_slack", fake.bot_connection())
        yield fake
        installation.disconnect("greenery_slack")
