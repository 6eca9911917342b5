"""Every scenario of `make scenario`: real Airflow, dbt and Postgres, and the fake Slack."""

from __future__ import annotations

import pytest

from devtools.fake_slack.owners import owner_groups
from devtools.fake_slack.rules import calls_somebody
from devtools.fake_slack.terminal import channel_in_words
from devtools.local import fake_slack, postgres, services
from devtools.local.state_folder import Home
from devtools.scenarios.catalogue import SCENARIOS
from devtools.scenarios.play import play
from devtools.scenarios.stage import DAYS, opened
from tests.support.installation import (
    copy_checkout,
    keep_models,
    local_command,
    retry_at_once,
)

# several whole runs; a busy machine may take its time
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

# of the models, what scenarios ask about
MODELS = ("stg_*", "int_user_orders", "dim_users", "fct_orders")
# what is judged by days, of which there must be some, and all that it is made of
ODD_DAYS = ("half_day", "broken_tracking", "promotion")
MODELS_BY_DAY = (
    *(*MODELS, "fct_metric_daily", "fct_daily_p*", "fct_events", "fct_first_orders"),
    *("fct_order_items", "fct_user_orders", "fct_user_sessions", "int_page_views"),
    *("int_product_prices", "int_session_events_agg"),
)


@pytest.fixture(scope="module")
def stage(request, tmp_path_factory):
    checkout = copy_checkout(tmp_path_factory.mktemp("scenarios") / "checkout")
    keep_models(checkout, MODELS_BY_DAY if request.param else MODELS)
    retry_at_once(checkout)
    home = Home(root=checkout, state=checkout / ".local")
    try:
        with opened(home, DAYS if request.param else 7) as stage:
            yield stage
    finally:
        services.stop(home)
        fake_slack.stop(home)
        postgres.remove(home.state)


@pytest.mark.rare
@pytest.mark.parametrize(
    ("stage", "name"),
    [(name in ODD_DAYS, name) for name in SCENARIOS],
    indirect=["stage"],
    ids=SCENARIOS,
)
def test_one_message_arrives_and_turns_green(stage, name):
    stage.make_ready()
    seen: dict[str, list] = {}
    play(SCENARIOS[name], stage, seen.__setitem__)
    if not SCENARIOS[name].says:
        assert seen == {"broken": []}
        return
    broken, mended = seen["broken"], seen["mended"]
    assert len([message for message in broken if not message["thread_ts"]]) == 1
    assert [m["ts"] for m in mended][: len(broken)] == [m["ts"] for m in broken]
    for message in (*broken, *mended):
        assert not calls_somebody(message, but_for=owner_groups().values())
    # a digest of warnings stays as it is
    is_changed = channel_in_words(broken) != channel_in_words(mended)
    assert is_changed == bool(SCENARIOS[name].ends)


def test_the_command_lists_them_and_refuses_others(tmp_path):
    checkout = copy_checkout(tmp_path / "checkout")
    listed = local_command(checkout, "scenario")
    assert listed.returncode == 0, listed.stderr
    for name, scenario in SCENARIOS.items():
        assert name in listed.stdout
        assert scenario.breaks in listed.stdout
        assert scenario.arrives in listed.stdout
    unknown = local_command(checkout, "scenario", "flood")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("There is no scenario flood. Choose from: null_key, ")
