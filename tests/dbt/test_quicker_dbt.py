"""The one place that reaches into dbt: these fail when a new version of dbt has it otherwise."""

from __future__ import annotations

import inspect
import json
import shutil
from unittest import mock

import parsedatetime
import pytest
from dbt.adapters.factory import reset_adapters
from dbt.adapters.postgres.connections import PostgresConnectionManager
from dbt.parser import manifest as parser
from dbt.task import runnable
from dbt_common.behavior_flags import BehaviorFlagRendered
from dbt_common.clients.agate_helper import build_type_tester
from dbt_common.events import base_types, event_manager, logger
from dbt_common.events.base_types import EventLevel

from elt.airflow.dbt_patches import make_dbt_quicker
from tests.dbt.daily import DailyBuild

REACHED_INTO = (
    (parser, "write_manifest"),
    (runnable, "write_manifest"),
    (BehaviorFlagRendered, "_default_source"),
    (PostgresConnectionManager, "open"),
    (PostgresConnectionManager, "release"),
    (event_manager.EventManager, "fire_event"),
    (base_types.BaseEvent, "__init__"),
    (parsedatetime, "Constants"),
    (logger._Logger, "write_line"),
)
# in which session of Postgres a model was built, by whom, and what it still knows of others
SESSION = """{{ config(materialized='table') }}
select pg_backend_pid() as pid, current_user as who, current_setting('test.by', true) as known"""


@pytest.fixture(autouse=True)
def _dbt_is_as_it_was_after_the_test(monkeypatch):
    is_quick = hasattr(base_types.BaseEvent, "pb_msg")
    for place, name in REACHED_INTO:
        monkeypatch.setattr(place, name, inspect.getattr_static(place, name))
    yield
    if not is_quick and hasattr(base_types.BaseEvent, "pb_msg"):
        del base_types.BaseEvent.pb_msg


@pytest.fixture
def build(warehouse, tmp_path, monkeypatch) -> DailyBuild:
    """A project of one model."""
    monkeypatch.setenv("GREENERY_DBT_TARGET", str(tmp_path))
    project = tmp_path / "project"
    (project / "models").mkdir(parents=True)
    (project / "models/one.sql").write_text("select 1 as one")
    (project / "dbt_project.yml").write_text("{name: small, profile: greenery}")
    return DailyBuild(warehouse, tmp_path / "run", project)


def test_results_lie_beside_the_manifest_of_the_run(build, tmp_path):
    target = build.folder / "target"
    make_dbt_quicker()
    build("compile")
    assert "macros" in json.loads((target / "manifest.json").read_text()), "there is no other yet"

    (tmp_path / "manifest-1.json").write_text('{"nodes": {}}')
    for command in ("parse", "compile"):
        shutil.rmtree(target)
        build(command)
        assert (target / "manifest.json").read_text() == '{"nodes": {}}'
    (result,) = json.loads((target / "run_results.json").read_text())["results"]
    assert result["unique_id"] == "model.small.one"


def test_no_flag_of_the_adapter_looks_up_its_callers(build):
    make_dbt_quicker()
    with mock.patch("inspect.stack", side_effect=AssertionError):
        reset_adapters()
        build("compile")


def sessions(build: DailyBuild, *models: str) -> list[tuple[int, str, str | None]]:
    return [build.warehouse.run(f"select * from staging.{model}")[0] for model in models]


def test_nodes_of_a_thread_share_a_connection(build):
    models = [f"model_{number}" for number in range(6)]
    for model in models:
        (build.project / f"models/{model}.sql").write_text(SESSION)
    make_dbt_quicker()
    build("build", "--threads", "1")
    found = sessions(build, *models)
    assert len({pid for pid, *_ in found}) == 1
    assert {who for _, who, _ in found} == {"transformer"}
    assert not build.warehouse.run(
        "select pid from pg_stat_activity where pid = %s", (found[0][0],)
    ), "the command has ended"


def test_what_a_node_leaves_open_is_gone_for_the_next(build):
    (build.project / "models/a_failure.sql").write_text(
        "{{ config(materialized='table') }} select 1 / 0 as one"
    )
    (build.project / "tests").mkdir()
    # a test ends without a commit, and what depends on its model comes after it
    (build.project / "tests/a_setting.sql").write_text(
        "{% do run_query(\"select set_config('test.by', 'a', true)\") %}"
        " select * from {{ ref('one') }} where current_setting('test.by') <> 'a'"
    )
    (build.project / "models/next.sql").write_text(f"{SESSION} from {{{{ ref('one') }}}}")
    make_dbt_quicker()
    with pytest.raises(AssertionError, match="division by zero"):
        build("build", "--threads", "1")
    ((_, who, known),) = sessions(build, "next")
    assert who == "transformer"
    assert not known


def test_what_a_database_error_quotes_of_a_row_is_in_no_log(build, capfd):
    (build.project / "models/a_name.sql").write_text(
        "{{ config(materialized='table') }} select cast(name as integer) as one"
        " from (values ('Jane Doe'), ('7')) as people (name)"
    )
    make_dbt_quicker()
    with pytest.raises(AssertionError, match="invalid input syntax"):
        build("build", "--threads", "1")
    logged = "".join(capfd.readouterr())
    assert "invalid input syntax for type integer: …" in logged
    assert "Jane" not in logged


def test_a_model_that_takes_too_long_is_stopped_by_the_server(build, monkeypatch):
    monkeypatch.setenv("GREENERY_TASK_MINUTES", "0.02")
    (build.project / "models/a_long_one.sql").write_text(
        "{{ config(materialized='table') }} select pg_sleep(60) is null as one"
    )
    (build.project / "models/one.sql").unlink()
    make_dbt_quicker()
    with pytest.raises(AssertionError, match="statement timeout"):
        build("build", "--threads", "1")


def test_a_broken_connection_is_not_given_to_the_next_node(build):
    (build.project / "models/a_broken.sql").write_text(
        "{% do run_query('reset role; select pg_terminate_backend(pg_backend_pid())') %} select 1"
    )
    (build.project / "models/next.sql").write_text(SESSION)
    make_dbt_quicker()
    with pytest.raises(AssertionError, match=r"server closed|terminating"):
        build("build", "--threads", "1")
    ((_, who, _),) = sessions(build, "next")
    assert who == "transformer"


def test_no_message_is_made_that_no_log_takes(build):
    make_dbt_quicker()
    make_message = event_manager.msg_from_base_event
    with (
        mock.patch.object(event_manager, "msg_from_base_event", wraps=make_message) as made,
        mock.patch.object(base_types, "ParseDict", wraps=base_types.ParseDict) as parsed,
    ):
        build("compile", "--log-level-file", "none")
        # an event may be fired at another level than its own
        levels = {call.kwargs["level"] or call.args[0].level_tag() for call in made.call_args_list}
        read = {type(call.args[1]).__name__.removesuffix("Msg") for call in parsed.call_args_list}
        assert read == {type(call.args[0]).__name__ for call in made.call_args_list}
    assert EventLevel.INFO in levels
    assert not levels & {EventLevel.DEBUG, EventLevel.TEST}
    assert not (build.folder / "dbt.log").exists()
    build("compile")
    assert "[debug]" in (build.folder / "dbt.log").read_text()


def test_results_share_the_names_of_days():
    make_dbt_quicker()
    made = [
        type_._constants
        for tester in (build_type_tester(()), build_type_tester(()))
        for type_ in tester._possible_types
        if hasattr(type_, "_constants")
    ]
    assert len(made) > 1
    assert len(set(map(id, made))) == 1
