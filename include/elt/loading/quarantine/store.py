"""Rows that could not be loaded: kept in ``ops.quarantine`` with their place and reasons."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor
from psycopg2.extras import Json, execute_values

from elt.errors import RefusedFileError
from elt.loading.contract import Table
from elt.loading.erasure import is_erased
from elt.loading.files.csv_records import Record, swallowed
from elt.loading.staging_table import StagingTable

SHOW_ROWS = 3


@dataclass(frozen=True)
class BadRow:
    """A record and every reason why it is not loaded. Reasons hold no values of the row.

    ``column`` is the first column to blame, None if the row as a whole is.
    """

    record: Record
    faults: tuple[str, ...]
    column: str | None = None
    is_replayable: bool = True

    @property
    def reason(self) -> str:
        """Why it is not loaded, in one text."""
        return "; ".join(self.faults)

    @property
    def text(self) -> str:
        """The row as it stands in the file; what is not UTF-8 and zero bytes as ``\\xNN``."""
        return self.record.text.decode("utf-8", "backslashreplace").replace("\0", "\\x00")


@dataclass
class Quarantine:
    """The bad rows of one file. ``names`` is its header; ``tombstones`` are hashes by column."""

    cursor: Cursor
    table: Table
    load_id: int
    source_file: str
    names: Sequence[str]
    tombstones: Mapping[str, Collection[str]] = field(default_factory=dict)
    rows: int = 0
    erased: int = 0
    swallowed: int = 0
    first: list[str] = field(default_factory=list)
    first_row: BadRow | None = None

    def add(self, bad: Sequence[BadRow]) -> None:
        """Write rows down, but not those of people who were forgotten."""
        kept = [row for row in bad if not self._is_erased(row.record)]
        self.erased += len(bad) - len(kept)
        self.rows += len(kept)
        for row in kept:
            if row.is_replayable and row.column is None:
                self.swallowed += swallowed(row.record, len(self.names))
        self.first_row = self.first_row or next(iter(kept), None)
        more = kept[: SHOW_ROWS - len(self.first)]
        self.first += [f"line {row.record.line}: {row.reason}" for row in more]
        execute_values(
            self.cursor,
            "insert into ops.quarantine (load_id, table_name, source_file, line_number, row_text, "
            "reason, column_name, row_key, is_replayable) values %s",
            [
                (
                    *(self.load_id, self.table.name, self.source_file, row.record.line, row.text),
                    *(
                        row.reason,
                        row.column,
                        key_of(self.table, self.names, row.record),
                        row.is_replayable,
                    ),
                )
                for row in kept
            ],
        ) if kept else None

    def check_share(self, rows_read: int, more: int = 0, *, is_counted: bool = True) -> None:
        """Refuse the file if too many of its rows are bad.

        Rows that a missing quote has probably swallowed count too.

        Args:
            rows_read: the rows of the file.
            more: bad rows that were not yet added.
            is_counted: all bad rows are known; else there are more, and it is not known how many.

        Raises:
            RefusedFileError: with the first reasons.
        """
        bad = self.rows + more + self.swallowed
        allowed = allowed_rows(self.table, rows_read + self.swallowed)
        if bad <= allowed:
            return
        at_least = "" if is_counted else "at least "
        inside = f" (with {self.swallowed:,} swallowed by broken ones)" if self.swallowed else ""
        raise RefusedFileError(
            "file",
            f"has {at_least}{bad:,} bad row{'' if bad == 1 else 's'}{inside} of "
            f"{rows_read + self.swallowed:,}; the contract of `{self.table.name}` allows "
            f"{allowed:,} (max_bad_share {self.table.max_bad_share:g}). The first: "
            f"{'; '.join(self.first)}",
        )

    def _is_erased(self, record: Record) -> bool:
        return bool(self.tombstones) and is_erased(
            self.names, record.fields(), record.words(), self.tombstones
        )


def key_of(table: Table, names: Sequence[str], record: Record) -> Json | None:
    """Return the key of a record as text by column, as far as it can be read, else None."""
    pairs = zip(names, record.fields(), strict=False)
    key = {
        name: value.replace("\0", "\\x00")
        for name, value in pairs
        if name in table.primary_key and value
    }
    return Json(key) if key else None


def allowed_rows(table: Table, rows_read: int) -> int:
    """Return how many rows of a file may be bad: a share, at least one; a share of 0 is none."""
    share = Decimal(str(table.max_bad_share))
    return max(1, int(share * rows_read)) if share else 0


def supersede(
    cursor: Cursor, table: Table, load_id: int, source_file: str, *, is_whole: bool
) -> None:
    """Close what earlier loads of a file left open.

    Args:
        cursor: of the load's own transaction.
        table: the contract of the file.
        load_id: the load that supersedes them.
        source_file: the file.
        is_whole: it is a snapshot without a bad row, which closes all of the table.
    """
    cursor.execute(
        "update ops.quarantine set resolved_at = now(), resolution = 'superseded' "
        "where table_name = %s and resolved_at is null and load_id < %s "
        "and (%s or source_file = %s)",
        [table.name, load_id, is_whole, source_file],
    )


def supersede_keys(staging: StagingTable, load_id: int, *, but_of: Sequence[str] = ()) -> None:
    """Close what earlier loads left open of the rows that stand in a staging table.

    Also where such a row was found equal to the one in ``raw``: it came later than the one that
    waits, unless that is ``but_of`` a file of a later place. Where there are versions they decide,
    and only a replay can read them.
    """
    table = staging.table
    if table.version:
        return
    same_key = sql.SQL(" and ").join(
        sql.SQL("old.row_key ->> {} = new.{}::text").format(sql.Literal(key), sql.Identifier(key))
        for key in table.primary_key
    )
    staging.cursor.execute(
        sql.SQL(
            "update ops.quarantine as old set resolved_at = now(), resolution = 'superseded' "
            "from {new} as new where old.table_name = %s and old.resolved_at is null "
            "and old.load_id < %s and old.source_file <> all (%s) and {same_key}"
        ).format(new=staging.name, same_key=same_key),
        [table.name, load_id, list(but_of)],
    )
