"""The bytes of a landing file: hashed as they are stored, unpacked as they are read."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import hashlib
import math
import re
import zlib
from collections.abc import Iterator
from typing import IO, Protocol, cast

from elt.errors import NOTHING_LOADED, RefusedFileError
from elt.loading.contract import IN_CONTRACT, USUAL_RATIO, Table
from elt.loading.files.landing import Landing, Readable, SourceFile
from elt.loading.files.quoting import QuoteCheck, RecordLength, line_end

# what any file may unpack to: a small one of many equal rows is no attack
FREE_BYTES = 64 << 20
CHUNK_BYTES = 1 << 20
BOM = b"\xef\xbb\xbf"
_MARKER = re.compile(rb"[\r\n]\\\.[\r\n]")
_MARKER_AT_END = re.compile(rb"[\r\n]\\\.\Z")
# by which Excel is told the delimiter; what is saved again by it may end in empty fields
_SEP_LINE = re.compile(rb'"?sep=.?"?[,;|\t]*(?:\r\n|\r|\n|\Z)', re.IGNORECASE)
_MARKS = ((BOM, "UTF-8"), (codecs.BOM_UTF16_LE, "UTF-16"), (codecs.BOM_UTF16_BE, "UTF-16"))


def check_ratio(packed: int, unpacked: int, most: float) -> None:
    """Refuse a file that unpacks to too much, as far as it was read.

    Raises:
        RefusedFileError: with the key that takes it.
    """
    if unpacked > max(FREE_BYTES, most * packed):
        raise RefusedFileError(
            "file",
            f"unpacks to more than {most:g} times its size: {unpacked >> 20:,} MiB came of its "
            f"first {math.ceil(packed / 1024):,} KiB",
            remedy=f"{NOTHING_LOADED} Is it damaged, or made to do harm? If it is right, raise "
            f"`max_unpacked_ratio` {IN_CONTRACT}.",
        )


class Text(Readable, Protocol):
    """A file to cut into records. ``first_line`` is the line on which its header begins."""

    delimiter: bytes
    first_line: int


class Hashing:
    """Passes bytes through, hashes and counts them."""

    def __init__(self, raw: Readable) -> None:
        self._raw = raw
        self._hash = hashlib.sha256()
        self.bytes_read = 0

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes, and none at the end."""
        data = self._raw.read(size)
        self._hash.update(data)
        self.bytes_read += len(data)
        return data

    def hexdigest(self) -> str:
        """Return the SHA-256 of what was read so far."""
        return self._hash.hexdigest()


class Unpacking:
    """Unpacks gzip, though no more of it than a share of what was read."""

    def __init__(self, packed: Hashing, max_ratio: float) -> None:
        self._packed = packed
        # to unpack it calls nothing but read()
        self._file = gzip.GzipFile(fileobj=cast(IO[bytes], packed), mode="rb")
        self._max_ratio = max_ratio
        self._bytes = 0

    def read(self, size: int, /) -> bytes:
        """Return the next bytes as they were before they were packed."""
        data = self._file.read(size)
        self._bytes += len(data)
        check_ratio(self._packed.bytes_read, self._bytes, self._max_ratio)
        return data


class Decoding:
    """Passes text of another encoding on as UTF-8. What is no text in it, is none afterwards."""

    def __init__(self, raw: Readable, encoding: str) -> None:
        self._raw = raw
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)(errors="kept_as_no_text")
        self._is_first = True
        self._is_last = False
        self._rest = b""
        self._utf_8: codecs.IncrementalDecoder | None = codecs.getincrementaldecoder("utf-8")()
        self._has_accents = False

    @property
    def seems_utf_8(self) -> bool:
        """Whether what was read so far is UTF-8, with accents that are read as other characters."""
        return self._has_accents and self._utf_8 is not None

    def read(self, size: int, /) -> bytes:
        """Return the next bytes as UTF-8."""
        while not self._rest and not self._is_last:
            data = self._raw.read(size)
            if self._is_first:
                self._check_mark(data)
            self._is_first, self._is_last = False, not data
            self._watch(data)
            self._rest = self._decoded(data).encode("utf-8", "surrogateescape")
        # as UTF-8 it may be longer
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def _decoded(self, data: bytes) -> str:
        try:
            return self._decoder.decode(data, final=not data)
        except UnicodeError:
            # one that is not about some bytes: a wide encoding that begins without its mark
            raise RefusedFileError(
                "file",
                f"does not begin as {self._encoding} does, but its contract says "
                f"`encoding: {self._encoding}`",
                remedy=f"{NOTHING_LOADED} Set `encoding` {IN_CONTRACT} to what it is written in: "
                "none for UTF-8, utf-16-le or utf-16-be without a byte order mark.",
            ) from None

    def _watch(self, data: bytes) -> None:
        self._has_accents = self._has_accents or not data.isascii()
        try:
            if self._utf_8:
                self._utf_8.decode(data)
        except UnicodeDecodeError:
            self._utf_8 = None

    def _check_mark(self, data: bytes) -> None:
        is_wide = self._encoding.startswith("utf")
        for mark, encoding in _MARKS:
            if data.startswith(mark) and not (is_wide and mark != BOM):
                raise RefusedFileError(
                    "file",
                    f"begins with the byte order mark of {encoding}, but its contract says "
                    f"`encoding: {self._encoding}`",
                )


def _keep_as_no_text(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    # a byte that can't begin a character of UTF-8 stays, as it is shown to whoever mends the row
    kept = (byte if 0x80 <= byte < 0xC0 else 0xFF for byte in error.object[error.start : error.end])
    return "".join(chr(0xDC00 + byte) for byte in kept), error.end


codecs.register_error("kept_as_no_text", _keep_as_no_text)


class Stream:
    """What COPY reads: the text of a file in UTF-8, from its first byte after the byte order mark
    and after a line of ``sep=,``.

    The server swallows what a reader raises, so it is kept in ``error`` for the caller.
    """

    def __init__(
        self,
        raw: Readable,
        *,
        is_packed: bool,
        knows_marker: bool = False,
        delimiter: str = ",",
        encoding: str = "",
        is_checked: bool = False,
        max_ratio: float = USUAL_RATIO,
    ) -> None:
        """Begin to read.

        Args:
            raw: the file's bytes.
            is_packed: whether they are gzip.
            knows_marker: to the server a line of only ``\\.`` is the end.
            delimiter: between fields.
            encoding: what the text is read as; empty for UTF-8.
            is_checked: refuse quotes that the server would read otherwise than RFC 4180, and
                records that are too long.
            max_ratio: how much larger than packed a file may be.
        """
        self._hashing = Hashing(raw)
        self._source: Readable = Unpacking(self._hashing, max_ratio) if is_packed else self._hashing
        if encoding:
            self._source = Decoding(self._source, encoding)
        self._knows_marker = knows_marker
        self._before = b"\n"
        self.delimiter = delimiter.encode()
        self._quotes = QuoteCheck(self.delimiter) if is_checked else None
        self.error: Exception | None = None
        self.head = self._unpacked(CHUNK_BYTES).removeprefix(BOM)
        self.is_empty = not self.head
        self.first_line = 1
        if sep_line := _SEP_LINE.match(self.head):
            self.head = self.head[sep_line.end() :].removeprefix(BOM)
            self.first_line = 2
        self._rest: bytes | None = self.head
        self._length = RecordLength(line_end(self.head)) if is_checked else None

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """Return about ``size`` bytes, and none at the end."""
        try:
            if self._rest is not None:
                data, self._rest = self._rest, None
            else:
                data = self._unpacked(size)
            if self._knows_marker:
                self._refuse_marker(data)
            if self._quotes and self._length:
                _refuse_quotes(data, self._quotes, self._length)
        except Exception as error:
            self.error = error
            raise
        return data

    @property
    def seems_utf_8(self) -> bool:
        """Whether another encoding was to be read, and all was UTF-8; ask when all was read."""
        return isinstance(self._source, Decoding) and self._source.seems_utf_8

    @property
    def has_lines_inside(self) -> bool:
        """Whether a value of what was read and checked goes over several lines."""
        return self._quotes is not None and self._quotes.has_lines_inside

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


def _refuse_quotes(data: bytes, quotes: QuoteCheck, length: RecordLength) -> None:
    was_open = quotes.is_open
    if not quotes.accepts(data) or (quotes.is_open and not data):
        raise RefusedFileError("quotes")
    length.check(data, was_open=was_open, is_open=quotes.is_open)


def hash_file(landing: Landing, file: SourceFile) -> str:
    """Return the hash of the bytes of a landing file as they are stored."""
    with landing.opened(file) as raw:
        hashing = Hashing(raw)
        while hashing.read(CHUNK_BYTES):
            pass
    return hashing.hexdigest()


@contextlib.contextmanager
def open_stream(
    landing: Landing, file: SourceFile, table: Table, *, for_server: int | None = None
) -> Iterator[Stream]:
    """Open a landing file of a table for reading.

    Args:
        landing: the folder in which it lies.
        file: the file.
        table: its contract.
        for_server: the version of the server that is to read it. What that one would read otherwise
            than it is meant is refused: quotes that break RFC 4180, and before version 18 a line of
            ``\\.``, which it takes for the end of the data, and drops the rest without a word.
    """
    with landing.opened(file) as raw:
        yield Stream(
            raw,
            is_packed=file.path.lower().endswith(".gz"),
            knows_marker=for_server is not None and for_server < 180000,
            delimiter=table.delimiter,
            encoding=table.encoding,
            is_checked=for_server is not None,
            max_ratio=table.max_unpacked_ratio,
        )
