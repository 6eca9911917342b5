"""House rules for models: where they lie, what they read, what they say of themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.project.rules.project import LAYERS, Project, layer

PREFIXES = {"staging": ("stg_",), "intermediate": ("int_",), "marts": ("dim_", "fct_")}
SCHEMAS = {"staging": "staging", "intermediate": "intermediate", "marts": "marts_build"}
GRAIN = re.compile(r"(^|\. )One row per [^.]+\.$")


def prefix_of_its_folder(project: Project) -> Iterator[str]:
    for model in project.models:
        folder = layer(model)
        if folder not in PREFIXES:
            yield (
                f"{model['name']} lies in models/{folder}: move it to staging, intermediate "
                "or marts."
            )
        elif not model["name"].startswith(PREFIXES[folder]):
            allowed = " or ".join(PREFIXES[folder])
            yield f"{model['name']} lies in models/{folder}: have its name begin with {allowed}."


def schema_of_its_folder(project: Project) -> Iterator[str]:
    for model in project.models:
        wanted, schema = SCHEMAS.get(layer(model)), model["config"]["schema"]
        if wanted and schema != wanted:
            yield (
                f"{model['name']} is built in the schema {schema}: say `+schema: {wanted}` for "
                f"models/{layer(model)} in dbt_project.yml."
            )


def says_its_grain(project: Project) -> Iterator[str]:
    for node in [*project.models, *project.snapshots]:
        if not GRAIN.search(node["description"]):
            yield (
                f"{node['name']} does not say what a row is: end its description with "
                "`One row per <thing>.`"
            )


def has_an_owner(project: Project) -> Iterator[str]:
    for node in [*project.models, *project.snapshots]:
        if not node["config"]["meta"].get("owner"):
            yield (
                f"{node['name']} has no owner, so nobody is called when it fails: say "
                "`+meta: {owner: …}` for its folder in dbt_project.yml."
            )


def has_a_tested_key(project: Project) -> Iterator[str]:
    for model in project.models:
        if not project.tested_keys(model):
            yield (
                f"{model['name']} has no tested key: put `unique` and `not_null` on its key, or "
                "`unique_combination` on the model and `not_null` on each column of it."
            )


def describes_every_column(project: Project) -> Iterator[str]:
    for node in [*project.models, *project.snapshots]:
        if not node["columns"]:
            yield f"{node['name']} describes no column: list them in the YAML of its folder."
        for name, column in node["columns"].items():
            if not column["description"].endswith("."):
                yield (
                    f"{node['name']}.{name} has no description: write a sentence that ends with a "
                    "full stop."
                )


def reads_no_layer_above_its_own(project: Project) -> Iterator[str]:
    for model in project.models:
        for parent in map(project.manifest["nodes"].get, model["depends_on"]["nodes"]):
            if parent and LAYERS.get(layer(parent), 0) > LAYERS.get(layer(model), 0):
                yield (
                    f"{model['name']} in {layer(model)} reads {parent['name']} in {layer(parent)}: "
                    "have it read staging, or move it up."
                )


def staging_has_a_model_for_each_source_table(project: Project) -> Iterator[str]:
    wanted = {
        f"stg_{source['source_name']}__{source['name']}": source for source in project.sources
    }
    staging = {model["name"]: model for model in project.in_layer("staging")}
    for name in sorted(wanted.keys() - staging.keys()):
        yield f"The table {wanted[name]['name']} has no staging model: write {name}.sql."
    for name, model in staging.items():
        if name not in wanted:
            yield (
                f"{name} is called like no table: name it stg_<source>__<table>, or move it to "
                "intermediate."
            )
        elif model["depends_on"]["nodes"] != [wanted[name]["unique_id"]]:
            source = wanted[name]
            yield (
                f"{name} must read {{{{ source('{source['source_name']}', '{source['name']}') }}}} "
                "and nothing else: move the rest to intermediate."
            )


def staging_leaves_out_what_was_deleted(project: Project) -> Iterator[str]:
    for model in project.in_layer("staging"):
        if "_deleted_at is null" not in model["raw_code"]:
            yield (
                f"{model['name']} has rows that the shop deleted: end it with "
                "`where _deleted_at is null`."
            )


def only_staging_reads_source_tables(project: Project) -> Iterator[str]:
    tables = {source["unique_id"]: source for source in project.sources}
    for model in project.models:
        if layer(model) != "staging":
            for read in tables.keys() & {*model["depends_on"]["nodes"]}:
                yield (
                    f"{model['name']} reads raw.{tables[read]['name']}: have it read the staging "
                    "model of it."
                )


def file_is_sql(project: Project) -> Iterator[str]:
    for model in project.models:
        if "config(" in model["raw_code"]:
            yield f"{model['name']} calls config(): say how it is built in the YAML of its folder."


def mart_enforces_its_contract(project: Project) -> Iterator[str]:
    for model in project.in_layer("marts"):
        if not model["config"]["contract"]["enforced"]:
            yield (
                f"{model['name']} may change its columns unseen: say `+contract: {{enforced: "
                "true}` for models/marts in dbt_project.yml."
            )


def mart_shows_its_descriptions(project: Project) -> Iterator[str]:
    for model in project.in_layer("marts"):
        if model["config"]["persist_docs"] != {"relation": True, "columns": True}:
            yield (
                f"{model['name']} shows readers no descriptions: say `+persist_docs: {{relation: "
                "true, columns: true}` for models/marts in dbt_project.yml."
            )


def mart_writes_only_what_differs(project: Project) -> Iterator[str]:
    for model in project.in_layer("marts"):
        if (kind := model["config"]["materialized"]) != "incremental_by_key":
            yield (
                f"{model['name']} is a {kind}, which takes another table's place and waits for "
                "whoever reads that: say `materialized: incremental_by_key`."
            )


def mart_has_its_tested_key_as_primary_key(project: Project) -> Iterator[str]:
    for model in project.in_layer("marts"):
        keys = [set(c["columns"]) for c in model["constraints"] if c["type"] == "primary_key"]
        if not any(key in project.tested_keys(model) for key in keys):
            yield (
                f"{model['name']} has no tested primary key: say `constraints: [{{type: "
                "primary_key, columns: [...]}]`, with the columns that its tests call unique and "
                "not null."
            )


def mart_puts_no_constraint_in_place_of_a_test(project: Project) -> Iterator[str]:
    """Postgres answers a broken not-null constraint with the whole row, names and e-mail too."""
    for model in project.in_layer("marts"):
        for name, column in model["columns"].items():
            if column["constraints"]:
                yield (
                    f"{model['name']}.{name} has a constraint, whose error shows the whole row: "
                    "write a data test in its place."
                )


def exposure_has_an_owner_and_reads_marts_alone(project: Project) -> Iterator[str]:
    readable = {model["unique_id"] for model in project.in_layer("marts")}
    for exposure in project.manifest["exposures"].values():
        if not exposure["owner"].get("name"):
            yield f"The exposure {exposure['name']} has no owner: say `owner: {{name: …}}`."
        for read in sorted({*exposure["depends_on"]["nodes"]} - readable):
            yield (
                f"The exposure {exposure['name']} reads {read.rsplit('.', 1)[-1]}, which readers "
                "do not see: have it read a mart."
            )


RULES = (
    prefix_of_its_folder,
    schema_of_its_folder,
    says_its_grain,
    has_an_owner,
    has_a_tested_key,
    describes_every_column,
    reads_no_layer_above_its_own,
    staging_has_a_model_for_each_source_table,
    staging_leaves_out_what_was_deleted,
    only_staging_reads_source_tables,
    file_is_sql,
    mart_enforces_its_contract,
    mart_shows_its_descriptions,
    mart_writes_only_what_differs,
    mart_has_its_tested_key_as_primary_key,
    mart_puts_no_constraint_in_place_of_a_test,
    exposure_has_an_owner_and_reads_marts_alone,
)
