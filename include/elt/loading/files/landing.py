"""The landing folder: where it is, and its files one by one."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from airflow.sdk import Connection, ObjectStoragePath
from fsspec.implementations.local import LocalFileSystem

from elt.errors import EltError, SourceError, SourceUnreachableError
from elt.loading.files import local_files
from elt.loading.files.file_names import original

CONNECTION_ID = "greenery_source"
_MODIFIED = ("mtime", "LastModified", "last_modified", "updated", "modified", "created")


class Readable(Protocol):
    """Bytes that are read in order."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, and none at the end."""


@dataclass(frozen=True, order=True)
class SourceFile:
    """A landing file as it was seen. The path is relative to the landing folder, and printable.

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

    @property
    def is_local(self) -> bool:
        """Whether it lies on a file system of this machine."""
        return isinstance(self.root.fs, LocalFileSystem)

    def look(self, path: str) -> SourceFile:
        """Return the file as it is now.

        Raises:
            FileNotFoundError: if it is gone.
            RefusedFileError: if it is no regular file.
            SourceUnreachableError: if the store does not answer.
        """
        if self.is_local:
            return seen_locally(path, local_files.look(self._place_of(path), path))
        self.root.fs.invalidate_cache()
        with self.answering():
            return seen(path, self.root.fs.info(self._place_of(path)))

    @contextlib.contextmanager
    def opened(self, file: SourceFile) -> Iterator[Readable]:
        """Open a file for reading.

        Raises:
            FileNotFoundError: if it is gone.
            FileInMotionError: if it is another file by now, as far as the store can tell.
            RefusedFileError: if it is no regular file.
            SourceUnreachableError: if the store does not answer.
        """
        path = self._place_of(file.path)
        # the path's own open() asks Airflow's plugins for lineage: half a CPU second a process
        with self.answering():
            opened = (
                local_files.opened(
                    path, file.path, lambda known: seen_locally(file.path, known) == file
                )
                if self.is_local
                else self.root.fs.open(path, "rb")
            )
        with opened as raw:
            yield raw

    @contextlib.contextmanager
    def answering(self) -> Iterator[None]:
        """Say in one sentence that a store does not answer: each library has errors of its own.

        Raises:
            SourceUnreachableError: if it does not.
        """
        try:
            yield
        except (FileNotFoundError, NotADirectoryError, PermissionError, EltError):
            raise
        except Exception as error:
            if self.is_local:
                raise
            raise SourceUnreachableError(
                f"The landing folder {self.url} can't be reached ({type(error).__name__}); what "
                "was loaded stays, and trying again may help. Is the store up, and is the "
                f"connection right that `conn_id` names in the extra of `{CONNECTION_ID}`?"
            ) from None

    def _place_of(self, path: str) -> str:
        return f"{self.root.path.rstrip('/')}/{original(path)}"


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


def seen(path: str, info: dict[str, Any]) -> SourceFile:
    """Return a file of a store as that tells of it."""
    modified = next((info[key] for key in _MODIFIED if info.get(key) is not None), None)
    return SourceFile(path, int(info.get("size") or 0), instant(modified))


def seen_locally(path: str, known: os.stat_result) -> SourceFile:
    """Return a file of this machine."""
    return SourceFile(path, known.st_size, instant(known.st_mtime))


def instant(modified: datetime | float | str | None) -> datetime | None:
    """Return when a file was changed, in UTC, however its store tells that."""
    if modified is None:
        return None
    if isinstance(modified, int | float):
        modified = datetime.fromtimestamp(modified, UTC)
    found = datetime.fromisoformat(modified) if isinstance(modified, str) else modified
    return found.replace(tzinfo=found.tzinfo or UTC).astimezone(UTC)
