"""Try something that the data may forbid, and go on as if it had not been tried."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.loading.errors import RefusedFileError
from elt.loading.staging_table import translate


@dataclass
class Attempt:
    """How a try ended: ``refused`` says what the data was refused for, if it was."""

    refused: RefusedFileError | None = None


@contextlib.contextmanager
def savepoint(cursor: Cursor, name: str) -> Iterator[Attempt]:
    """Undo what the block did if it is refused because of the data. Other errors go through.

    What is kept holds none of the data, and no error of the server hangs on it.
    """
    attempt = Attempt()
    identifier = sql.Identifier(name)
    cursor.execute(sql.SQL("savepoint {}").format(identifier))
    try:
        yield attempt
    except RefusedFileError as error:
        attempt.refused = error
    except psycopg2.Error as error:
        if (refused := translate(error)) is None:
            raise
        attempt.refused = refused
    if attempt.refused:
        cursor.execute(sql.SQL("rollback to savepoint {}").format(identifier))
    cursor.execute(sql.SQL("release savepoint {}").format(identifier))
