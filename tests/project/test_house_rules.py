"""House rules for the dbt project that a machine can check."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from elt.transform.project import PROJECT

Node = dict[str, Any]

LAYERS = {"staging": 0, "snapshots": 0, "intermediate": 1, "marts": 2}
PREFIXES = {"staging": ("stg_",), "intermediate": ("int_",), "marts": ("dim_", "fct_")}
SCHEMAS = {"staging": "staging", "intermediate": "intermediate", "marts": "marts_build"}
PERSONAL = {"first_name", "last_name", "email", "phone_number", "address"}
# what a column's name promises about its type
PROMISES = [
    (r"_id$", {"text"}),
    (r"_at$", {"timestamptz"}),
    (r"_date$|^date_", {"date"}),
    (r"^(is|has)_", {"boolean"}),
    (r"_count$|^(order|step)_number$", {"integer", "bigint"}),
    (r"_usd$", {"numeric(12, 2)"}),
    (r"_rate$|^rate_of_", {"numeric(18, 4)"}),
    (r"_seconds$", {"bigint", "numeric(12, 0)"}),
]


def layer(node: Node) -> str:
    return "snapshots" if node["resource_type"] == "snapshot" else node["fqn"][1]


@pytest.fixture(scope="session")
def models(manifest: Node) -> list[Node]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]


@pytest.fixture(scope="session")
def snapshots(manifest: Node) -> list[Node]:
    found = [node for node in manifest["nodes"].values() if node["resource_type"] == "snapshot"]
    assert found
    return found


@pytest.fixture(scope="session")
def marts(models: list[Node]) -> list[Node]:
    return [model for model in models if layer(model) == "marts"]


@pytest.fixture(scope="session")
def staging(models: list[Node]) -> list[Node]:
    return [model for model in models if layer(model) == "staging"]


@pytest.fixture(scope="session")
def data_tests(manifest: Node) -> list[Node]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "test"]


@pytest.fixture(scope="session")
def singular_tests(data_tests: list[Node]) -> list[Node]:
    return [test for test in data_tests if not test.get("test_metadata")]


@pytest.fixture(scope="session")
def sources(manifest: Node) -> list[Node]:
    """Return the shop's tables; what the loader remembers of them is a source for tests alone."""
    return [source for source in manifest["sources"].values() if source["schema"] == "raw"]


def columns_with_test(model: Node, data_tests: list[Node], kind: str) -> set[str]:
    """Return the columns of a model that an error-level generic test of this kind stands on."""
    return {
        test["column_name"]
        for test in data_tests
        if test.get("attached_node") == model["unique_id"]
        and test["test_metadata"]["name"] == kind
        and test["config"]["severity"].lower() == "error"
        and not test["config"]["where"]
    }


def keys_with_tests(model: Node, data_tests: list[Node]) -> list[set[str]]:
    """Return the sets of columns that are tested to be unique and never null."""
    not_null = columns_with_test(model, data_tests, "not_null")
    keys = [{column} for column in columns_with_test(model, data_tests, "unique")]
    keys += [
        set(test["test_metadata"]["kwargs"]["columns"])
        for test in data_tests
        if test.get("attached_node") == model["unique_id"]
        and test["test_metadata"]["name"] == "unique_combination"
    ]
    return [key for key in keys if key <= not_null]


def test_model_has_the_prefix_of_its_folder(models):
    assert models
    wrong = [
        model["name"] for model in models if not model["name"].startswith(PREFIXES[layer(model)])
    ]
    assert wrong == []


def test_model_is_built_in_the_schema_of_its_folder(models):
    assert models
    wrong = [
        model["name"] for model in models if model["config"]["schema"] != SCHEMAS[layer(model)]
    ]
    assert wrong == []


def test_model_says_its_grain(models):
    assert models
    wrong = [
        model["name"]
        for model in models
        if not re.search(r"(^|\. )One row per [^.]+\.$", model["description"])
    ]
    assert wrong == []


def test_model_has_an_owner(models):
    assert models
    assert [model["name"] for model in models if not model["config"]["meta"].get("owner")] == []


def test_model_has_a_tested_key(models, data_tests):
    assert models
    assert [model["name"] for model in models if not keys_with_tests(model, data_tests)] == []


def test_model_describes_every_column(models):
    assert models
    wrong = [
        f"{model['name']}.{name}"
        for model in models
        for name, column in (model["columns"] or {"no columns": {"description": ""}}).items()
        if not column["description"].endswith(".")
    ]
    assert wrong == []


def test_model_reads_no_layer_above_its_own(manifest, models):
    assert models
    wrong = [
        (model["name"], parent["name"])
        for model in models
        for parent in map(manifest["nodes"].get, model["depends_on"]["nodes"])
        if parent and LAYERS[layer(parent)] > LAYERS[layer(model)]
    ]
    assert wrong == []


def test_staging_model_reads_one_source_and_nothing_else(staging, sources):
    assert staging
    assert {
        f"stg_{source['source_name']}__{source['name']}": [source["unique_id"]]
        for source in sources
    } == {model["name"]: model["depends_on"]["nodes"] for model in staging}


def test_staging_model_leaves_out_what_the_shop_deleted(staging):
    assert staging
    wrong = [model["name"] for model in staging if "_deleted_at is null" not in model["raw_code"]]
    assert wrong == []


@pytest.fixture(scope="session")
def by_changes(models: list[Node]) -> list[Node]:
    """Return the models that say what touches them; the others are worked out whole."""
    found = [model for model in models if "build" in model["config"]["meta"]]
    assert found
    assert {model["config"]["materialized"] for model in found} == {"incremental_by_key"}
    return found


def test_model_file_is_sql(models):
    """How a model is built stands in its folder's YAML."""
    assert models
    assert [model["name"] for model in models if "config(" in model["raw_code"]] == []


def named(entry: dict[str, str]) -> str:
    return (
        f"raw.{entry['source']}" if "source" in entry else entry.get("snapshot", entry.get("model"))
    )


def test_model_built_by_changes_is_touched_by_everything_it_reads(manifest, by_changes):
    """What is not named there could change without the model hearing of it."""

    def reads(model: Node) -> set[str]:
        found = set()
        for parent in model["depends_on"]["nodes"]:
            if parent.startswith("source."):
                found.add(f"raw.{manifest['sources'][parent]['name']}")
            elif manifest["nodes"][parent]["config"]["materialized"] in ("view", "ephemeral"):
                found |= reads(manifest["nodes"][parent])
            else:
                found.add(manifest["nodes"][parent]["name"])
        return found

    wrong = {
        model["name"]: reads(model)
        ^ set(map(named, model["config"]["meta"]["build"]["touched_by"]))
        for model in by_changes
    }
    assert {name: which for name, which in wrong.items() if which} == {}


def told_by(model: Node) -> set[str]:
    key = model["config"]["unique_key"]
    told = {key} if isinstance(key, str) else set(key)
    return told | set(model["config"]["meta"]["build"].get("change_key", []))


def test_model_is_touched_by_columns_whose_changes_are_told(sources, snapshots, by_changes):
    told = {
        f"raw.{source['name']}": set(source["config"]["meta"]["extract"]["change_key"])
        for source in sources
    }
    told |= {snapshot["name"]: {snapshot["config"]["unique_key"]} for snapshot in snapshots}
    told |= {model["name"]: told_by(model) for model in by_changes}
    wrong = [
        (model["name"], entry)
        for model in by_changes
        for build in [model["config"]["meta"]["build"]]
        for entry in build["touched_by"]
        if entry.get("column", build["key"]) not in told.get(named(entry), set())
    ]
    assert wrong == []


def test_model_that_reads_no_more_than_keys_names_no_other_column(by_changes):
    """It would not hear of a change of that column."""
    models = {model["name"]: model for model in by_changes}
    found = []
    for model in by_changes:
        for entry in model["config"]["meta"]["build"]["touched_by"]:
            if entry.get("reads") == "key":
                parent = models[entry["model"]]
                others = parent["columns"].keys() - told_by(parent)
                named_here = others & set(re.findall(r"\w+", model["raw_code"]))
                found.append((model["name"], parent["name"], named_here))
    assert found
    assert [entry for entry in found if entry[2]] == []


def test_model_built_by_changes_finds_its_rows_by_an_index(by_changes):
    wrong = []
    for model in by_changes:
        leading = {index["columns"][0] for index in model["config"].get("indexes") or []}
        unique_key = model["config"]["unique_key"]
        # the table has an index of it: that of its primary key, or one that the build makes
        leading.add(unique_key if isinstance(unique_key, str) else unique_key[0])
        if model["config"]["meta"]["build"]["key"] not in leading:
            wrong.append(model["name"])
    assert wrong == []


def test_model_built_by_changes_says_which_rows_belong_together(by_changes, data_tests):
    """Its unique_key is a tested key, and its SQL reads only what is touched."""
    wrong = []
    for model in by_changes:
        key = model["config"]["unique_key"]
        key = {key} if isinstance(key, str) else set(key)
        if key not in keys_with_tests(model, data_tests) or "touched(" not in model["raw_code"]:
            wrong.append(model["name"])
    assert wrong == []


def test_only_staging_reads_the_tables_of_the_shop(models, sources):
    shop = {source["unique_id"] for source in sources}
    others = [model for model in models if layer(model) != "staging"]
    assert others
    assert [model["name"] for model in others if shop & {*model["depends_on"]["nodes"]}] == []


def test_snapshot_is_stamped_by_loads_and_compares_news_alone(snapshots):
    wrong = [
        snapshot["name"]
        for snapshot in snapshots
        for config in [snapshot["config"]]
        if snapshot["config"]["schema"] != "snapshots"
        or (config["strategy"], config["updated_at"]) != ("check", "loaded_at")
        # deletes are told by the loader, with its time; dbt would take its own
        or config.get("hard_deletes") not in (None, "ignore")
        or not {"load_id", "is_deleted"} <= {*snapshot["columns"]}
        or "is_deleted" not in config["check_cols"]
        or {"load_id", config["unique_key"]} != {index["columns"][0] for index in config["indexes"]}
    ]
    assert wrong == []


def test_snapshot_is_described_owned_and_tested(snapshots, data_tests):
    wrong = [
        snapshot["name"]
        for snapshot in snapshots
        if not re.search(r"\. One row per [^.]+\.$", snapshot["description"])
        or not snapshot["config"]["meta"].get("owner")
        or not {"one_chain_of_versions", "same_as_source"}
        <= {
            test["test_metadata"]["name"]
            for test in data_tests
            if test.get("attached_node") == snapshot["unique_id"]
        }
        or any(not column["description"].endswith(".") for column in snapshot["columns"].values())
    ]
    assert wrong == []


def test_snapshot_keeps_nothing_personal(snapshots, sources):
    """Whose row it is, is found by its key when somebody must be forgotten."""
    people = {source["config"]["meta"]["extract"].get("person") for source in sources}
    keys = {snapshot["config"]["unique_key"] for snapshot in snapshots}
    kept = {name for snapshot in snapshots for name in snapshot["columns"]} - keys
    assert kept
    assert kept & (PERSONAL | people) == set()


def test_mart_enforces_its_contract_and_shows_its_descriptions(marts):
    assert marts
    wrong = [
        model["name"]
        for model in marts
        if not model["config"]["contract"]["enforced"]
        or model["config"]["persist_docs"] != {"relation": True, "columns": True}
        # anything else puts one table in the place of another, which whoever has it open holds up
        or model["config"]["materialized"] != "incremental_by_key"
    ]
    assert wrong == []


def test_mart_has_its_tested_key_as_primary_key(marts, data_tests):
    assert marts
    wrong = [
        model["name"]
        for model in marts
        if not any(
            constraint["type"] == "primary_key"
            and set(constraint["columns"]) in keys_with_tests(model, data_tests)
            for constraint in model["constraints"]
        )
    ]
    assert wrong == []


def test_mart_column_is_of_the_type_its_name_promises(marts):
    columns = [
        (f"{model['name']}.{name}", name, column["data_type"])
        for model in marts
        for name, column in model["columns"].items()
    ]
    assert columns
    wrong = [
        (place, data_type)
        for place, name, data_type in columns
        for pattern, allowed in PROMISES
        if re.search(pattern, name) and data_type not in allowed
    ]
    assert wrong == []


def test_sum_over_the_whole_shop_has_room_to_grow(marts, data_tests):
    """The bound of `in_range` is what a sum of money of one row holds; a KPI is a larger sum."""
    large = {
        (model["unique_id"], name)
        for model in marts
        for name, column in model["columns"].items()
        if column["data_type"] == "numeric(18, 2)"
    }
    assert large
    wrong = [
        test["name"]
        for test in data_tests
        if (test.get("attached_node"), test.get("column_name")) in large
        and test["test_metadata"]["name"] == "in_range"
        and test["test_metadata"]["kwargs"].get("max_value", 0) < 1e16 - 0.01
    ]
    assert wrong == []


def test_no_mart_puts_a_null_constraint_in_place_of_a_test(marts):
    """Postgres answers a broken not-null constraint with the whole row, names and e-mail too."""
    assert marts
    wrong = [
        f"{model['name']}.{name}"
        for model in marts
        for name, column in model["columns"].items()
        if column["constraints"]
    ]
    assert wrong == []


def test_personal_column_is_marked(models, sources):
    found = [
        (f"{node['name']}.{name}", column["config"]["meta"].get("pii"))
        for node in [*models, *sources]
        for name, column in node["columns"].items()
        if name in PERSONAL
    ]
    assert found
    assert [place for place, marked in found if marked is not True] == []


def test_what_slack_may_show_of_failing_rows_is_no_person(models, sources):
    shown = [
        (f"{node['name']}.{name}", column["config"]["meta"].get("pii"))
        for node in [*models, *sources]
        for name, column in node["columns"].items()
        if column["config"]["meta"].get("slack_sample")
    ]
    assert shown
    # nor where people live, nor what they typed
    people = r"(user|session|address|tracking)_id$|state$|zipcode$|country$|page_url$"
    assert [place for place, is_personal in shown if is_personal or re.search(people, place)] == []


def test_events_hold_nothing_personal(marts):
    events = [model for model in marts if model["name"] == "fct_events"]
    assert events
    marked = [
        name
        for model in events
        for name, column in model["columns"].items()
        if name in PERSONAL or column["config"]["meta"].get("pii")
    ]
    assert marked == []


def test_key_of_another_table_is_tested_to_have_its_parent(staging, data_tests, sources):
    keys = {
        source["config"]["meta"]["extract"]["primary_key"][0]: source["name"]
        for source in sources
        if len(source["config"]["meta"]["extract"]["primary_key"]) == 1
    }
    foreign = {
        (model["name"], column, keys[column])
        for model in staging
        for column in model["columns"]
        if column in keys and not model["name"].endswith(f"__{keys[column]}")
    }
    assert foreign
    tested = {
        (
            test["attached_node"].rsplit(".", 1)[-1],
            test["column_name"],
            re.search(r"'(\w+)'\)$", test["test_metadata"]["kwargs"]["to"])[1],
        )
        for test in data_tests
        if test.get("test_metadata") and test["test_metadata"]["name"] == "has_parent"
    }
    assert tested == foreign


def test_generic_test_reads_no_model_but_its_own(data_tests):
    """So it runs within the task of its model, and needs no other model to be there."""
    generic = [test for test in data_tests if test.get("test_metadata")]
    assert generic
    wrong = [
        test["name"]
        for test in generic
        if {parent for parent in test["depends_on"]["nodes"] if not parent.startswith("source.")}
        != {test["attached_node"]}
    ]
    assert wrong == []


def test_test_with_a_name_of_its_own_says_what_must_hold(data_tests):
    named = [
        test
        for test in data_tests
        if not test.get("test_metadata") or test["test_metadata"]["name"] not in test["name"]
    ]
    assert named
    wrong = [
        test["name"]
        for test in named
        if not re.fullmatch(r"[A-Z][^\n]+\.", test["description"]) or len(test["name"]) > 63
    ]
    assert wrong == []


def test_singular_test_starts_with_why_it_is_there(singular_tests):
    assert singular_tests
    wrong = [
        test["name"]
        for test in singular_tests
        if not test["name"].startswith("assert_") or not test["raw_code"].startswith("-- ")
    ]
    assert wrong == []


def test_unit_test_is_named_after_its_model_and_rule(manifest):
    unit_tests = list(manifest["unit_tests"].values())
    assert unit_tests
    wrong = [
        test["name"]
        for test in unit_tests
        # dbt makes a table of that name, and Postgres has 63 characters for it
        if not test["name"].startswith(f"{test['model']}__") or len(test["name"]) > 63
    ]
    assert wrong == []


def test_exposure_has_an_owner_and_reads_marts_alone(manifest, marts):
    exposures = list(manifest["exposures"].values())
    assert exposures
    readable = {model["unique_id"] for model in marts}
    wrong = [
        exposure["name"]
        for exposure in exposures
        if not exposure["owner"].get("name") or not set(exposure["depends_on"]["nodes"]) <= readable
    ]
    assert wrong == []


def test_macro_has_a_file_and_a_comment_of_its_own():
    folders = ("macros", "materializations", "tests/generic")
    files = [file for folder in folders for file in PROJECT.glob(f"{folder}/**/*.sql")]
    assert files
    wrong = [
        str(file.relative_to(PROJECT))
        for file in files
        if not file.read_text().startswith("{#")
        or re.findall(r"{% (?:macro|materialization|test) (\w+)", file.read_text()) != [file.stem]
    ]
    assert wrong == []


def test_project_is_no_python_package():
    """A package called dbt would hide the installed one."""
    project_files: list[Path] = list(PROJECT.rglob("*.sql"))
    assert project_files
    assert list(PROJECT.parent.rglob("__init__.py")) == []
