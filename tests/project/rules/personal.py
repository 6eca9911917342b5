"""House rules for personal data: marked everywhere, shown nowhere, kept in no history."""

from __future__ import annotations

from collections.abc import Iterator

from tests.project.rules.project import Node, Project, extract, is_personal, key_of


def _nodes(project: Project) -> list[Node]:
    return [*project.sources, *project.models, *project.snapshots]


def _personal(project: Project) -> set[str]:
    """Return the names of columns that are marked anywhere."""
    return {
        name
        for node in _nodes(project)
        for name, column in node["columns"].items()
        if is_personal(column)
    }


def personal_column_is_marked_everywhere(project: Project) -> Iterator[str]:
    nodes = [*project.sources, *project.models, *project.snapshots]
    personal = {
        name for node in nodes for name, column in node["columns"].items() if is_personal(column)
    }
    for node in nodes:
        for name, column in node["columns"].items():
            if name in personal and not is_personal(column):
                yield (
                    f"{node['name']}.{name} is personal elsewhere and not marked here: say "
                    "`config: {meta: {pii: true}}` beside it."
                )


def slack_shows_nobody(project: Project) -> Iterator[str]:
    for node in _nodes(project):
        for name, column in node["columns"].items():
            shown = column["config"]["meta"].get("slack_sample")
            if shown and (is_personal(column) or name in _keys_of_people(project)):
                yield f"{node['name']}.{name} tells who it is: take its `slack_sample` away."


def snapshot_keeps_nothing_personal(project: Project) -> Iterator[str]:
    """Whose row it is, is found by its key when somebody must be forgotten."""
    personal = _personal(project)
    people = {extract(source).get("person") for source in project.sources}
    for snapshot in project.snapshots:
        for name in snapshot["columns"].keys() - key_of(snapshot):
            if name in personal | people:
                yield (
                    f"{snapshot['name']} keeps {name} of people for good: take it out, they are "
                    "found by the key."
                )


def _keys_of_people(project: Project) -> set[str]:
    """Return what the key of the table of people is called: its `person` is its own key."""
    found: set[str] = set()
    for source in project.sources:
        contract = extract(source)
        if contract.get("primary_key") == [contract.get("person")] and not contract.get("shared"):
            downstream = contract.get("key_downstream") or contract["primary_key"]
            found |= {downstream} if isinstance(downstream, str) else {*downstream}
    return found


RULES = (
    personal_column_is_marked_everywhere,
    slack_shows_nobody,
    snapshot_keeps_nothing_personal,
)
