"""The bytes of a landing file: hashed as they are stored, unpacked as they are read."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import re
import zlib
from collections.abc import Iterator
from typing import IO, Protocol

from include.extract.errors import RefusedFileError
from include.extract.landing import Landing, SourceFile

CHUNK_BYTES = 1 << 20
BOM = b"\xef\xbb\xbf"
_MARKER = re.compile(rb"[\r\n]\\\.[\r\n]")
_MARKER_AT_END = re.compile(rb"[\r\n]\\\.\Z")


class Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Hashing:
    """Passes bytes through and hashes them."""

    def __init__(self, raw: Readable) -> None:
        self._raw = raw
        self._hash = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        data = self._raw.read(size)
        self._hash.update(data)
        return data

    def hexdigest(self) -> str:
        return self._hash.hexdigest()


class Stream:
    """What COPY reads: the text of a file from its first byte after the byte order mark.

    The server swallows what a reader raises, so it is kept in ``error`` for the caller.
    """

    def __init__(self, raw: Readable, *, is_packed: bool, knows_marker: bool = False) -> None:
        self._hashing = Hashing(raw)
        self._source: Readable = (
            gzip.GzipFile(fileobj=self._hashing, mode="rb") if is_packed else self._hashing
        )
        self._knows_marker = knows_marker
        self._before = b"\n"
        self.error: Exception | None = None
        self.head = self._unpacked(CHUNK_BYTES).removeprefix(BOM)
        self.is_empty = not self.head
        self._rest: bytes | None = self.head

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """Return about ``size`` bytes, and none at the end."""
        try:
            if self._rest is not None:
                data, self._rest = self._rest, None
            else:
                data = self._unpacked(size)
            if self._knows_marker:
                self._refuse_marker(data)
        except Exception as error:
            self.error = error
            raise
        return data

    def sha256(self) -> str:
        """Return the hash of the bytes as they are stored; call it when all were read."""
        return self._hashing.hexdigest()

    def _unpacked(self, size: int) -> bytes:
        try:
            data = self._source.read(size)
            # a read may stop short, at the edge of a packed member or of a network block
            while data and len(data) < size and (more := self._source.read(size - len(data))):
                data += more
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise RefusedFileError("packed") from None
        return data

    def _refuse_marker(self, data: bytes) -> None:
        seen = self._before + data
        self._before = seen[-3:]
        if b"\\." in seen and (_MARKER if data else _MARKER_AT_END).search(seen):
            raise RefusedFileError("end_marker")


def hash_file(landing: Landing, file: SourceFile) -> str:
    """Return the hash of the bytes of a landing file as they are stored."""
    with _opened(landing, file) as raw:
        hashing = Hashing(raw)
        while hashing.read(CHUNK_BYTES):
            pass
    return hashing.hexdigest()


@contextlib.contextmanager
def open_stream(
    landing: Landing, file: SourceFile, server_version: int = 180000
) -> Iterator[Stream]:
    """Open a landing file for reading.

    Before version 18 the server takes a line of ``\\.`` for the end of the data and drops the rest
    without a word. Such a file is refused there.
    """
    with _opened(landing, file) as raw:
        yield Stream(
            raw,
            is_packed=file.path.lower().endswith(".gz"),
            knows_marker=server_version < 180000,
        )


def _opened(landing: Landing, file: SourceFile) -> IO[bytes]:
    # the path's own open() asks all of Airflow's plugins for lineage: half a CPU second a process
    return landing.root.fs.open((landing.root / file.path).path, "rb")
