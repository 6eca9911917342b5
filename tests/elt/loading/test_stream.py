from __future__ import annotations

import gzip
import hashlib
import io

import pytest

from elt.errors import RefusedFileError
from elt.loading.files.csv_records import BAD_MARKER, read_records
from elt.loading.files.stream import CHUNK_BYTES, Stream

from .conftest import Shop


class Trickle(io.BytesIO):
    """A store that hands out a few bytes at a time, and remembers how many were asked for."""

    asked = 0

    def read(self, size: int = -1, /) -> bytes:
        self.asked = max(self.asked, size)
        return super().read(min(size, 70_001) if size > 0 else size)


def read_all(stream: Stream) -> bytes:
    return b"".join(iter(stream.read, b""))


@pytest.mark.parametrize("is_packed", [False, True], ids=["plain", "gz"])
def test_a_big_file_is_read_in_bounded_pieces_and_hashed_as_stored(is_packed):
    text = b"a,b\n" * (CHUNK_BYTES // 2)
    stored = gzip.compress(text, 1) if is_packed else text
    raw = Trickle(stored)
    stream = Stream(raw, is_packed=is_packed)
    pieces = list(iter(stream.read, b""))
    assert b"".join(pieces) == text
    assert max(map(len, pieces)) <= CHUNK_BYTES
    assert 0 < raw.asked <= CHUNK_BYTES
    assert stream.sha256() == hashlib.sha256(stored).hexdigest()


def test_a_byte_order_mark_is_hashed_but_not_read():
    stream = Stream(io.BytesIO(b"\xef\xbb\xbfa\n"), is_packed=False)
    assert read_all(stream) == b"a\n"
    assert stream.sha256() == hashlib.sha256(b"\xef\xbb\xbfa\n").hexdigest()


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [
        (b"a\n\\.\nb\n", True),
        (b"a\r\n\\.\r\nb\r\n", True),
        (b"a\n\\.", True),
        (b"a\n\\.b\n", False),
        (b"a\nb\\.\n", False),
        (b"x" * (CHUNK_BYTES - 2) + b"\n\\.\nb\n", True),
        (b"x" * (CHUNK_BYTES - 3) + b"\n\\.\nb\n", True),
        (b"x" * (CHUNK_BYTES - 1) + b"\n\\.\nb\n", True),
    ],
)
def test_a_line_that_ends_the_data_of_old_servers_is_seen_wherever_it_stands(text, is_refused):
    assert read_all(Stream(io.BytesIO(text), is_packed=False)) == text
    stream = Stream(io.BytesIO(text), is_packed=False, knows_marker=True)
    if is_refused:
        with pytest.raises(RefusedFileError):
            read_all(stream)
    else:
        assert read_all(stream) == text


def test_no_server_drops_rows_after_such_a_line_without_a_word(any_shop: Shop):
    any_shop.write("visits.csv", 'visit_id,page,seconds\na,"x\n\\.\ny",1\nb,home,2\n')
    any_shop.load()
    (version,) = any_shop.rows("show server_version_num")[0]
    quarantine = any_shop.rows("select line_number, reason from ops.quarantine")
    if int(version) < 180000:
        assert any_shop.visits() == [("b", "home", 2)]
        assert quarantine == [(2, BAD_MARKER)]
    else:
        assert any_shop.visits() == [("a", "x\n\\.\ny", 1), ("b", "home", 2)]
        assert quarantine == []


def test_records_know_their_lines_fields_and_the_servers_count():
    text = b'a,b\r\n"1\n2",x\r\n"3\r\n4",y,z\r\n"open\r\n'
    records = list(read_records(io.BytesIO(text)))
    assert [(r.number, r.line, r.last_line, r.is_closed) for r in records] == [
        (0, 1, 1, True),
        (1, 2, 3, True),
        (2, 4, 5, True),
        (3, 6, 6, False),
    ]
    # in a file of CRLF the server counts CR inside quotes, not LF
    assert [record.server_line for record in records[:3]] == [1, 2, 4]
    assert [record.field_count() for record in records[:3]] == [2, 2, 3]
    assert records[2].fields() == ["3\r\n4", "y", "z"]
