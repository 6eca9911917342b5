"""Write a demo shop's landing files. The data is made by SQL in `sql/`, in temporary tables.

Any Postgres from 16 on will do, and the right to make temporary tables there. Nothing stays behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

from psycopg2.extensions import STATUS_READY, connection, cursor

from devtools.demo.faults import KINDS, damaged
from devtools.demo.files import TABLES, drop_file, existing_file, read_lines, replacing
from devtools.demo.settings import DemoError, DemoSettings, Fault, claim, write_note

SQL = Path(__file__).parent / "sql"
# An order is delivered at most eight days after its visit began: what happens on a day follows from
# the visits of that day and of nine days before, however long the shop has been there.
HISTORY_DAYS = 9


def write_landing(
    warehouse: connection,
    landing: Path,
    settings: DemoSettings,
    days: Sequence[date],
    *,
    overwrite: bool = False,
    compress: bool = False,
) -> list[Path]:
    """Write the drops of the days that are not there yet and return the new files.

    A file appears whole or not at all. A drop broken on purpose stays broken: see `mend`.

    Args:
        overwrite: write all the files of these days again.
        compress: write `.csv.gz`. A file that is there in either form is not written twice.

    Raises:
        DemoError: if the folder holds another shop, or a day is before its first.
    """
    early = [day for day in days if day < settings.first_day]
    if early:
        raise DemoError(f"The demo shop opens on {settings.first_day}: no drop for {early[0]}.")
    claim(landing, settings)
    wanted = [
        (table, day)
        for day in sorted(set(days))
        for table in TABLES
        if overwrite or existing_file(landing, table, day) is None
    ]
    return _write(warehouse, landing, settings, wanted, compress)


def plant_fault(
    warehouse: connection, landing: Path, settings: DemoSettings, day: date, kind: str
) -> Path:
    """Damage one file of a day's drop, see `faults`, and return it. A fault from before is mended.

    Raises:
        DemoError: if there is no such kind, or no such drop.
    """
    if kind not in KINDS:
        raise DemoError(f"There is no fault `{kind}`. Choose from: {', '.join(KINDS)}.")
    file = existing_file(landing, KINDS[kind].table, day)
    if file is None:
        raise DemoError(f"There is no drop of {day} in {landing} to break.")
    mend(warehouse, landing, settings)
    # the note first: a fault that is not written down would never be mended
    write_note(landing, replace(claim(landing, settings), fault=Fault(kind, day)))
    with replacing(file) as stream:
        for line in damaged(kind, read_lines(file)):
            stream.write(line.encode())
    return file


def mend(warehouse: connection, landing: Path, settings: DemoSettings) -> list[Path]:
    """Write the file with the planted fault again and return it; nothing if there is none."""
    note = claim(landing, settings)
    if note.fault is None:
        return []
    table, day = KINDS[note.fault.kind].table, note.fault.day
    broken = existing_file(landing, table, day)
    compress = broken is not None and broken.suffix == ".gz"
    mended = _write(warehouse, landing, settings, [(table, day)], compress)
    write_note(landing, replace(note, fault=None))
    return mended


def _write(
    warehouse: connection,
    landing: Path,
    settings: DemoSettings,
    wanted: Sequence[tuple[str, date]],
    compress: bool,
) -> list[Path]:
    if not wanted:
        return []
    if warehouse.autocommit or warehouse.status != STATUS_READY:
        raise DemoError(
            "The demo data needs a connection between transactions, without autocommit."
        )
    days, written = [day for _, day in wanted], []
    try:
        with warehouse.cursor() as statements:
            prepare(statements, settings, min(days), max(days))
            for table, day in wanted:
                target = drop_file(landing, table, day, compress)
                _export(statements, settings, table, day, target)
                # the same file in the other form would be loaded a second time
                drop_file(landing, table, day, not compress).unlink(missing_ok=True)
                written.append(target)
    finally:
        # everything made here was temporary
        warehouse.rollback()
    return written


def _parameters(settings: DemoSettings) -> dict[str, object]:
    return {
        "seed": str(settings.seed),
        "first_day": settings.first_day,
        "user_count": settings.users,
        "sessions_per_day": settings.sessions_per_day,
        "history_days": HISTORY_DAYS,
    }


def prepare(statements: cursor, settings: DemoSettings, first: date, last: date) -> None:
    window_start = max(settings.first_day, first - timedelta(days=HISTORY_DAYS))
    period = {"window_start": window_start, "last_day": last}
    # sorting a busy day in memory; compiling these statements costs more than it saves
    statements.execute("set local work_mem = '64MB'; set local jit = off")
    for file in sorted((SQL / "prepare").glob("*.sql")):
        statements.execute(file.read_text(), _parameters(settings) | period)


def _export(
    statements: cursor, settings: DemoSettings, table: str, day: date, target: Path
) -> None:
    query = (SQL / "export" / f"{table}.sql").read_text()
    copy = f"copy (\n{query}) to stdout (format csv, header)"
    with replacing(target) as stream:
        statements.copy_expert(
            statements.mogrify(copy, _parameters(settings) | {"day": day}), stream, size=1 << 18
        )
