"""What may leave of an error's text, and what it says about trying again.

Database errors quote the data they stumble over: `invalid input syntax for type integer: "…"`,
`DETAIL: Key (email)=(…) already exists`. Logs and messages must not. Everything here is pure.
"""

from __future__ import annotations

import re

LIMIT = 1000

# bounded, because a message may be megabytes long
_PASSWORD_IN_URL = re.compile(r"\b(\w{1,30}://[^\s:/@]{0,200}):[^\s@/]{1,200}@")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(\.[\w-]{1,63}){1,8}")
# also what turns round the text that follows, and halves of characters, which JSON can't hold
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# lines that Postgres and dbt put after the message itself
_ROW_LINE = re.compile(r"^\s*(DETAIL|CONTEXT|QUERY|STATEMENT|LINE \d+|compiled code at)\b", re.I)
_CARET_LINE = re.compile(r"^\s*\^\s*$")
_DATABASE_HEADER = re.compile(r"^(Database|Runtime) Error\b")
# a quoted word after one of these names a thing of the database, any other may be data
_NAMED = (
    r"(?:relation|column|table|view|schema|constraint|index|type|function|role|user|database"
    r"|sequence|operator|server at|host name)"
)
_NAME = re.compile(rf'\b({_NAMED}) "([\w$.:-]{{1,130}})"')
_QUOTED_END = re.compile(r':\s+".*$')
_BYTES_END = re.compile(r":\s+0x.*$")

_RETRY_HELPS = re.compile(
    "|".join(
        [
            "connection to server",
            "could not connect",
            "connection refused",
            "connection reset",
            "connection already closed",
            "connection timed out",
            "closed the connection",
            "terminating connection",
            "connection has been closed",
            "connection not open",
            "could not (receive|send) data",
            "could not translate host name",
            "timeout expired",
            "deadlock detected",
            "could not serialize access",
            "lock timeout",
            "too many (clients|connections)",
            "remaining connection slots",
            "recovery mode",
            "starting up",
            "shutting down",
        ]
    ),
    re.I,
)
_RETRY_IS_VAIN = re.compile(
    r"authentication failed|(role|database) \S+ does not exist|no pg_hba.conf entry", re.I
)


def retry_helps(message: str | None) -> bool:
    """Tell whether an error is trouble that passes: a lost connection, a lock, a busy server."""
    text = message or ""
    return bool(_RETRY_HELPS.search(text)) and not _RETRY_IS_VAIN.search(text)


def plain(text: str, limit: int = LIMIT) -> str:
    """Return text without lines that hold rows, without e-mail addresses and passwords."""
    lines = text[: 20 * limit].splitlines()
    kept = [line.strip() for line in lines if not _ROW_LINE.match(line)]
    joined = "\n".join(line for line in kept if line)
    joined = _PASSWORD_IN_URL.sub(r"\1:…@", _CONTROL.sub(" ", joined))
    return shorten(_EMAIL.sub("…", joined), limit)


def shorten(text: str, limit: int) -> str:
    """Return text of at most so many characters, ending in an ellipsis if it was cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def database_words(text: str, limit: int = LIMIT) -> str:
    """Return a database error's own sentence, with whatever might be a value hidden."""
    lines = [line.strip() for line in text[: 20 * LIMIT].splitlines() if line.strip()]
    if not lines or _ROW_LINE.match(lines[0]):
        return "the database refused it"
    return plain(_without_values(lines[0]), limit)


def without_rows(text: str) -> str:
    """Return what dbt writes into a log without what a database error quotes of a row."""
    if "Database Error" not in text:
        return text
    lines = [line for line in text.splitlines() if not _ROW_LINE.match(line)]
    return "\n".join(_without_values(line) for line in lines if not _CARET_LINE.match(line))


def dbt_words(message: str | None, limit: int = LIMIT) -> str | None:
    """Return dbt's message on a node without anything that may come from a row.

    Of a database error, that is its first sentence; a compilation error never saw a row.
    """
    if not message:
        return None
    message = message[: 20 * LIMIT]
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    if lines and _DATABASE_HEADER.match(lines[0]):
        sentence = database_words("\n".join(lines[1:])) if lines[1:] else ""
        return shorten("\n".join(filter(None, [plain(lines[0]), sentence])), limit)
    lines = [line for line in lines if not _CARET_LINE.match(line) and not _ROW_LINE.match(line)]
    if "Database Error" in message:
        lines = [_without_values(line) for line in lines]
    return plain("\n".join(lines), limit)


def _without_values(line: str) -> str:
    line = _BYTES_END.sub(": …", _QUOTED_END.sub(": …", line[: 20 * LIMIT]))
    line = _NAME.sub("\\1 \x01\\2\x01", line)
    # a value may have quotes in it: everything from the first quote to the last one goes
    before, quote, rest = line.partition('"')
    line = f"{before}…{rest.rpartition(quote)[2] if quote in rest else ''}" if quote else line
    return line.replace("\x01", '"')
