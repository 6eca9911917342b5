"""The landing folder: which files there are, and which table each belongs to."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import Connection, ObjectStoragePath

from include.extract.errors import SourceError

CONNECTION_ID = "greenery_source"
EXTENSIONS = (".csv", ".csv.gz")
_MODIFIED = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")


@dataclass(frozen=True, order=True)
class SourceFile:
    """A landing file as it was seen. The path is relative to the landing folder.

    ``modified_at`` is in UTC, and None where the store does not tell.
    """

    path: str
    size: int
    modified_at: datetime | None


@dataclass(frozen=True)
class Landing:
    """The landing folder; its URL, without credentials, is the identity of the shop."""

    root: ObjectStoragePath
    url: str

    def look(self, path: str) -> SourceFile:
        """Return the file as it is now. Raises FileNotFoundError if it is gone."""
        self.root.fs.invalidate_cache()
        return _seen(path, self.root.fs.info((self.root / path).path))


def open_landing(connection: Connection) -> Landing:
    """Return the landing folder of a connection whose extra holds ``path`` (and maybe ``conn_id``).

    Raises:
        SourceError: if the connection names no path.
    """
    extra = connection.extra_dejson
    if not (path := str(extra.get("path") or "").strip()):
        raise SourceError(
            f"The Airflow connection `{CONNECTION_ID}` names no landing folder. "
            'Set `path` in its extra, such as {"path": "/data/landing"} or a URL.'
        )
    return landing_at(path, extra.get("conn_id"))


def landing_at(path: str, conn_id: str | None = None) -> Landing:
    """Return the landing folder at a local path or at any URL that ObjectStoragePath reads."""
    if "://" not in path:
        path = f"file://{Path(path).expanduser().resolve()}"
    try:
        root = ObjectStoragePath(path.rstrip("/"), conn_id=conn_id)
        root.fs.invalidate_cache()
    except ValueError:
        raise SourceError(
            f"No installed Airflow provider reads {path.split(':')[0]}:// as a landing folder. "
            f"Install one, or change `path` in the Airflow connection `{CONNECTION_ID}`."
        ) from None
    # credentials and a signature behind a question mark are secrets, not an identity
    url = re.sub("(?<=://)[^/@]*@", "", str(root)).partition("?")[0]
    return Landing(root, url.rstrip("/"))


def find_files(landing: Landing, tables: Collection[str]) -> dict[str, list[SourceFile]]:
    """Return the files of each table in the order in which they are to be loaded.

    Raises:
        SourceError: if the folder is missing, holds no CSV file, or holds one of no declared table.
    """
    try:
        files = list(_csv_files(landing))
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
    return sort_by_table(files, tables, landing.url)


def sort_by_table(
    files: Iterable[SourceFile], tables: Collection[str], url: str
) -> dict[str, list[SourceFile]]:
    """Give each file to its table: the single file first, then the drops in name order."""
    found: dict[str, list[SourceFile]] = {table: [] for table in tables}
    for file in sorted(files, key=lambda file: ("/" in file.path, file.path)):
        table = _table_of(file.path)
        if table not in found:
            raise SourceError(
                f"{file.path} in {url} belongs to no declared table. Declare `{table}` in "
                "_greenery__sources.yml, or put an underscore before the name to have it ignored."
            )
        if "/" not in file.path and found[table]:
            raise SourceError(
                f"{found[table][0].path} and {file.path} in {url} are two full files of one table. "
                "Keep one, or put an underscore before the other's name."
            )
        found[table].append(file)
    if not any(found.values()):
        raise SourceError(
            f"The landing folder {url} holds no CSV file. "
            "Expected <table>.csv, <table>.csv.gz or a folder <table> with such files."
        )
    return found


def _table_of(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return folder or name[: name.lower().rindex(".csv")]


def _csv_files(landing: Landing) -> Iterator[SourceFile]:
    landing.root.fs.invalidate_cache()
    for name, entry in _entries(landing, landing.root):
        if entry["type"] == "directory":
            for drop, inner in _entries(landing, landing.root / name):
                if inner["type"] != "directory" and drop.lower().endswith(EXTENSIONS):
                    yield _seen(f"{name}/{drop}", inner)
        elif name.lower().endswith(EXTENSIONS):
            yield _seen(name, entry)


def _entries(landing: Landing, folder: ObjectStoragePath) -> Iterator[tuple[str, dict[str, Any]]]:
    for entry in landing.root.fs.ls(folder.path, detail=True):
        name = entry["name"].rstrip("/").rpartition("/")[2]
        if name[:1] not in ("", ".", "_") and entry["name"].rstrip("/") != folder.path.rstrip("/"):
            # a listing tells the age of a link, not that of its target
            yield name, landing.root.fs.info(entry["name"]) if entry.get("islink") else entry


def _seen(path: str, info: dict[str, Any]) -> SourceFile:
    modified = next((info[key] for key in _MODIFIED if info.get(key) is not None), None)
    if isinstance(modified, int | float):
        modified = datetime.fromtimestamp(modified, UTC)
    if isinstance(modified, str):
        modified = datetime.fromisoformat(modified)
    if modified is not None:
        modified = modified.replace(tzinfo=modified.tzinfo or UTC).astimezone(UTC)
    return SourceFile(path, int(info.get("size") or 0), modified)
