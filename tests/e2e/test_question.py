"""A person is asked to publish all the same, through a real Airflow: silence, no and yes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import quote

import psycopg2
import pytest

from tests.e2e.told import wait_for_message
from tests.support.installation import (
    Installation,
    copy_checkout,
    keep_models,
    running_installation,
)
from tests.support.waiting import wait_until

# seven runs; tests/elt/alerting/test_question.py has each answer without an Airflow
pytestmark = [pytest.mark.slow, pytest.mark.rare, pytest.mark.timeout(1800)]

DAG = "publish_all_the_same"
RUNS = f"/dags/{DAG}/dagRuns"
PAGE = f"/dags/{DAG}/required_actions"


@pytest.fixture(scope="module")
def installation(tmp_path_factory) -> Iterator[Installation]:
    """An Airflow that asks, for longer than the test takes; no DAG of it runs by the clock."""
    checkout = copy_checkout(tmp_path_factory.mktemp("installation") / "checkout")
    keep_models(checkout, ("stg_*", "dim_products"))
    for file in (checkout / "dags").glob("*.py"):
        by_hand = re.sub(
            r"schedule=CronDataIntervalTimetable\(.*\)", "schedule=None", file.read_text()
        )
        file.write_text(by_hand)
    # what is asked is announced, and that starts the DAG which asks
    variables = {"GREENERY_ASK_HOURS": "5", "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True"}
    with running_installation(checkout, **variables) as running:
        yield running


class Asked:
    """The questions of an installation, the newest one last."""

    def __init__(self, shop) -> None:
        self.api = shop.api
        self.known: set[str] = set()

    def question(self) -> dict:
        """Return a new question once it waits for its answer."""

        def found() -> dict | None:
            for run in self.api.call("GET", RUNS)["dag_runs"]:
                run_id = run["dag_run_id"]
                if run_id not in self.known and self._state(run_id, "ask") == "awaiting_input":
                    self.known.add(run_id)
                    return self.api.call("GET", f"{self._task(run_id, 'ask')}/-1/hitlDetails")
            return None

        return wait_until(found, "a question", seconds=300)

    def answer(self, question: dict, option: str, note: str) -> None:
        path = f"{self._task(question['task_instance']['dag_run_id'], 'ask')}/-1/hitlDetails"
        body = {"chosen_options": [option], "params_input": {"note": note}}
        self.api.call("PATCH", path, json=body)

    def outcome(self, question: dict) -> str:
        """Return the state of the task that starts a run, once all is done."""
        run_id = question["task_instance"]["dag_run_id"]
        ended = ("success", "failed")
        wait_until(
            lambda: self.api.call("GET", f"{RUNS}/{quote(run_id)}")["state"] in ended,
            "the end of the question",
            seconds=300,
        )
        return self._state(run_id, "run_again")

    def _state(self, run_id: str, task_id: str) -> str:
        return self.api.call("GET", self._task(run_id, task_id))["state"]

    def _task(self, run_id: str, task_id: str) -> str:
        return f"{RUNS}/{quote(run_id)}/taskInstances/{task_id}"


def run_out_of_time(installation) -> None:
    """Have the time of all questions that wait be over."""
    with psycopg2.connect(installation.server.url("airflow", "airflow")) as connection:
        connection.cursor().execute(
            "update task_instance set trigger_timeout = now() where state = 'awaiting_input'"
        )
    connection.close()


def follow(shop, known: set[str]) -> tuple[str, str]:
    """Return id and final state of the run that has begun since."""

    def begun() -> str | None:
        runs = shop.api.call("GET", "/dags/greenery_elt/dagRuns")["dag_runs"]
        return next((r["dag_run_id"] for r in runs if r["dag_run_id"] not in known), None)

    run_id = wait_until(begun, "a run that the answer starts", seconds=300)
    return run_id, shop.wait(run_id)


def test_a_person_may_let_through_what_failed_and_silence_means_no(installation, shop, slack):
    asked = Asked(shop)
    first, state = shop.run()
    assert state == "success", shop.explain(first)
    assert asked.api.call("GET", RUNS)["total_entries"] == 0, "a good run asks nobody"
    published = shop.published_at()

    # a snapshot that shrank: nothing else of the run is held up by it
    products = shop.landing / "products.csv"
    whole = products.read_text()
    products.write_text("\n".join(whole.splitlines()[:9]) + "\n")
    order_id = (shop.landing / "orders.csv").read_text().splitlines()[1].split(",")[0]
    second, state = shop.run()
    assert state == "failed"
    assert shop.states(second)["load_orders"] == "success"
    question = asked.question()
    assert question["subject"] == "Publish all the same?"
    assert "only 8 of the 30 living rows" in question["body"]
    assert "confirm_shrunk" in question["body"]
    wait_for_message(shop, slack, PAGE, "Publish all the same?", "no answer means no")

    run_out_of_time(installation)
    assert asked.outcome(question) == "skipped"
    assert shop.warehouse.run("select answer, answered_by from ops.question") == [("no", None)]
    wait_for_message(shop, slack, "Nobody answered, which means no.")

    third, state = shop.run()
    assert state == "failed"
    question = asked.question()
    asked.answer(question, "No", "half of them are missing")
    assert asked.outcome(question) == "skipped"
    wait_for_message(shop, slack, "says no: half of them are missing")
    assert shop.published_at() == published
    assert shop.api.unfinished_runs() == []

    # a yes starts a run, which then fails of a test, and leaves that to a person again
    shop.drop("order_items", "2.csv", f"order_id,product_id,quantity\n{order_id},no-such-plant,1\n")
    fourth, state = shop.run()
    assert state == "failed"
    question = asked.question()
    asked.answer(question, "Yes", "the other plants are sold no more")
    assert asked.outcome(question) == "success"
    fifth, state = follow(shop, {first, second, third, fourth})
    assert state == "failed"
    assert shop.states(fifth)["load_products"] == "success"
    assert shop.warehouse.run("select count(*) from raw.products where _deleted_at is null") == [
        (8,)
    ]
    question = asked.question()
    assert "1 row" in question["body"]
    assert "no-such-plant" not in question["body"]
    asked.answer(question, "Yes", "that plant is known")
    assert asked.outcome(question) == "success"
    sixth, state = follow(shop, {first, second, third, fourth, fifth})
    assert state == "success", shop.explain(sixth)
    assert shop.published_at() != published
    assert shop.warehouse.run("select count(*) from marts.dim_products") == [(8,)]
    ((reason, by, hours),) = shop.warehouse.run(
        "select reason, made_by, extract(epoch from until - made_at) / 3600 from ops.override"
    )
    assert reason == "that plant is known"
    assert by
    assert hours <= 2
    assert shop.warehouse.run(
        "select answer, note, answered_by = %s, answered_at is not null from ops.question"
        " where answered_by is not null order by question_id",
        (by,),
    ) == [
        ("no", "half of them are missing", True, True),
        ("yes", "the other plants are sold no more", True, True),
        ("yes", "that plant is known", True, True),
    ]
    # beside that of the snapshot, which is mended
    wait_until(
        lambda: [
            message
            for message in slack.messages
            if message["text"].startswith("Greenery published with")
            and f"by {by}: that plant is known" in message["text"]
        ],
        "a message about what was let through",
    )
