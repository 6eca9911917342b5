"""Whose row is it? Read from the contracts of the source tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from include.extract.contracts import ContractError, Table


@dataclass(frozen=True)
class Rules:
    """Where a person's rows are.

    ``root`` has one row for each person, ``own`` the person's id in a column, ``parts`` the key of
    a table before them (in this order), ``shared`` rows may belong to several people.
    """

    root: Table
    own: tuple[Table, ...]
    parts: tuple[Table, ...]
    shared: tuple[Table, ...]

    @property
    def tables(self) -> tuple[Table, ...]:
        """All of them, each after those it is found by."""
        return (self.root, *self.own, *self.parts, *self.shared)

    @property
    def keys(self) -> dict[str, Table]:
        """The columns that identify a row of a person, by name, with the table they are the key of.

        A column is called the same in every model, so by these names rows are found in marts too.
        """
        return {table.primary_key[0]: table for table in self.tables if len(table.primary_key) == 1}

    def points_to(self, table: Table) -> list[str]:
        """Return the columns of a table by which it points to shared rows."""
        return [
            shared.primary_key[0]
            for shared in self.shared
            if table != shared and table.column(shared.primary_key[0])
        ]

    def columns_to_remember(self, table: Table) -> list[str]:
        """Return the columns whose values tell a row of a forgotten person if it comes again.

        The key of the row as well, where other tables point to it: their rows are no orphans then.
        """
        assert table.person is not None
        key = [table.primary_key[0]] if table.is_parent else []
        return list(dict.fromkeys([table.person, *key]))


def read_rules(tables: Mapping[str, Table]) -> Rules:
    """Return where a person's rows are.

    Raises:
        ContractError: if the contracts do not say it, or contradict each other.
    """
    marked = [table for table in tables.values() if table.person]
    roots = [t for t in marked if t.primary_key == (t.person,) and not t.is_shared]
    if len(roots) != 1:
        named = ", ".join(table.name for table in roots) or "none"
        raise ContractError(
            "Exactly one source table must name its own primary key as `person`, as the table that "
            f"has one row for each person; these do: {named}. See _greenery__sources.yml."
        )
    (root,) = roots
    shared = tuple(table for table in marked if table.is_shared)
    own = tuple(t for t in marked if t != root and not t.is_shared and t.person == root.person)
    parts: list[Table] = []
    waiting = [table for table in marked if table not in (root, *own, *shared)]
    while waiting:
        keys = {t.primary_key for t in (*own, *parts)}
        found = [table for table in waiting if (table.person,) in keys]
        if not found:
            raise ContractError(
                f"The table `{waiting[0].name}` names `{waiting[0].person}` as `person`, which is "
                f"neither `{root.person}` nor the key of a table that has it. "
                "See _greenery__sources.yml."
            )
        parts += found
        waiting = [table for table in waiting if table not in found]
    return Rules(root, own, tuple(parts), shared)
