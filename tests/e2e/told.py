"""What people are told through the fake Slack, and DAGs that are run by hand."""

from __future__ import annotations

import json

from tests.support.waiting import wait_until

# what a task or a callback had no time for on a busy machine, the DAG of this name tells
LOOKS_EVERY_FIVE_MINUTES = "greenery_alerts"


def trigger(shop, dag_id: str, **conf) -> str:
    """Run another DAG to its end and return its state."""
    runs = f"/dags/{dag_id}/dagRuns"
    run = shop.api.call("POST", runs, json={"logical_date": None, "conf": conf})
    path = f"{runs}/{run['dag_run_id']}"
    return wait_until(
        lambda: (
            state
            if (state := shop.api.call("GET", path)["state"]) in ("success", "failed")
            else None
        ),
        f"the end of {dag_id}",
        seconds=300,
    )


def wait_for_message(shop, slack, *says: str) -> str:
    """Return the one message that Slack shows, as text, once it says all of this."""

    def found() -> str | None:
        shown = [json.dumps(message, ensure_ascii=False) for message in slack.messages]
        if len(shown) == 1 and all(words in shown[0] for words in says):
            return shown[0]
        return None

    what = f"a single message with {says}"
    try:
        return wait_until(found, what, seconds=30)
    except AssertionError:
        assert trigger(shop, LOOKS_EVERY_FIVE_MINUTES) == "success"
    try:
        return wait_until(found, what)
    except AssertionError as in_vain:
        in_vain.add_note(f"Slack shows: {slack.messages}")
        raise


def wait_for_reply(slack) -> str:
    """Return the one reply in the message's thread, which is sent after it, as text."""
    (reply,) = wait_until(lambda: slack.replies, "a reply in the thread")
    return json.dumps(reply)
