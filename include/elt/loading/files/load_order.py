"""The files of a table in the order of their places, whenever they came.

A file may come late: its place is before one that is loaded already. What is still there is simply
applied once more, and wins again. What is gone can't be, so what it brought is kept from the file
that comes late.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.loading import diagnostics, merge, raw_table
from elt.loading.contract import Table
from elt.loading.files.file_names import Place, place
from elt.loading.load_log import Known
from elt.loading.staging_table import StagingTable
from elt.warehouse.rows import all_values, one_value

LATE_FILE = "late_file"
SHOW_NAMES = 3
# a row that was tried again is as old as the file that it came with
LOADS_OF = (
    "select load.load_id from ops.load as load "
    "left join ops.load as origin on load.replay_of = origin.load_id "
    "where load.table_name = %s and coalesce(origin.source_file, load.source_file) = any (%s)"
)
_NEWER = "{same_key} and old._load_id in (" + LOADS_OF + ")"


class LoadOrder:
    """What is there and what was loaded of a table, by place.

    Ask for the files that are there one after the other, in order: then all of them together cost
    no more than a walk over the list.
    """

    def __init__(self, known: Mapping[str, Known], present: Iterable[str]) -> None:
        self.known = dict(known)
        self._present = set(present)
        self._steps = sorted((place(path), path) for path in {*known, *self._present})
        self._walked = 0
        self._newest = 0
        self._gone = [step for step in self._steps if step[1] not in self._present]

    def newest_before(self, path: str) -> int:
        """Return the last load of changed bytes among the files before this one, 0 without any."""
        here: Place = place(path)
        while self._walked < len(self._steps) and self._steps[self._walked][0] < here:
            last = self.known.get(self._steps[self._walked][1])
            self._newest = max(self._newest, last.applied_id if last else 0)
            self._walked += 1
        return self._newest

    def gone_after(self, path: str) -> list[str]:
        """Return the files after this one that were loaded and are not there any more."""
        after = self._gone[bisect_right(self._gone, (place(path), path)) :]
        return [other for _, other in after if self.known[other].applied_id]

    def is_before_others(self, path: str) -> bool:
        """Tell whether a file after this one is there."""
        after = self._steps[bisect_right(self._steps, (place(path), path)) :]
        return any(other in self._present for _, other in after)

    def newest_after(self, path: str) -> int:
        """Return the last load of changed bytes among the files after this one."""
        after = self._steps[bisect_right(self._steps, (place(path), path)) :]
        loads = (self.known[other].applied_id for _, other in after if other in self.known)
        return max(loads, default=0)

    def put_over_gone(self) -> Iterator[tuple[str, list[str]]]:
        """Yield files that were loaded after ones that are gone, as byte order took them once.

        Natural order takes the gone ones later: theirs are the newer rows.
        """
        newest = ("", 0)
        covered: list[str] = []
        for _, path in self._steps:
            applied = self.known[path].applied_id if path in self.known else 0
            if applied > newest[1]:
                if covered:
                    yield newest[0], covered
                newest, covered = (path, applied), []
            elif applied and path not in self._present and path < newest[0]:
                covered.append(path)
        if covered:
            yield newest[0], covered


@dataclass(frozen=True)
class LateFile:
    """What a file may not put its rows over.

    ``gone`` are files of later places that were loaded and are not there any more. An outdated
    file is a snapshot, and a later one was loaded. A full file that is rewritten under its old name
    is a new export: it is as new as its bytes. ``has_changed`` is false of bytes that are applied
    again only because others were.
    """

    path: str
    sha256: str
    gone: tuple[str, ...] = ()
    is_outdated: bool = False
    is_rewritten: bool = False
    has_changed: bool = False

    @property
    def kept(self) -> tuple[str, ...]:
        """The files whose rows are newer than those of this one."""
        return () if self.is_rewritten else self.gone

    def hold_back(self, staging: StagingTable) -> int:
        """Take rows out of a staging table that are older than those in raw, and return how many.

        Where versions differ, they decide. Of a full file that was rewritten none is taken out, and
        it is counted what it replaces.
        """
        if not self.gone or self.is_outdated:
            return 0
        if self.is_rewritten:
            count = "select count(*) from {new} as new inner join {raw} as old on "
            _run(staging, self.gone, count)
            return one_value(staging.cursor, int)
        _run(staging, self.gone, "delete from {new} as new using {raw} as old where ")
        return staging.cursor.rowcount

    def warn(self, cursor: Cursor, table: Table, load_id: int, held: int, updated: int) -> None:
        """Say, once for these bytes, what became of them.

        Args:
            held: what ``hold_back`` returned.
            updated: how many rows in raw the file changed.
        """
        if not self.gone or not self.has_changed:
            return
        path, raw, gone = self.path, f"raw.{table.name}", _names(self.gone)
        advice = f"If {path} is the newer one, give it a name that comes after."
        if self.is_outdated:
            what = f"A later snapshot says all that there is: nothing of it was loaded. {advice}"
        elif self.is_rewritten and held:
            what = (
                f"It was written anew and counts as newer. Rows of {raw} that these had brought "
                f"and that it has too: {held:,}; where they differ, they were replaced."
            )
        elif not self.is_rewritten and (held or (updated and not table.version)):
            what = (
                f"Rows of it that were left out, because these had brought newer ones: {held:,}. "
                f"Older rows of {raw} that it replaced: {updated:,}; if these had them too, "
                f"deliver these again. {advice}"
            )
        else:
            return
        message = f"{path} comes before {gone}: loaded already, and not there any more. {what}"
        diagnostics.warn(
            cursor, table.name, LATE_FILE, f"{path} {self.sha256[:12]}", message, load_id
        )


def compare_with_later(
    cursor: Cursor,
    table: Table,
    path: str,
    sha256: str,
    order: LoadOrder,
    state: raw_table.State,
) -> LateFile:
    """Find out what a file may not put its rows over.

    Args:
        cursor: of the load's own transaction.
        table: the contract of the file.
        path: how it is called.
        sha256: the hash of its bytes as they are now.
        order: what is there and what was loaded of the table.
        state: how the raw table was found.
    """
    if state == "missing":
        return LateFile(path, sha256)
    last, gone = order.known.get(path), tuple(order.gone_after(path))
    is_new = last is None or last.sha256 != sha256
    is_rewritten = "/" not in path and last is not None and is_new
    is_outdated = (
        table.load == "full_snapshot"
        and _knows(cursor, table, order.newest_after(path))
        and not (is_rewritten and not order.is_before_others(path))
    )
    has_changed = is_new or state == "widened"
    return LateFile(path, sha256, gone, is_outdated, is_rewritten, has_changed)


def warn_of_byte_order(cursor: Cursor, table: Table, order: LoadOrder) -> None:
    """Say, once, of which files loaded before names had a natural order the rows may be too old."""
    if table.version or not (found := list(order.put_over_gone())):
        return
    cursor.execute(
        "select detail from ops.load_warning where table_name = %s and kind = %s",
        [table.name, LATE_FILE],
    )
    known = {detail.rpartition(" ")[0] for detail in all_values(cursor, str)}
    for path, gone in found:
        if path not in known:
            message = (
                f"{path} was loaded after {_names(gone)}, as byte order has it. Names are taken "
                f"in natural order now, so rows of {path} in raw.{table.name} may stand where "
                "newer ones should. To be sure, deliver again what is gone."
            )
            diagnostics.warn(cursor, table.name, LATE_FILE, f"{path} -", message, None)


def _knows(cursor: Cursor, table: Table, load_id: int) -> bool:
    """Tell whether the raw table has seen a load; one that was made anew since has not."""
    if not load_id:
        return False
    statement = sql.SQL("select coalesce(min(_load_id) <= %s, true) from {}")
    cursor.execute(statement.format(raw_table.name_of(table)), [load_id])
    return one_value(cursor, bool)


def _run(staging: StagingTable, gone: Sequence[str], statement: str) -> None:
    table = staging.table
    same_version: sql.Composable = sql.SQL("")
    if table.version:
        pair = (merge.column_of(side, table.version) for side in ("old", "new"))
        same_version = sql.SQL(" and {} is not distinct from {}").format(*pair)
    start = sql.SQL(statement + _NEWER).format(**merge.statement_parts(staging, 0))
    staging.cursor.execute(start + same_version, [table.name, list(gone)])


def _names(paths: Sequence[str]) -> str:
    shown, rest = paths[:SHOW_NAMES], len(paths) - SHOW_NAMES
    return ", ".join(shown) + (f" and {rest:,} more" if rest > 0 else "")
