"""`make slack`: the fake Slack of a checkout, and who is told by it."""

from __future__ import annotations

import json
import os

import httpx
import pytest

from devtools.local import fake_slack
from devtools.local.state_folder import Home


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv(fake_slack.VARIABLE, raising=False)
    home = Home(state=tmp_path / "state")
    yield home
    fake_slack.stop(home)


def test_it_starts_once_is_found_again_and_stops(home):
    assert fake_slack.running(home) is None
    address = fake_slack.start(home)
    assert httpx.get(f"http://{address}/", trust_env=False).status_code == 200
    assert fake_slack.start(home) == address == fake_slack.running(home)
    assert f"http://{address}" in fake_slack.describe(home, address, airflow_is_up=False)
    assert fake_slack.stop(home)
    assert fake_slack.running(home) is None
    assert not fake_slack.stop(home)


def test_a_taken_port_is_left(home, tmp_path):
    first = fake_slack.start(home)
    other = Home(state=tmp_path / "other")
    other.remembered("slack_port", lambda: int(first.rpartition(":")[2]))
    try:
        assert fake_slack.start(other) != first
    finally:
        fake_slack.stop(other)


def test_a_run_tells_it_if_asked_or_if_it_runs_and_no_other_is_known(home, monkeypatch):
    # so that what is set below is taken back
    monkeypatch.setenv(fake_slack.VARIABLE, "")
    assert fake_slack.use(home, None) is None
    assert not os.environ[fake_slack.VARIABLE]
    address = fake_slack.use(home, "local")
    known = json.loads(os.environ[fake_slack.VARIABLE])
    assert known["extra"]["base_url"] == f"http://{address}/api/"

    monkeypatch.setenv(fake_slack.VARIABLE, "")
    assert fake_slack.use(home, None) == address
    monkeypatch.setenv(fake_slack.VARIABLE, "a real one")
    assert fake_slack.use(home, None) is None
    assert os.environ[fake_slack.VARIABLE] == "a real one"
    assert fake_slack.use(home, "local") == address


def test_another_slack_than_the_local_one_is_refused_in_words(home):
    with pytest.raises(fake_slack.SlackError, match="SLACK=https is not known"):
        fake_slack.use(home, "https")
