"""Play a scenario to its end, and see that what should arrive does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from devtools.fake_slack.terminal import channel_in_words, text_of
from devtools.scenarios.catalogue import Scenario
from devtools.scenarios.stage import ScenarioError, Stage, wait_until

Message = Mapping[str, Any]


def play(
    scenario: Scenario,
    stage: Stage,
    show: Callable[[str, list[Message]], None],
    patience: float = 60,
) -> None:
    """Break the shop, see what arrives, mend it, and see the same message turn green.

    Args:
        show: is given the step, `broken` or `mended`, and the messages of this scenario
            with their replies.
        patience: seconds to wait for each step's message.

    Raises:
        ScenarioError: if not exactly one message arrives, it says something else, or it does not
            turn green; or if one arrives where none should. What arrived is in the message.
    """
    before = {message["ts"] for message in stage.messages()}

    def arrived(says: tuple[str, ...], says_not: str) -> list[Message]:
        def is_right() -> bool:
            tops = [text_of(one) for one in _of(scenario, stage, before) if not one["thread_ts"]]
            if len(tops) != 1 or (says_not and says_not in tops[0]):
                return False
            return all(words in tops[0] for words in says)

        is_there = wait_until(is_right, patience)
        found = _of(scenario, stage, before)
        if not is_there:
            wanted = ", ".join(f"`{words}`" for words in says)
            shown = channel_in_words(found) or "Nothing."
            raise ScenarioError(f"Not one message with {wanted} arrived. What did:\n{shown}")
        return found

    # what it holds is given back even if something else arrives
    with contextlib.closing(scenario.play(stage)) as steps:
        next(steps)
        if not scenario.says:
            # what was to be told has been by now
            if found := _of(scenario, stage, before):
                raise ScenarioError(f"Something arrived:\n{channel_in_words(found)}")
            show("broken", [])
            next(steps, None)
            return
        show("broken", arrived(scenario.says, says_not=scenario.ends))
        next(steps, None)
        show("mended", arrived((scenario.ends,), says_not=""))


def _of(scenario: Scenario, stage: Stage, before: set[str]) -> list[Message]:
    """Return the messages that came since a scenario began and are about it, with their threads."""
    new = [message for message in stage.messages() if message["ts"] not in before]
    tops = {one["ts"] for one in new if not one["thread_ts"] and _key(one).startswith(scenario.key)}
    return [one for one in new if one["ts"] in tops or one["thread_ts"] in tops]


def _key(message: Message) -> str:
    payload = (message["metadata"] or {}).get("event_payload") or {}
    return str(payload.get("key", ""))
