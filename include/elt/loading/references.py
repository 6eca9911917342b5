"""Which column of a table holds the key of which other table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from elt.loading.contract import Table


def resolve(tables: Mapping[str, Table]) -> dict[str, dict[str, Table]]:
    """Return by table which of its columns hold the key of which other one.

    That is what contracts say under ``references``, and what follows from the names: a column that
    is called like the key of one other table (there or downstream), and of no more than one.
    """
    called = {
        name: {table.primary_key[0], *table.key_downstream}
        for name, table in tables.items()
        if has_own_key(table)
    }
    told = Counter(key for keys in called.values() for key in keys)
    by_name = {key: tables[name] for name, keys in called.items() for key in keys if told[key] == 1}
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
            if len(tables[parent].primary_key) != 1:
                return f"{where}, whose primary key is not one column."
    return None


def has_own_key(table: Table) -> bool:
    """Tell whether one column identifies a row, and is not another table's key itself."""
    return len(table.primary_key) == 1 and table.primary_key[0] not in dict(table.references)
