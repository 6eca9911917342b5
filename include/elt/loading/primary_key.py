"""The key of rows that COPY brought: added after them, which costs far less than row by row."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.loading.contract import Table
from elt.loading.savepoint import savepoint
from elt.loading.staging_table import Target

# of the 2,704 bytes that a row of an index may have
KEY_BYTES = 2680


@dataclass(frozen=True)
class Loser:
    """A row that the key has no place for. ``winner`` is the number of the row with the same key
    that stays; None if the key itself is too long."""

    place: str
    number: int
    winner: int | None


def add(cursor: Cursor, table: Table, target: Target) -> str | None:
    """Give the target its primary key and return None, or say why that can't be.

    ``duplicate``: a key is there twice. ``limit``: one is too long. Nothing has changed then.
    """
    # enough to sort a million keys in memory
    cursor.execute("set local maintenance_work_mem = '128MB'")
    with savepoint(cursor, "before_key") as attempt:
        cursor.execute(
            sql.SQL("alter table {} add primary key ({})").format(target.name, _keys(table))
        )
    return attempt.refused.kind if attempt.refused else None


def find_losers(cursor: Cursor, table: Table, target: Target, limit: int) -> list[Loser]:
    """Return the rows that stand in the way of the key, in the order of the file.

    Of rows with the same key the newest version stays, the last one in the file among equals.
    """
    version = sql.SQL("")
    if table.version:
        version = sql.SQL("{} desc nulls last,").format(sql.Identifier(table.version))
    sizes = [sql.SQL("pg_column_size({})").format(sql.Identifier(k)) for k in table.primary_key]
    cursor.execute(
        sql.SQL(
            """
            with numbered as (
                select ctid as place, {number} as number, {keys}{version_column}, {size} as size
                from {target}
            ),
            doubled as (
                select {keys} from {target} group by {keys} having count(*) > 1
            ),
            ranked as (
                select place, number, size,
                    first_value(number) over (
                        partition by {keys} order by {version} number desc
                    ) as winner
                from numbered inner join doubled using ({keys})
            )
            select place::text, number, winner from ranked where number <> winner
            union all
            select place::text, number, null from numbered where size > {limit}
                and not exists (
                    select 1 from ranked
                    where ranked.place = numbered.place and ranked.number <> ranked.winner
                )
            order by 2 limit %s
            """
        ).format(
            number=target.number,
            keys=_keys(table),
            version_column=sql.SQL(", {}").format(sql.Identifier(table.version))
            if table.version and table.version not in table.primary_key
            else sql.SQL(""),
            version=version,
            size=sql.SQL(" + ").join(sizes),
            limit=sql.Literal(KEY_BYTES),
            target=target.name,
        ),
        [limit],
    )
    return [Loser(*row) for row in cursor]


def remove(cursor: Cursor, table: Table, target: Target, losers: list[Loser]) -> None:
    """Take the losers out of the target. Rows may change their places."""
    cursor.execute(
        sql.SQL("delete from {} where ctid = any(%s::tid[])").format(target.name),
        [[loser.place for loser in losers]],
    )
    if any(loser.winner is None for loser in losers):
        # an index takes in even deleted rows of its own transaction, so the table is written anew
        name = table.primary_key[0]
        cursor.execute(
            sql.SQL("alter table {0} alter {1} type {2} using (array[{1}])[1]").format(
                target.name, sql.Identifier(name), sql.SQL(table.column(name).data_type)
            )
        )


def _keys(table: Table) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, table.primary_key))
