"""`make slack`: the fake Slack of a checkout, and who is told by it."""

from __future__ import annotations

import json
import os

import httpx
import pytest

from include.local import slack
from include.local.home import Home


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv(slack.VARIABLE, raising=False)
    home = Home(state=tmp_path / "state")
    yield home
    slack.stop(home)


def test_it_starts_once_is_found_again_and_stops(home):
    assert slack.running(home) is None
    address = slack.start(home)
    assert httpx.get(f"http://{address}/", trust_env=False).status_code == 200
    assert slack.start(home) == address == slack.running(home)
    assert f"http://{address}" in slack.in_words(home, address, airflow_is_up=False)
    assert slack.stop(home)
    assert slack.running(home) is None
    assert not slack.stop(home)


def test_a_taken_port_is_left(home, tmp_path):
    first = slack.start(home)
    other = Home(state=tmp_path / "other")
    other.remembered("slack_port", lambda: int(first.rpartition(":")[2]))
    try:
        assert slack.start(other) != first
    finally:
        slack.stop(other)


def test_a_run_tells_it_if_asked_or_if_it_runs_and_no_other_is_known(home, monkeypatch):
    # so that what is set below is taken back
    monkeypatch.setenv(slack.VARIABLE, "")
    assert slack.use(home, None) is None
    assert not os.environ[slack.VARIABLE]
    address = slack.use(home, "local")
    known = json.loads(os.environ[slack.VARIABLE])
    assert known["extra"]["base_url"] == f"http://{address}/api/"

    monkeypatch.setenv(slack.VARIABLE, "")
    assert slack.use(home, None) == address
    monkeypatch.setenv(slack.VARIABLE, "a real one")
    assert slack.use(home, None) is None
    assert os.environ[slack.VARIABLE] == "a real one"
    assert slack.use(home, "local") == address


def test_another_slack_than_the_local_one_is_refused_in_words(home):
    with pytest.raises(slack.SlackError, match="SLACK=https is not known"):
        slack.use(home, "https")
