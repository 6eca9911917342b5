"""A person's rows in quarantine: what they say is wiped, that they were there is kept."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from psycopg2.extensions import cursor as Cursor

from elt.loading.contract import Table
from elt.loading.erasure import is_telling
from elt.privacy.search_terms import words_in


def fields_of(row_text: str, columns: Sequence[str] | None, delimiter: str = ",") -> dict[str, str]:
    """Return the fields of a row by column, or nothing if it does not have one for each column."""
    try:
        rows = list(csv.reader(io.StringIO(row_text, newline=""), delimiter=delimiter))
    except csv.Error:
        return {}
    if len(rows) != 1 or len(rows[0]) != len(columns or ()):
        return {}
    # a header may be written otherwise than the contract
    names = [column.strip().lower() for column in columns or ()]
    return dict(zip(names, (field.strip() for field in rows[0]), strict=True))


def belongs(
    fields: Mapping[str, str],
    row_text: str,
    wanted: Mapping[str, set[str]],
    words: re.Pattern | None,
) -> bool:
    """Tell whether a row in quarantine is the person's. ``wanted`` has values by column."""
    if fields:
        return any(fields.get(column) in values for column, values in wanted.items())
    return bool(words and words.search(row_text))


def may_belong(row_text: str, wanted: Mapping[str, set[str]], delimiter: str) -> bool:
    """Tell whether a broken row has a field that may be the person's key, or just a number."""
    short = {value for values in wanted.values() for value in values if not is_telling(value)}
    return bool(short) and any(
        field.strip() in short for field in re.split(rf"[{re.escape(delimiter)}\r\n]", row_text)
    )


@dataclass(frozen=True)
class Wiped:
    """How many rows were wiped, the values of their key columns, and ids of rows to look at."""

    rows: int
    keys: Mapping[str, set[str]]
    undecided: list[int]


def wipe(cursor: Cursor, table: Table, wanted: Mapping[str, set[str]]) -> Wiped:
    """Wipe the person's rows of a table. ``wanted`` has the person's values by column.

    An open row counts as resolved then. A broken row in which a short key may stand in any place
    is left alone: it may be somebody else's.
    """
    cursor.execute(
        "select quarantine_id, row_text, row_key, source_columns from ops.quarantine"
        " left join ops.load using (load_id)"
        " where quarantine.table_name = %s and row_text <> ''",
        (table.name,),
    )
    wanted = {column: values - {""} for column, values in wanted.items()}
    words = words_in(value for values in wanted.values() for value in values)
    found: list[int] = []
    undecided: list[int] = []
    keys: dict[str, set[str]] = {column: set() for column in table.primary_key}
    for quarantine_id, row_text, row_key, columns in cursor:
        fields = fields_of(row_text, columns, table.delimiter)
        key = {column: str(value) for column, value in (row_key or {}).items()}
        if belongs(key, "", wanted, None) or belongs(fields, row_text, wanted, words):
            found.append(quarantine_id)
            for column, values in keys.items():
                values.update(filter(None, [(fields | key).get(column)]))
        elif not fields and may_belong(row_text, wanted, table.delimiter):
            undecided.append(quarantine_id)
    cursor.execute(
        "update ops.quarantine set row_text = '', row_key = null,"
        " reason = 'Its person was forgotten.', resolution = coalesce(resolution, 'erased'),"
        " resolved_at = coalesce(resolved_at, now()) where quarantine_id = any (%s)",
        (found,),
    )
    return Wiped(len(found), keys, undecided)
