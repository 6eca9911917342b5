"""Which column of a table holds the key of which other table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from include.extract.contracts import Table


def resolve(tables: Mapping[str, Table]) -> dict[str, dict[str, Table]]:
    """Return by table which of its columns hold the key of which other one.

    That is what contracts say under ``references``, and what follows from the names: a column that
    is called like the key of one other table, and of no more than one.
    """
    single = {name: table.primary_key[0] for name, table in tables.items() if _has_one_key(table)}
    told = Counter(single.values())
    by_name = {key: tables[name] for name, key in single.items() if told[key] == 1}
    found: dict[str, dict[str, Table]] = {}
    for name, table in tables.items():
        said = {column: tables[parent] for column, parent in table.references if parent in tables}
        follows = {
            column: by_name[column]
            for column in table.column_names
            if column in by_name and by_name[column].name != name
        }
        found[name] = follows | said
    return found


def fault_of(tables: Mapping[str, Table]) -> str | None:
    """Return in words what is wrong with the first reference that can't be one; None: nothing."""
    for table in tables.values():
        for column, parent in table.references:
            where = (
                f"table `{table.name}`: references says that `{column}` holds a key of `{parent}`"
            )
            if parent not in tables:
                return f"{where}, which is not declared."
            if not _has_one_key(tables[parent]):
                return f"{where}, whose primary key is not one column."
    return None


def _has_one_key(table: Table) -> bool:
    return len(table.primary_key) == 1
