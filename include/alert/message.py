"""A failed run as a Slack message, within Slack's limits whatever failed. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.alert.report import FailedRun, Failure
from include.alert.safe import shorten
from include.alert.words import count, listed

HEADER_LIMIT = 150
SECTION_LIMIT = 3000
URL_LIMIT = 3000
# what people still read
MOST_FAILURES = 20
SENTENCE_LIMIT = 300
MODELS_NAMED = 8

NOUNS = {"load": "load", "task": "task", "model": "model", "test": "test"}


@dataclass(frozen=True)
class Message:
    """What is sent. ``text`` is what phones and screen readers get."""

    text: str
    blocks: list[dict[str, Any]]

    def payload(self) -> dict[str, Any]:
        return {"text": self.text, "blocks": self.blocks}


def escape(text: str) -> str:
    """Return text that Slack shows as it is: no mention, no link, no channel called."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def build(run: FailedRun) -> Message:
    headline = f"Greenery run failed: {_what_failed(run.failures)}"
    lines = [f"• {_sentence(failure)}" for failure in run.failures[:MOST_FAILURES]]
    if (rest := len(run.failures) - MOST_FAILURES) > 0:
        lines.append(f"… and {rest:,} more. Open the run to see them all.")
    sections = [
        "\n".join([_which_run(run), *_what_people_see(run)]),
        *_packed(lines),
        f"*To mend it:* {_repair(run)}",
    ]
    blocks: list[dict[str, Any]] = [
        {
            "type": "header",
            "text": {
                "type": "plain_text",
                "text": shorten(f":red_circle: {headline}", HEADER_LIMIT),
                "emoji": True,
            },
        },
        *({"type": "section", "text": {"type": "mrkdwn", "text": text}} for text in sections),
    ]
    buttons = [
        _button(label, url)
        for label, url in (("Open the log", run.log_url), ("Open the run", run.hint.run_url))
        if url and url.startswith(("http://", "https://")) and len(url) <= URL_LIMIT
    ]
    if buttons:
        blocks.append({"type": "actions", "elements": buttons})
    text = escape(headline) + "".join(f"\n{line}" for line in lines[:3])
    return Message(shorten(text, SECTION_LIMIT), blocks)


def _what_failed(failures: Iterable[Failure]) -> str:
    numbers = Counter(failure.kind for failure in failures)
    parts = [f"{count(numbers[k], noun)} failed" for k, noun in NOUNS.items() if numbers[k]]
    # "2 tests failed and 1 model failed" says "failed" once too often
    return listed([p.removesuffix(" failed") for p in parts]) + " failed" if parts else "stopped"


def _sentence(failure: Failure) -> str:
    return escape(shorten(" ".join(failure.sentence.split()), SENTENCE_LIMIT))


def _which_run(run: FailedRun) -> str:
    return f"Run `{escape(shorten(run.hint.run_id, 250))}`, {_instant(run.failed_at)}"


def _what_people_see(run: FailedRun) -> list[str]:
    facts = run.facts
    if facts is None:
        return [
            "The warehouse could not be asked: what failed, and what readers see, is not known."
        ]
    if facts.published_at is None:
        seen = "Nothing was ever published: *marts are empty.*"
    elif facts.published_run_id == run.hint.run_id:
        seen = f"This run published all the same, {_instant(facts.published_at)}."
    else:
        seen = f"*Marts still show data published {_instant(facts.published_at)}.*"
    if run.not_built:
        names = [f"`{escape(shorten(name, 80))}`" for name in run.not_built]
        seen += f" Not built: {listed(names, MODELS_NAMED)}."
    lines = [seen]
    if facts.loaded_tables:
        loaded = f"{count(facts.loaded_rows, 'new or changed row')} in "
        loaded += count(facts.loaded_tables, "table")
        gone = f", {count(facts.deleted_rows, 'row')} deleted" if facts.deleted_rows else ""
        lines.append(f"Loaded in this run: {loaded}{gone}.")
    return lines


def _repair(run: FailedRun) -> str:
    kinds = {failure.kind for failure in run.failures}
    if run.facts is None:
        return "see that the warehouse is up, then clear the failed tasks in Airflow."
    if "load" in kinds:
        return (
            "put a right file in the place of the one named above and start a new run, "
            "or clear the failed load in Airflow. What was loaded stays."
        )
    if kinds & {"test", "model"}:
        return (
            "mend the data at its source, or the model; "
            "then start a new run, or clear the failed tasks in Airflow. "
            "Readers keep the last published data until a run succeeds."
        )
    return "look at the log, then clear the failed tasks in Airflow. Doing them twice does no harm."


def _packed(lines: Iterable[str]) -> list[str]:
    """Return the lines in as few texts as Slack's limit for one allows."""
    packed: list[str] = []
    for line in lines:
        if packed and len(packed[-1]) + 1 + len(line) <= SECTION_LIMIT:
            packed[-1] += f"\n{line}"
        else:
            packed.append(line)
    return packed


def _button(label: str, url: str) -> dict[str, Any]:
    return {"type": "button", "text": {"type": "plain_text", "text": label}, "url": url}


def _instant(instant: datetime) -> str:
    return f"{instant:%-d %b %Y %H:%M} UTC"
