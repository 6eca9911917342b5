"""House rules for what is built by its changes: models with `meta.build`, and snapshots."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.project.rules.project import Node, Project, extract, key_of


def _build(model: Node) -> Node:
    return model["config"]["meta"]["build"]


def _named(entry: dict[str, str]) -> str:
    return (
        f"raw.{entry['source']}" if "source" in entry else entry.get("snapshot", entry.get("model"))
    )


def _read_by(project: Project, model: Node) -> set[str]:
    """Return the tables that a model reads, through views too."""
    found = set()
    for parent in model["depends_on"]["nodes"]:
        if parent.startswith("source."):
            found.add(f"raw.{project.manifest['sources'][parent]['name']}")
            continue
        node = project.manifest["nodes"][parent]
        if node["config"]["materialized"] in ("view", "ephemeral"):
            found |= _read_by(project, node)
        else:
            found.add(node["name"])
    return found


def _reported(model: Node) -> set[str]:
    """Return the columns of a model whose changed values are reported to those that read it."""
    return key_of(model) | set(_build(model).get("change_key", []))


def is_materialized_so(project: Project) -> Iterator[str]:
    for model in project.by_changes:
        if model["config"]["materialized"] != "incremental_by_key":
            yield f"{model['name']} has `meta.build`: say `materialized: incremental_by_key` too."


def names_everything_it_reads(project: Project) -> Iterator[str]:
    """What is not named could change without the model hearing of it."""
    for model in project.by_changes:
        named, read = (
            set(map(_named, _build(model)["depends_on_changes_of"])),
            _read_by(project, model),
        )
        for table in sorted(read - named):
            yield f"{model['name']} reads {table}: name it in its `depends_on_changes_of`."
        for table in sorted(named - read):
            yield (
                f"{model['name']} does not read {table}: take it out of its "
                "`depends_on_changes_of`."
            )


def follows_reported_columns(project: Project) -> Iterator[str]:
    known = {
        f"raw.{source['name']}": set(extract(source).get("change_key", []))
        for source in project.sources
    }
    known |= {snapshot["name"]: key_of(snapshot) for snapshot in project.snapshots}
    known |= {model["name"]: _reported(model) for model in project.by_changes}
    for model in project.by_changes:
        for entry in _build(model)["depends_on_changes_of"]:
            column, table = entry.get("column", _build(model)["key"]), _named(entry)
            if column not in known.get(table, set()):
                yield (
                    f"{model['name']} is touched by {table}.{column}, whose changes nobody "
                    f"reports: add it to the `change_key` of {table}."
                )


def is_led_to_its_key_by_columns_that_are_there(project: Project) -> Iterator[str]:
    """Else the first change to be followed stops a run, weeks after the model was written."""
    nodes = {node["name"]: node for node in (*project.models, *project.snapshots)}
    for model in project.by_changes:
        for entry in _build(model)["depends_on_changes_of"]:
            if "through" not in entry:
                if "through_key" in entry:
                    yield (
                        f"{model['name']} says `through_key: {entry['through_key']}` and nothing "
                        f"to go through: say `through`, or `column` for what {_named(entry)} has."
                    )
                continue
            key = _build(model)["key"]
            for column in (entry.get("column", key), entry.get("through_key", key)):
                if column not in nodes[entry["through"]]["columns"]:
                    yield (
                        f"{model['name']} goes through {entry['through']}, which has no column "
                        f"{column}: say by `column` and `through_key` what is there."
                    )


def reads_no_other_column_of_what_it_reads_by_key(project: Project) -> Iterator[str]:
    """It would not hear of a change of that column."""
    models = {model["name"]: model for model in project.by_changes}
    for model in project.by_changes:
        for entry in _build(model)["depends_on_changes_of"]:
            if entry.get("reads") != "key":
                continue
            parent = models[entry["model"]]
            others = parent["columns"].keys() - _reported(parent)
            for column in sorted(others & set(re.findall(r"\w+", model["raw_code"]))):
                yield (
                    f"{model['name']} reads {parent['name']}.{column} and says `reads: key`: take "
                    f"that away, or add {column} to the `change_key` of {parent['name']}."
                )


def finds_its_rows_by_an_index(project: Project) -> Iterator[str]:
    for model in project.by_changes:
        leading = {index["columns"][0] for index in model["config"].get("indexes") or []}
        # the table has an index of it: that of its primary key, or one that the build makes
        unique_key = model["config"]["unique_key"]
        leading.add(unique_key if isinstance(unique_key, str) else unique_key[0])
        if (key := _build(model)["key"]) not in leading:
            yield f"{model['name']} has no index on {key}: say `indexes: [{{columns: [{key}]}}]`."


def has_its_unique_key_tested(project: Project) -> Iterator[str]:
    for model in project.by_changes:
        if key_of(model) not in project.tested_keys(model):
            yield (
                f"{model['name']} is built by its `unique_key`, which no test calls unique and not "
                "null: write these tests."
            )


def reads_only_what_changed(project: Project) -> Iterator[str]:
    for model in project.by_changes:
        if "only_changed_keys(" not in model["raw_code"]:
            yield (
                f"{model['name']} reads the whole history each time: say `where {{{{ "
                f"only_changed_keys('{_build(model)['key']}') }}}}` where it first reads its "
                "parents."
            )


def snapshot_is_stamped_by_loads(project: Project) -> Iterator[str]:
    for snapshot in project.snapshots:
        name, config = snapshot["name"], snapshot["config"]
        if config["schema"] != "snapshots":
            yield f"{name} is kept in the schema {config['schema']}: say `+schema: snapshots`."
        if (config["strategy"], config["updated_at"]) != ("check", "loaded_at"):
            yield (
                f"{name} has no time of a load: say `strategy: check` and `updated_at: loaded_at`."
            )
        # deletes are told by the loader, with its time; dbt would take its own
        if config.get("hard_deletes") not in (None, "ignore"):
            yield f"{name} looks for deleted rows by itself: take `hard_deletes` away."
        for column in sorted({"load_id", "is_deleted"} - {*snapshot["columns"]}):
            yield f"{name} has no column {column}: select it and describe it."
        if "is_deleted" not in config["check_cols"]:
            yield f"{name} does not see that a row was deleted: add is_deleted to `check_cols`."
        indexed = {index["columns"][0] for index in config.get("indexes") or []}
        for column in sorted({"load_id", *key_of(snapshot)} - indexed):
            yield f"{name} has no index on {column}: say `indexes: [{{columns: [{column}]}}]`."


def snapshot_is_tested(project: Project) -> Iterator[str]:
    for snapshot in project.snapshots:
        for kind in ("one_chain_of_versions", "same_as_source"):
            if not project.tests_on(snapshot, kind):
                name = snapshot["name"]
                yield f"{name} can't be made again and is not tested: put `{kind}` on it."


RULES = (
    is_materialized_so,
    names_everything_it_reads,
    follows_reported_columns,
    is_led_to_its_key_by_columns_that_are_there,
    reads_no_other_column_of_what_it_reads_by_key,
    finds_its_rows_by_an_index,
    has_its_unique_key_tested,
    reads_only_what_changed,
    snapshot_is_stamped_by_loads,
    snapshot_is_tested,
)
