"""What a scenario takes for right, and what it does not; no shop is broken here."""

from __future__ import annotations

import pytest
from slack_sdk import WebClient

from devtools.fake_slack import server
from devtools.scenarios.catalogue import SCENARIOS, Scenario
from devtools.scenarios.play import play
from devtools.scenarios.stage import ScenarioError, Stage
from elt.docker.environment import FAKE_CHANNEL, FAKE_TOKEN


@pytest.fixture
def slack():
    with server.running() as running:
        yield running


class Channel:
    """What the alerts would tell."""

    def __init__(self, address):
        self._bot = WebClient(FAKE_TOKEN, base_url=f"http://{address}/api/", retry_handlers=[])

    def post(self, text, key="alert:run 1:#data-alerts", **more):
        metadata = {"event_type": "greenery_alert", "event_payload": {"key": key}}
        return self._bot.chat_postMessage(
            channel=FAKE_CHANNEL, text=text, metadata=metadata, **more
        )

    def update(self, message, text):
        self._bot.chat_update(channel=message["channel"], ts=message["ts"], text=text)


def played(slack, steps, says=("1 load failed",)):
    """Play steps as a scenario and return what was shown: step → texts."""
    channel, shown = Channel(slack.address), {}
    # what was there before is another story
    channel.post("1 load failed", key="alert:run 0:#data-alerts")
    scenario = Scenario("a", "b", lambda _: steps(channel), says=says)
    stage = Stage(None, None, None, slack.address)
    play(scenario, stage, shown.__setitem__, patience=0.3)
    return {step: [message["text"] for message in messages] for step, messages in shown.items()}


def test_one_message_that_turns_green_is_right(slack):
    def steps(channel):
        message = channel.post("1 load failed")
        channel.post("why", key="reply:1", thread_ts=message["ts"])
        channel.post("3 warnings", key="warnings:2026-11-21")
        yield
        channel.update(message, "Resolved after 2 min: 1 load failed")

    assert played(slack, steps) == {
        "broken": ["1 load failed", "why"],
        "mended": ["Resolved after 2 min: 1 load failed", "why"],
    }


def nothing(channel):
    yield


def another(channel):
    channel.post("1 model failed")
    yield


def two(channel):
    channel.post("1 load failed")
    channel.post("1 load failed", key="alert:run 2:#data-alerts")
    yield


def green_at_once(channel):
    channel.post("Resolved after 0 s: 1 load failed")
    yield


def red_for_ever(channel):
    channel.post("1 load failed")
    yield


@pytest.mark.parametrize("steps", [nothing, another, two, green_at_once, red_for_ever])
def test_anything_else_is_an_error_that_shows_what_came(slack, steps):
    with pytest.raises(ScenarioError, match="Not one message with `") as error:
        played(slack, steps)
    came = {"nothing": "Nothing.", "another": "1 model failed"}.get(steps.__name__, "1 load failed")
    assert came in str(error.value)


def test_what_a_scenario_holds_is_given_back_when_something_else_arrives(slack):
    given_back = []

    def steps(channel):
        try:
            yield
        finally:
            given_back.append(True)

    with pytest.raises(ScenarioError):
        played(slack, steps)
    assert given_back


def test_each_scenario_says_in_a_line_what_is_broken_and_what_should_arrive():
    assert len(SCENARIOS) >= 10
    for name, scenario in SCENARIOS.items():
        for line in (scenario.breaks, scenario.arrives):
            assert 10 < len(line) < 100, name
            assert "\n" not in line
        assert bool(scenario.says) != scenario.arrives.startswith("nothing"), name


def test_where_nothing_should_arrive_something_is_an_error(slack):
    assert played(slack, nothing, says=()) == {"broken": []}
    with pytest.raises(ScenarioError, match=r"Something arrived:\n(.|\n)*1 model failed"):
        played(slack, another, says=())
