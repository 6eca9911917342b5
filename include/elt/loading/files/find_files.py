"""Which files lie in the landing folder, and which table each belongs to."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from elt.errors import SourceError
from elt.loading.files import local_files
from elt.loading.files.file_names import (
    Stray,
    closest_table,
    describe_strays,
    is_csv,
    is_hidden,
    place,
    printable,
    without_extension,
)
from elt.loading.files.landing import CONNECTION_ID, Landing, SourceFile, instant, seen
from elt.loading.files.local_files import NO_ACCESS
from elt.shop import SHOP

NOT_LISTED = "a folder of another table"


@dataclass
class Found:
    """What lies in the landing folder.

    ``files`` are the files of each table in the order in which they are to be loaded, ``strays``
    what is not read of it; ``others`` are strays of no table, one of each folder. ``faults`` says
    in words why no file of a table can be loaded.
    """

    files: dict[str, list[SourceFile]]
    strays: dict[str, list[Stray]]
    others: dict[str, Stray] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)

    def of(self, table: str) -> list[SourceFile]:
        """Return the files of a table.

        Raises:
            SourceError: if something must be mended before any can be loaded.
        """
        if fault := self.faults.get(table):
            raise SourceError(fault)
        return self.files[table]


def find_files(landing: Landing, tables: Collection[str], only: str | None = None) -> Found:
    """Return what lies in the landing folder, by table.

    Args:
        landing: the folder.
        tables: the names of those that are declared.
        only: the one that is asked for. The folders of others are not listed then where that may
            take many calls, and nothing is said of what lies in them.

    Raises:
        SourceError: if the folder is missing, holds no CSV file, or holds one of no declared table.
        SourceUnreachableError: if the store does not answer.
    """
    others = {name for name in tables if only and name != only}
    try:
        with landing.answering():
            entries = list(_walk_locally(landing) if landing.is_local else _walk(landing, others))
    except (FileNotFoundError, NotADirectoryError):
        raise SourceError(
            f"The landing folder {landing.url} does not exist. Is `path` in the extra of the "
            f"Airflow connection `{CONNECTION_ID}` right?"
        ) from None
    except PermissionError:
        raise SourceError(
            f"The landing folder {landing.url} may not be read. Are the credentials right, in the "
            f"connection that `conn_id` names in the extra of `{CONNECTION_ID}`?"
        ) from None
    return sort_by_table(entries, tables, landing.url)


def sort_by_table(
    entries: Iterable[SourceFile | Stray], tables: Collection[str], url: str
) -> Found:
    """Give each file to its table: the single file first, then the drops in natural order."""
    found = Found({table: [] for table in tables}, {table: [] for table in tables})
    owners: dict[str, str | None] = {}
    for entry in entries:
        top = entry.path.partition("/")[0]
        name = top if "/" in entry.path else without_extension(top)
        if name not in owners:
            owners[name] = name if name in tables else closest_table(name, tables)
        owner = owners[name]
        if isinstance(entry, Stray):
            _keep_stray(found, entry, owner)
        elif name == owner:
            found.files[owner].append(entry)
        elif owner:
            found.faults.setdefault(owner, _misplaced(entry.path, owner, url))
        else:
            raise SourceError(
                f"{entry.path} in {url} belongs to no declared table. Declare `{name}` in "
                f"{SHOP.contracts.name}, or put an underscore before the name to have it ignored."
            )
    for table, files in found.files.items():
        files.sort(key=lambda file: place(file.path))
        if len(files) > 1 and "/" not in files[1].path:
            found.faults[table] = (
                f"{files[0].path} and {files[1].path} in {url} are two full files of one table. "
                "Keep one, or put an underscore before the other's name."
            )
    strays = [*found.others.values(), *itertools.chain(*found.strays.values())]
    is_seen_whole = all(stray.what != NOT_LISTED for stray in strays)
    if is_seen_whole and not any(found.files.values()) and not found.faults:
        listed = "".join(f" {message}" for _, message in describe_strays(strays)[:3])
        raise SourceError(
            f"The landing folder {url} holds no CSV file. "
            f"Expected <table>.csv, <table>.csv.gz or a folder <table> with such files.{listed}"
        )
    return found


def _keep_stray(found: Found, stray: Stray, owner: str | None) -> None:
    if owner is None:
        found.others.setdefault(stray.path.partition("/")[0], stray)
        return
    found.strays[owner].append(stray)
    if stray.what == NO_ACCESS:
        found.faults.setdefault(
            owner,
            f"{stray.path} is {stray.what}. Nothing of the table `{owner}` was loaded. "
            "Give us the right to read it and run again.",
        )


def _misplaced(path: str, table: str, url: str) -> str:
    return (
        f"{path} in {url} belongs to no declared table. If it is of `{table}`, put it into "
        f"{table}/; if it is a table of its own, declare that in {SHOP.contracts.name}; else put "
        f"an underscore before the name to have it ignored. Nothing of `{table}` was loaded."
    )


def _walk_locally(landing: Landing) -> Iterator[SourceFile | Stray]:
    for entry in local_files.walk(landing.root.path):
        if is_csv(entry.path) and not entry.what:
            yield SourceFile(entry.path, entry.size, instant(entry.modified))
        else:
            yield Stray(entry.path, entry.what)


def _walk(landing: Landing, others: Collection[str]) -> Iterator[SourceFile | Stray]:
    """Yield what lies in a store that may be far away: one listing, and one of each folder in it.

    So a hidden folder costs nothing, and a store of objects tells 1,000 of them with each call. Of
    the folder of another table nothing is told but that it is there.
    """
    fs, root = landing.root.fs, landing.root.path.rstrip("/")
    fs.invalidate_cache()
    for entry in fs.ls(landing.root.path, detail=True):
        name = _below(entry["name"], root)
        if not name or is_hidden(name):  # the folder itself has an entry in some stores
            continue
        if entry["type"] != "directory":
            yield _file(name, entry)
            continue
        if name in others:
            yield Stray(name, NOT_LISTED)
            continue
        for inner, info in fs.find(entry["name"], detail=True).items():
            path = _below(inner, root)
            is_folder = info["type"] == "directory" or inner.endswith("/")
            if not is_folder and not any(map(is_hidden, path.split("/"))):
                yield _file(path, info)


def _below(name: str, root: str) -> str:
    return name.strip("/")[len(root.strip("/")) :].strip("/")


def _file(path: str, info: dict[str, Any]) -> SourceFile | Stray:
    shown = printable(path)
    return seen(shown, info) if is_csv(path) else Stray(shown)
