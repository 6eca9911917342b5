"""Landing files on a local file system: found below a folder, looked at, and opened."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from elt.errors import FileInMotionError, RefusedFileError
from elt.loading.files.file_names import is_csv, is_hidden, printable

READ_ALREADY = "a link to a folder that is read already; its files are loaded once"
NO_ACCESS = "a folder that may not be read"
_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass(frozen=True)
class Found:
    """Something below the landing folder. ``what`` is empty for a file, and for a link to nothing:
    whoever looks at that is told.
    """

    path: str
    size: int = 0
    modified: float | None = None
    what: str = ""


def walk(root: str) -> Iterator[Found]:
    """Yield what lies below a folder, but for hidden names. Links are followed, each folder once.

    Raises:
        FileNotFoundError, NotADirectoryError, PermissionError: if the folder itself can't be read.
    """
    # real folders first, so that what a link adds never takes a file's own path away
    folders, links = deque([""]), deque[str]()
    seen: set[tuple[int, int]] = set()
    while folders or links:
        folder = folders.popleft() if folders else links.popleft()
        path = os.path.join(root, folder)
        try:
            known = os.stat(path)
            if (known.st_dev, known.st_ino) in seen:
                yield Found(printable(folder), what=READ_ALREADY)
                continue
            seen.add((known.st_dev, known.st_ino))
            with os.scandir(path) as listing:
                entries = sorted(
                    (entry for entry in listing if not is_hidden(entry.name)),
                    key=lambda entry: entry.name,
                )
        except PermissionError:
            if not folder:
                raise
            yield Found(printable(folder), what=NO_ACCESS)
            continue
        except FileNotFoundError:  # taken away meanwhile
            if not folder:
                raise
            continue
        if folder and not entries and is_csv(folder):
            yield Found(printable(folder), what="an empty folder")
        for entry in entries:
            inner = f"{folder}/{entry.name}" if folder else entry.name
            if _is_folder(entry):
                (links if entry.is_symlink() else folders).append(inner)
            elif found := _found(entry, inner):
                yield found


def look(path: str, shown: str) -> os.stat_result:
    """Return what is known of a regular file.

    Raises:
        RefusedFileError: if it is a link to nothing, or something else than a file.
        FileNotFoundError: if it is gone.
    """
    with _speaking_of(path, shown):
        known = os.stat(path)
    _refuse_other_kinds(known)
    return known


@contextlib.contextmanager
def opened(
    path: str, shown: str, is_expected: Callable[[os.stat_result], bool]
) -> Iterator[IO[bytes]]:
    """Open a regular file; nothing else is read, or waited for.

    Args:
        path: where it is.
        shown: how it is called in messages.
        is_expected: tells whether it is still the file that was seen.

    Raises:
        RefusedFileError: if it is no regular file.
        FileInMotionError: if it is not the expected one, or another one by the time it was read.
    """
    with _speaking_of(path, shown):
        # a pipe would wait for somebody to write, a terminal would take over the process
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    with contextlib.ExitStack() as stack:
        stack.callback(os.close, number)
        before = os.fstat(number)
        _refuse_other_kinds(before)
        if not is_expected(before):
            raise FileInMotionError
        yield stack.enter_context(open(number, "rb", closefd=False))
        with _speaking_of(path, shown):
            there = os.stat(path)
        if _identity(os.fstat(number)) != _identity(before) or not os.path.samestat(there, before):
            raise FileInMotionError


def _found(entry: os.DirEntry[str], path: str) -> Found | None:
    try:
        known = entry.stat()
    except OSError as error:
        if _is_gone(error) and not entry.is_symlink():  # taken away meanwhile
            return None
        return Found(printable(path), what="" if is_csv(path) else "a link to nothing")
    if stat.S_ISREG(known.st_mode):
        return Found(printable(path), known.st_size, known.st_mtime)
    return Found(printable(path), what=_kind(known))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _kind(known: os.stat_result) -> str:
    return next((what for is_kind, what in _KINDS if is_kind(known.st_mode)), "no regular file")


def _refuse_other_kinds(known: os.stat_result) -> None:
    if not stat.S_ISREG(known.st_mode):
        raise RefusedFileError("file", f"is {_kind(known)}, not a file")


def _identity(known: os.stat_result) -> tuple[int, int]:
    return known.st_size, known.st_mtime_ns


def _is_gone(error: OSError) -> bool:
    return error.errno in (errno.ENOENT, errno.ENOTDIR)


@contextlib.contextmanager
def _speaking_of(path: str, shown: str) -> Iterator[None]:
    """Turn what the system says of a path into what can be shown."""
    try:
        yield
    except OSError as error:
        if os.path.islink(path) and (_is_gone(error) or error.errno == errno.ELOOP):
            target = printable(os.readlink(path))
            raise RefusedFileError(
                "file",
                f"is a link to {target}, which is not there",
                remedy="Nothing was loaded of it. Mend the link or remove it, and run again.",
            ) from None
        if error.errno == errno.ENXIO:  # of a socket, by open()
            raise RefusedFileError("file", "is a socket, not a file") from None
        # a name that is not UTF-8 fits into no log
        raise OSError(error.errno, os.strerror(error.errno or 0), shown) from None
