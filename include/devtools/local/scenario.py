"""``make scenario``: break a demo run on purpose, and show what arrives in Slack."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from devtools.fake_slack.owners import owner_groups
from devtools.fake_slack.picture import take
from devtools.fake_slack.terminal import channel_in_words
from devtools.local import postgres
from devtools.local.processes import exit_when_told
from devtools.local.state_folder import Home, warehouse_connection
from devtools.scenarios.catalogue import SCENARIOS
from devtools.scenarios.play import play
from devtools.scenarios.stage import ScenarioError, opened
from elt.cli.terminal import print_table


def scenario(home: Home, name: str, pictures: Path | None = None) -> int:
    """Play a scenario in an installation of its own; without a name, list them all.

    Args:
        pictures: folder for pictures of what arrives, ``alerts-<name>-<step>.png``.

    Raises:
        ScenarioError: if there is none of this name, or something else arrives than should.
        NoBrowserError: if pictures are wanted and nothing is there to take them.
    """
    if not name:
        print("make scenario NAME=…\n")
        rows = [(known, about.breaks, about.arrives) for known, about in SCENARIOS.items()]
        print_table(("name", "what breaks", "what arrives"), rows)
        return 0
    if name not in SCENARIOS:
        raise ScenarioError(f"There is no scenario {name}. Choose from: {', '.join(SCENARIOS)}.")
    # what was started must be ended
    exit_when_told()
    server = postgres.start(home.stage.state)
    os.environ["AIRFLOW_CONN_GREENERY_WAREHOUSE"] = warehouse_connection(server)
    about = SCENARIOS[name]
    print(f"Broken: {about.breaks}.\nShould arrive: {about.arrives}.", flush=True)
    with opened(home.stage) as stage:
        play(about, stage, partial(_show, name, pictures))
        print(f"\nIn a browser: http://{stage.slack} (`make down` stops it)")
    return 0


def _show(name: str, pictures: Path | None, step: str, messages: list[Mapping[str, Any]]) -> None:
    shown = channel_in_words(messages) or "Nothing arrived."
    print(f"\n--- {step.capitalize()}\n{shown}", flush=True)
    if pictures and messages:
        names = {slack_id: handle for handle, slack_id in owner_groups().items()}
        take(messages, pictures / f"alerts-{name}-{step}.png", names)
