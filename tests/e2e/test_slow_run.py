"""A run that takes longer than it may, by `make run` and Airflow's own Deadline alert."""

from __future__ import annotations

import json
import threading

import pytest

from include.slack import fake_slack
from tests.support.installation import copy_checkout, local_command
from tests.support.switch import Switch

# a whole run; a busy machine may take its time
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_slow_run_is_told_while_it_goes_on_and_a_published_one_reaches_the_dead_man_switch(
    tmp_path, monkeypatch
):
    checkout = copy_checkout(tmp_path / "checkout")
    # 7 s, and a run takes more
    monkeypatch.setenv("GREENERY_RUN_HOURS", "0.002")
    with fake_slack.running() as slack, Switch() as switch:
        threading.Thread(target=switch.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("AIRFLOW_CONN_GREENERY_SLACK", slack.bot_connection())
        monkeypatch.setenv("AIRFLOW_CONN_GREENERY_DEAD_MAN", switch.connection)
        try:
            done = local_command(checkout, "run")
        finally:
            local_command(checkout, "reset")
        switch.shutdown()
    assert done.returncode == 0, done.stdout + done.stderr
    (message,) = slack.messages
    shown = json.dumps(message)
    assert "The run takes longer than 7 s" in shown
    assert "Greenery is late" in shown or "Resolved after" in shown
    assert switch.asked == [f"GET {switch.path}"]
