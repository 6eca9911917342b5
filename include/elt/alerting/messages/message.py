"""The message about what a run found and how to repair it, within Slack's limits. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from elt.alerting.incidents import Incident
from elt.alerting.messages import blocks
from elt.alerting.messages.blocks import code, instant, line, link
from elt.alerting.messages.phrases import count, duration, listed
from elt.alerting.report import ORDER, SLOW_RUN, Report
from elt.shop import SHOP
from elt.time_limit import VARIABLE, task_limit
from elt.warehouse.connection import no_connection_left

# Postgres' own words, whatever it was about to write
FULL_DISK = "No space left on device"


def repair_steps(incidents: Sequence[Incident], report: Report) -> list[str]:
    """Return what to do about open incidents, the clicks and the command included."""
    if {incident.fingerprint for incident in incidents} == {SLOW_RUN}:
        return [
            "*To mend it:* _Open the run_ and see in the log of the task that is at work what it "
            "waits for: a lock in the warehouse, a slow source. A task is stopped after "
            f"{duration(task_limit().total_seconds())} ({VARIABLE}). To give up, mark the run as "
            "failed; readers keep what they have."
        ]
    if all(incident.kind == "late" for incident in incidents):
        return [
            "*To mend it:* see in Airflow whether the scheduler is up, the DAG "
            f"{code(report.run.dag_id)} is not paused and no run hangs; then start a run: "
            f"`airflow dags trigger {report.run.dag_id}`."
        ]
    if _are_of_logs(incidents):
        return [
            "*To mend it:* make room there, or let the workers write there. Runs go on meanwhile; "
            "a log that was not written stays in its worker's log folder, as long as the worker."
        ]
    if report.run.state == "success":
        return [
            "*To mend it:* mend the data at its source, or the model, before the override ends. "
            "Then the test fails again and nothing is published. What is let through: "
            "`make override`."
        ]
    return [f"*To mend it:* {_repair(incidents, report)}", *_retry(incidents, report)]


def _repair(incidents: Sequence[Incident], report: Report) -> str:
    kinds = {incident.kind for incident in incidents}
    if any(no_connection_left(incident.sentence) for incident in incidents):
        return (
            "raise max_connections of the warehouse's server, or have fewer tasks at once "
            "(`GREENERY_PARALLELISM`): each takes two. Then clear the failed tasks in Airflow."
        )
    if report.facts is None:
        return "see that the warehouse is up, then clear the failed tasks in Airflow."
    if any(FULL_DISK in incident.sentence for incident in incidents):
        return (
            "make room on the disk of the warehouse's server, then clear the failed tasks in "
            "Airflow. What was being written was taken back; readers keep the last published data."
        )
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


def _retry(incidents: Sequence[Incident], report: Report) -> list[str]:
    task = next((incident.task_id for incident in incidents if incident.task_id), None)
    again = f"`airflow dags trigger {report.run.dag_id}`"
    if task is None or len({incident.task_id for incident in incidents}) > 1:
        clicks = "_Open the run_ → _Clear Dag Run_ → _Clear only failed tasks_ → _Confirm_"
    else:
        clicks = (
            f"_Open the log_ of {code(task)} → _Clear Task Instance_ → _Downstream_ → _Confirm_"
        )
    return [f"*To run it again:* {clicks}. A new run: {again}."]


def _take(incidents: Sequence[Incident]) -> list[str]:
    """Return how somebody says to look at it, as long as there is anything nobody looks at."""
    free = [i.number for i in by_weight(incidents) if i.number and not i.acknowledged_by]
    if not free:
        return []
    return [f"*To take it:* `greenery ack {free[0]} --by NAME --note TEXT`."]


# what people still read
MOST_FAILURES = 20
MODELS_NAMED = 8
REPORTS_NAMED = 6
NOUNS = {"load": "load", "task": "task", "model": "model", "test": "test"}
RED, ORANGE, GREEN = "#d40e0d", "#e8912d", "#2eb67d"
CIRCLES = {RED: ":red_circle:", ORANGE: ":large_orange_circle:", GREEN: ":white_check_mark:"}


@dataclass(frozen=True)
class Story:
    """What one message tells: the incidents that one run found, seen from the latest run."""

    report: Report
    incidents: tuple[Incident, ...]
    # what other messages tell, and this run has seen or mended too
    elsewhere: tuple[Incident, ...] = ()
    # owner → how Slack calls them
    mentions: Mapping[str, str] = field(default_factory=dict)
    runbook_url: str | None = None

    @property
    def open(self) -> list[Incident]:
        """The incidents of the message that are not resolved."""
        return [incident for incident in self.incidents if incident.is_open]

    @property
    def color(self) -> str:
        """Of the bar beside the message, as Slack takes it."""
        if not self.open:
            return GREEN
        is_harmless = self.report.has_published or _are_of_logs(self.open)
        return ORANGE if is_harmless else RED


def build(story: Story) -> dict[str, Any]:
    """Return the payload: text, for phones and screen readers; blocks; and what may be folded."""
    headline = _headline(story)
    lines = [_sentence(incident, story) for incident in by_weight(story.incidents)]
    text = blocks.fallback(headline, lines)
    if (rest := len(lines) - MOST_FAILURES) > 0:
        more = link(story.report.run.run_url, f"and {rest:,} more →")
        lines = [*lines[:MOST_FAILURES], f"… {more}"]
    top = [_counts(story), *_which_run(story)]
    if story.open:
        top += [*_what_people_see(story.report), *_question(story)]
    shown = [
        blocks.header(f"{CIRCLES[story.color]} {headline}"),
        *(blocks.section(text) for text in [*blocks.packed(top), *blocks.packed(lines)]),
        *_buttons(story),
    ]
    folded = [blocks.section(text) for text in blocks.packed(_details(story))]
    return {
        "text": text,
        "blocks": shown,
        "attachments": [{"color": story.color, "blocks": folded}],
    }


def _headline(story: Story) -> str:
    if not story.open:
        first = min(incident.first_seen for incident in story.incidents)
        last = max(i.resolved_at for i in story.incidents if i.resolved_at)
        took = duration((last - first).total_seconds())
        if _are_of_logs(story.incidents):
            return f"{SHOP.title} keeps the logs of its tasks again, after {took}"
        runs = len({run for incident in story.incidents for run in incident.run_ids})
        return f"Resolved after {took}, {count(runs, 'run')}: {_what_failed(story.incidents)}"
    if {incident.kind for incident in story.open} == {"late"}:
        return f"{SHOP.title} is late"
    if _are_of_logs(story.open):
        return f"{SHOP.title} can't keep the logs of its tasks"
    if story.report.run.state == "success" and story.report.failures:
        tests = count(len(story.report.failures), "overridden test")
        return f"{SHOP.title} published with {tests}"
    verb = "is failing" if story.report.run.state == "running" else "failed"
    again = "" if all(i.is_new(story.report.run.run_id) for i in story.open) else " again"
    return f"{SHOP.title} run {verb}{again}: {_what_failed(story.open)}"


def _what_failed(incidents: Collection[Incident]) -> str:
    numbers = Counter(incident.kind for incident in incidents)
    parts = [f"{count(numbers[k], noun)} failed" for k, noun in NOUNS.items() if numbers[k]]
    if not parts and all(incident.kind == "late" for incident in incidents):
        return "it was late"
    # "2 tests failed and 1 model failed" says "failed" once too often
    return listed([p.removesuffix(" failed") for p in parts]) + " failed" if parts else "stopped"


def _counts(story: Story) -> str:
    run_id = story.report.run.run_id
    everything = (*story.incidents, *story.elsewhere)
    new = sum(i.is_new(run_id) for i in everything)
    still = sum(i.is_open and run_id in i.run_ids and not i.is_new(run_id) for i in everything)
    resolved = sum(i.resolved_run_id == run_id or not i.is_open for i in story.incidents)
    resolved += sum(i.resolved_run_id == run_id for i in story.elsewhere)
    return f"*{new:,} new*, {still:,} still failing, {resolved:,} resolved"


def _which_run(story: Story) -> list[str]:
    run_context = story.report.run
    seen = max(i.resolved_at or i.last_seen for i in story.incidents)
    if not story.report.run.is_run:
        return [f"Seen {instant(seen)}"]
    run = f"Run {code(run_context.run_id)}, {instant(seen)}"
    return [f"{run}. It goes on." if run_context.state == "running" else run]


def _what_people_see(report: Report) -> list[str]:
    facts = report.facts
    if not report.run.is_run:
        return []
    if facts is None:
        return [
            "The warehouse could not be asked: what failed, and what readers see, is not known."
        ]
    if facts.published_at is None:
        seen = "Nothing was ever published: *marts are empty.*"
    elif report.has_published:
        return [f"This run published all the same, {instant(facts.published_at)}."]
    else:
        seen = f"*Marts still show data published {instant(facts.published_at)}*"
        seen += f", data as of {instant(facts.data_as_of)}." if facts.data_as_of else "."
    lines = [seen]
    if report.affected:
        names = [f"*{line(name, 80)}*" for name in report.affected]
        lines.append(f"Not newer until this is mended: {listed(names, REPORTS_NAMED)}.")
    if report.not_built:
        names = [code(name, 80) for name in report.not_built]
        lines.append(f"Not built: {listed(names, MODELS_NAMED)}.")
    return lines


def _question(story: Story) -> list[str]:
    """Return whether a person is asked to publish all the same, where, and what was answered."""
    report = story.report
    question = report.facts.question if report.facts else None
    if not story.open or question is None or report.run.state != "failed":
        return []
    if question.answer is None:
        if report.at >= question.until:
            return []
        return [
            f"*Publish all the same?* {link(report.run.question_url, 'Answer in Airflow')} until "
            f"{instant(question.until)}; no answer means no."
        ]
    by = line(question.answered_by, 80) if question.answered_by else "Nobody answered, which means"
    said = f"{by}{' says' if question.answered_by else ''} {question.answer}"
    return [f"*Publish all the same?* {said}{': ' + line(question.note) if question.note else '.'}"]


def _are_of_logs(incidents: Iterable[Incident]) -> bool:
    return all(incident.kind == "logs" for incident in incidents)


def by_weight(incidents: Iterable[Incident]) -> list[Incident]:
    """Return what is still failing first, and of that the likely root."""
    return sorted(incidents, key=lambda i: (not i.is_open, ORDER.index(i.kind), i.first_seen))


def _sentence(incident: Incident, story: Story) -> str:
    text = f"#{incident.number} " if incident.number and incident.is_open else ""
    text += line(incident.sentence)
    if incident.resolved_at:
        took = duration((incident.resolved_at - incident.first_seen).total_seconds())
        return f":white_check_mark: ~{text.replace('~', '-')}~ resolved after {took}"
    if incident.is_new(story.report.run.run_id):
        text += f", {incident.history}" if incident.history else ""
    elif story.report.run.run_id in incident.run_ids:
        runs = count(len(incident.run_ids), "run")
        text += f"; still failing, {runs} since {instant(incident.first_seen)}"
    if incident.owner:
        mention = story.mentions.get(incident.owner) or line(incident.owner.partition("@")[0], 80)
        text += f" ({mention})"
    if incident.acknowledged_by:
        text += f"; {line(incident.acknowledged_by)} looks at it"
    return f"• {text}"


def _buttons(story: Story) -> list[blocks.Block]:
    run_context = story.report.run
    task = next((i.task_id for i in by_weight(story.open) if i.task_id), None)
    urls = {"Open the log": story.report.log_url(task)} if story.open else {}
    return blocks.buttons(
        {**urls, "Open the run": run_context.run_url, "How to repair": story.runbook_url}
    )


def _details(story: Story) -> list[str]:
    facts, lines = story.report.facts, []
    if facts and facts.loaded_tables:
        loaded = f"{count(facts.loaded_rows, 'new or changed row')} in "
        loaded += count(facts.loaded_tables, "table")
        gone = f", {count(facts.deleted_rows, 'row')} deleted" if facts.deleted_rows else ""
        lines.append(f"Loaded in this run: {loaded}{gone}.")
    if facts and facts.quarantined_rows:
        rows = count(facts.quarantined_rows, "row")
        lines.append(f"Put into quarantine by this run: {rows}, see `ops.quarantine`.")
    if story.open:
        return [*lines, *repair_steps(story.open, story.report), *_take(story.open)]
    return [*lines, "Nothing of this is failing any more."]
