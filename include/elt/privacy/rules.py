"""Whose row is it? Read from the contracts of the source tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from elt.loading.contract import Table, has_own_key, resolve_references
from elt.loading.sources_yaml import ContractError
from elt.shop import SHOP

References = Mapping[str, Mapping[str, Table]]
SEE = f"See the head of {SHOP.contracts.name}."


@dataclass(frozen=True)
class Rules:
    """Where a person's rows are.

    ``root`` has one row for each person, ``own`` the person's id in a column, ``parts`` the key of
    a table before them (in this order), ``shared`` rows may belong to several people. ``declared``
    are all source tables, and ``references`` which column of them holds the key of which other.
    """

    root: Table
    own: tuple[Table, ...]
    parts: tuple[Table, ...]
    shared: tuple[Table, ...]
    declared: tuple[Table, ...]
    references: References

    @property
    def tables(self) -> tuple[Table, ...]:
        """All of a person, each after those it is found by."""
        return (self.root, *self.own, *self.parts, *self.shared)

    @property
    def keys(self) -> dict[str, Table]:
        """The columns of models that identify a row of a person, with whose key they are.

        A column is called the same in every model, so by these names rows are found in marts too.
        """
        return {
            name: table
            for table in self.tables
            if has_own_key(table)
            for name in names_downstream(table)
        }

    @property
    def personal_names(self) -> set[str]:
        """What columns are called that are personal in every table that has one so called."""
        columns = [column for table in self.declared for column in table.columns]
        plain = {column.name for column in columns if not column.is_personal}
        return {column.name for column in columns if column.is_personal} - plain

    def owner(self, table: Table) -> Table:
        """Return the table whose key the column ``person`` of a table holds; may be itself."""
        return self.references[table.name].get(person_column(table), table)

    def columns_of(self, owner: Table) -> list[tuple[Table, str]]:
        """Return which columns of which other tables hold a table's key."""
        return [
            (table, column)
            for table in self.declared
            for column, parent in self.references[table.name].items()
            if parent.name == owner.name
        ]

    def points_to(self, table: Table) -> list[str]:
        """Return the columns of a table by which it points to shared rows."""
        shared = {one.name for one in self.shared}
        held = self.references[table.name]
        return [column for column, parent in held.items() if parent.name in shared]

    def columns_to_remember(self, table: Table) -> list[str]:
        """Return the columns whose values tell a row of a forgotten person if it comes again.

        The key of the row as well, where other tables point to it: their rows are no orphans then.
        """
        key = [table.primary_key[0]] if table.is_parent else []
        return list(dict.fromkeys([person_column(table), *key]))


def person_column(table: Table) -> str:
    """Return the column of a person's table that says whose a row is."""
    assert table.person is not None, f"{table.name} is no table of a person"
    return table.person


def names_downstream(table: Table) -> tuple[str, ...]:
    """Return what models call the key of a table that is one column."""
    return table.key_downstream or table.primary_key


def check(tables: Mapping[str, Table]) -> None:
    """Make sure that everybody could be forgotten, if the shop has people at all.

    Raises:
        ContractError: if the contracts do not say whose a row is.
    """
    if any(table.person for table in tables.values()):
        read_rules(tables)


def read_rules(tables: Mapping[str, Table]) -> Rules:
    """Return where a person's rows are.

    Raises:
        ContractError: if the contracts do not say it, or contradict each other.
    """
    held = resolve_references(tables)
    marked = [table for table in tables.values() if table.person]
    roots = [
        table
        for table in marked
        if table.primary_key == (table.person,)
        and table.person not in held[table.name]
        and not table.is_shared
    ]
    if len(roots) != 1:
        named = ", ".join(table.name for table in roots) or "none"
        raise ContractError(
            "Exactly one source table must name its own primary key as `person`, as the table that "
            f"has one row for each person; these do: {named}. {SEE}"
        )
    (root,) = roots
    shared = tuple(table for table in marked if table.is_shared)
    found = [root]
    waiting = [table for table in marked if table is not root and not table.is_shared]
    while waiting:
        names = {table.name for table in found}
        near = [table for table in waiting if _owner_name(table, held) in names]
        if not near:
            raise _not_found(waiting[0], root)
        found += near
        waiting = [table for table in waiting if table not in near]
    own = tuple(table for table in found[1:] if _owner_name(table, held) == root.name)
    parts = tuple(table for table in found[1:] if table not in own)
    rules = Rules(root, own, parts, shared, tuple(tables.values()), held)
    _refuse_equal_names(rules)
    return rules


def _owner_name(table: Table, held: References) -> str | None:
    owner = held[table.name].get(table.person or "")
    return owner.name if owner else None


def _not_found(table: Table, root: Table) -> ContractError:
    return ContractError(
        f"The table `{table.name}` names `{table.person}` as `person`, which is neither "
        f"`{root.person}` nor the key of a table that has it. If several tables call their key "
        "so, or the column is called otherwise than the key that it holds, say under `references` "
        f"whose key it is. {SEE}"
    )


def _refuse_equal_names(rules: Rules) -> None:
    """Refuse keys that models can't tell apart: a search by name would find other people's rows."""
    for table in rules.tables:
        if not has_own_key(table):
            continue
        for other in rules.declared:
            if other.name == table.name:
                continue
            is_own = has_own_key(other)
            named = set(names_downstream(other) if is_own else other.primary_key)
            for name in sorted(named & set(names_downstream(table))):
                said = dict(other.references).get(name) == table.name
                if not said and (other.person != name or rules.owner(other).name != table.name):
                    raise ContractError(_equal_names(name, table, other))


def _equal_names(name: str, table: Table, other: Table) -> str:
    return (
        f"The tables `{table.name}` and `{other.name}` both have `{name}` in their key, so rows of "
        f"a person who is to be forgotten could not be told from others in models. Say under "
        f"`key_downstream` what models call the key of `{table.name}`"
        + (
            f" and of `{other.name}`"
            if has_own_key(other)
            else f", or under `references` of `{other.name}` that it is the same"
        )
        + f". {SEE}"
    )
