"""A pool before the warehouse may hand each transaction to another session of the server.

dbt takes its role once for all that a connection does; between such transactions others would have
it, and it theirs. A pool that keeps a session for as long as its client is there does no harm.
"""

from __future__ import annotations

import contextlib
import uuid

from psycopg2.extensions import connection as Connection

from elt.errors import FinalError
from elt.warehouse.connection import connect
from elt.warehouse.rows import one_value

# of no meaning to the server, and reset by no pool while the client stays
_SETTING = "greenery.session"
# other clients of the pool may come in between
_TRIES = 3


class PooledError(FinalError):
    """The pool before the warehouse does not keep sessions."""


def require_sessions() -> None:
    """Make sure that what a connection sets is still so in its next transaction.

    Raises:
        PooledError: if a pool gives each transaction another session.
        WarehouseUnreachableError: if the warehouse can't be reached.
    """
    with contextlib.closing(connect()) as ours, contextlib.closing(connect()) as another:
        # between statements nothing is open, and the pool is free to change sessions
        ours.autocommit = True
        if any(_is_shared(ours, another) for _ in range(_TRIES)):
            raise PooledError(
                "The pool before the warehouse gives each transaction another session, so that "
                "roles and settings of one are taken by another. Have it keep sessions (PgBouncer: "
                "pool_mode = session, ignore_startup_parameters = options), or let the connection "
                "`greenery_warehouse` lead to the server itself."
            )


def _is_shared(ours: Connection, another: Connection) -> bool:
    mark = uuid.uuid4().hex
    with ours.cursor() as cursor:
        cursor.execute("select set_config(%s, %s, false)", (_SETTING, mark))
    # with a transaction open it keeps the session that the pool gave it: ours, if that was free
    found = _setting(another)
    is_shared = found == mark or _setting(ours) != mark
    another.rollback()
    return is_shared


def _setting(connection: Connection) -> str:
    with connection.cursor() as cursor:
        cursor.execute("select coalesce(current_setting(%s, true), '')", [_SETTING])
        return str(one_value(cursor))
