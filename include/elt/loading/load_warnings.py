"""What a load noticed and went on: told once, kept in ``ops.load_warning``."""

from __future__ import annotations

import logging

from psycopg2.extensions import cursor as Cursor

from elt.loading.contract import Table
from elt.loading.files.header import Header, nearest
from elt.loading.load_log import LoadResult
from elt.shop import SHOP

logger = logging.getLogger(__name__)


def warn(
    cursor: Cursor, table_name: str, kind: str, detail: str, message: str, load_id: int | None
) -> bool:
    """Note a warning and log it, unless the same kind and detail are known of this table.

    Args:
        cursor: of the load's own transaction.
        table_name: the table that it is about.
        kind: what sort of thing was noticed.
        detail: what it was noticed of; never the content of a row.
        message: the sentence for people; never the content of a row.
        load_id: the load that noticed it, None if none did.

    Returns:
        Whether it was new.
    """
    cursor.execute(
        "insert into ops.load_warning (load_id, table_name, kind, detail, message) "
        "values (%s, %s, %s, %s, %s) on conflict do nothing",
        [load_id, table_name, kind, detail, message],
    )
    if is_new := cursor.rowcount == 1:
        logger.warning("%s", message)
    return is_new


def warn_of_file(cursor: Cursor, table: Table, result: LoadResult, header: Header) -> None:
    """Warn of what is odd about a file that was loaded, before its row of ``ops.load`` is there.

    Args:
        cursor: of the load's own transaction.
        table: the contract of the file.
        result: what became of it, with the numbers of its rows.
        header: its columns, and how they differ from the contract's.
    """

    def note(kind: str, detail: str, message: str) -> None:
        warn(cursor, table.name, kind, detail, message, result.load_id)

    path, raw = result.source_file, f"raw.{table.name}"
    for name in dict.fromkeys(name or "(without a name)" for name in header.unknown):
        meant = nearest(name, header.missing)
        note(
            "unknown_column",
            name,
            f"{path} has a column that {raw} does not: {name}. "
            + (f"Did you mean `{meant}`? " if meant else "")
            + f"It is ignored; declare it in {SHOP.contracts.name} to load it.",
        )
    for column, name in header.loose:
        note(
            "loose_column",
            f"{name} is {column}",
            f"{path} calls the column {column} of {raw} `{name}`. It is loaded: names are matched "
            "without case and blanks. Spell it as the contract does to be safe.",
        )
    if header.seems_utf_8:
        note(
            "seems_utf_8",
            table.encoding,
            f"{path} looks like UTF-8, but was read as {table.encoding}, as `encoding` says in the "
            f"contract of {raw}. Do its accents come out right?",
        )
    for name in header.missing:
        note(
            "missing_column",
            name,
            f"{path} lacks the column {name} of {raw}. It is null in new rows, and stays as it is "
            "in known ones.",
        )
    if result.rows_quarantined and table.load == "full_snapshot":
        note(
            "no_deletes",
            f"{path} {result.load_id}",
            f"{path} is a full snapshot with {result.rows_quarantined:,} rows in quarantine: no "
            f"row of {raw} was marked as deleted.",
        )
    if table.load == "delta" and not result.rows_read:
        note("empty_drop", f"{path} {result.load_id}", f"{path} holds no rows for {raw}.")
