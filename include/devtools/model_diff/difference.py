"""How the rows of a mart differ between two builds: counts alone, no row's content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.warehouse.rows import one_row, one_value


@dataclass(frozen=True)
class Difference:
    """Rows of a mart before and after, and how many of them were added, removed or changed.

    ``by_column`` counts the changed rows by column; ``before`` is None if there was no such mart.
    """

    before: int | None
    after: int
    added: int = 0
    removed: int = 0
    changed: int = 0
    by_column: dict[str, int] = field(default_factory=dict)
    new_columns: dict[str, str] = field(default_factory=dict)
    lost_columns: dict[str, str] = field(default_factory=dict)
    retyped_columns: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def is_any(self) -> bool:
        return any(
            (
                self.before is None,
                *(self.added, self.removed, self.changed),
                *(self.new_columns, self.lost_columns, self.retyped_columns),
            )
        )


def compare(
    cursor: Cursor, before: tuple[str, str], after: tuple[str, str], key: Sequence[str]
) -> Difference:
    """Compare two tables (schema and name), whose rows ``key`` identifies.

    A column of another type is compared by what its values look like. If a column of the key is
    not in both, every row counts as removed or added.
    """
    old_columns, new_columns = _columns(cursor, before), _columns(cursor, after)
    old, new = sql.Identifier(*before), sql.Identifier(*after)
    if not old_columns:
        return Difference(before=None, after=_count(cursor, new))
    both = [name for name in new_columns if name in old_columns]
    structure: dict[str, Any] = {
        "new_columns": {c: t for c, t in new_columns.items() if c not in old_columns},
        "lost_columns": {c: t for c, t in old_columns.items() if c not in new_columns},
        "retyped_columns": {
            c: (old_columns[c], new_columns[c]) for c in both if old_columns[c] != new_columns[c]
        },
    }
    if not {*key} <= {*both} or {*key} & structure["retyped_columns"].keys():
        removed, added = _count(cursor, old), _count(cursor, new)
        return Difference(removed, added, added, removed, **structure)

    compared = [name for name in both if name not in key]
    differs = {
        name: sql.SQL("old.{0}{1} is distinct from new.{0}{1}").format(
            sql.Identifier(name),
            sql.SQL("::text" if name in structure["retyped_columns"] else ""),
        )
        for name in compared
    }
    any_differs = sql.SQL(" or ").join(differs.values()) if differs else sql.SQL("false")
    is_in_both = sql.SQL("old.{0} is not null and new.{0} is not null").format(
        sql.Identifier(key[0])
    )
    changed, *by_column = (
        sql.SQL("count(*) filter (where {} and ({}))").format(is_in_both, condition)
        for condition in (any_differs, *differs.values())
    )
    first = sql.Identifier(key[0])
    cursor.execute(
        sql.SQL(
            "select count(old.{first}) as before, count(new.{first}) as after,"
            " count(*) filter (where old.{first} is null) as added,"
            " count(*) filter (where new.{first} is null) as removed,"
            " {changed} as changed, array[{by_column}]::bigint[] as by_column"
            " from {old} as old full join {new} as new on {same_key}"
        ).format(
            first=first,
            changed=changed,
            by_column=sql.SQL(", ").join(by_column),
            old=old,
            new=new,
            same_key=sql.SQL(" and ").join(
                sql.SQL("old.{0} = new.{0}").format(sql.Identifier(column)) for column in key
            ),
        )
    )
    found = one_row(cursor, dict[str, Any])
    told = {c: n for c, n in zip(compared, found.pop("by_column"), strict=True) if n}
    return Difference(**found, by_column=told, **structure)


def _columns(cursor: Cursor, table: tuple[str, str]) -> dict[str, str]:
    cursor.execute(
        "select attname, format_type(atttypid, atttypmod) from pg_attribute"
        " inner join pg_class on pg_class.oid = attrelid"
        " where relnamespace = to_regnamespace(quote_ident(%s)) and relname = %s"
        " and attnum > 0 and not attisdropped order by attnum",
        table,
    )
    return dict(cursor.fetchall())


def _count(cursor: Cursor, table: sql.Identifier) -> int:
    cursor.execute(sql.SQL("select count(*) from {}").format(table))
    return one_value(cursor)
