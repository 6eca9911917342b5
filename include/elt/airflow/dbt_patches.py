"""Where we reach into dbt: what its commands do over and over that our tasks do not need.

And what they would write into a log that is no place for it.

No setting of dbt's leaves it out. Without all of this the models and tests of a small shop take
more than twice the CPU time (docs/benchmarks.md).
"""

from __future__ import annotations

import functools
import shutil
from pathlib import Path
from typing import Any

from elt.alerting.redact import without_rows
from elt.transform.manifest import newest_manifest
from elt.warehouse.time_limit import statement_timeout


def make_dbt_quicker() -> None:
    """Have the commands of dbt in this process leave out what the run does not need."""
    _write_the_small_manifest()
    _look_up_no_callers()
    keep_connections()
    _drop_what_no_log_takes()
    _make_events_when_read()
    _make_calendars_once()
    _keep_rows_out_of_the_log()


def _write_the_small_manifest() -> None:
    """Put the manifest of the run in the place of the complete one, written twice by each command.

    It must be there: Cosmos fails without it.
    """
    from dbt.parser import manifest as parser
    from dbt.task import runnable

    write = parser.write_manifest

    def write_small(manifest: Any, target_path: str, *which: Any) -> None:
        if small := newest_manifest():
            Path(target_path).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(small, Path(target_path, "manifest.json"))
        else:
            write(manifest, target_path, *which)

    parser.write_manifest = write_small
    runnable.write_manifest = write_small


def _look_up_no_callers() -> None:
    """Name one source of all the adapter's flags, which nobody reads.

    dbt looks through the source files of the whole call stack for it, once for each flag.
    """
    from dbt_common.behavior_flags import BehaviorFlagRendered

    BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt.adapters")


def keep_connections() -> None:
    """Let the nodes of a thread, one after the other, use one connection until the command ends.

    dbt opens one for each model and each test; to log in and to read the catalog anew costs more
    than most tests. What a node leaves open is rolled back, as it is when dbt closes a connection.
    One that is broken is closed, and the next node gets a new one.
    """
    from dbt.adapters.postgres.connections import PostgresConnectionManager as Connections

    open_connection, close = Connections.open.__func__, Connections.release

    def open_for_all(cls: Any, connection: Any) -> Any:
        is_new = connection.state != "open"
        opened = open_connection(cls, connection)
        if is_new:
            with opened.handle.cursor() as cursor:
                # Airflow can't interrupt the thread that waits for the server
                cursor.execute("set statement_timeout to %s", (statement_timeout(),))
            # that, and the role that dbt has set; else the first rollback would take them back
            opened.handle.commit()
        return opened

    def release(self: Any) -> None:
        connection = self.get_if_exists()
        if connection is None or connection.state != "open":
            close(self)
            return
        try:
            connection.handle.rollback()
            connection.transaction_open = False
        except Exception:
            # it is broken
            close(self)

    Connections.open = classmethod(open_for_all)
    Connections.release = release


def _drop_what_no_log_takes() -> None:
    """Drop an event for debugging where no log wants it, before a message is made of it.

    A hundred of them come with each node. Only dbt's own callback is there in our commands, and it
    asks for warnings.
    """
    from dbt_common.events.base_types import EventLevel
    from dbt_common.events.event_manager import EventManager

    fire = EventManager.fire_event
    fine = (EventLevel.DEBUG, EventLevel.TEST)

    def fire_if_wanted(self: Any, event: Any, level: Any = None, *others: Any, **more: Any) -> None:
        is_fine = (level or event.level_tag()) in fine
        if not is_fine or any(logger.level in fine for logger in self.loggers):
            fire(self, event, level, *others, **more)

    EventManager.fire_event = fire_if_wanted


def _make_events_when_read() -> None:
    """Make what an event says when somebody reads it: one that is dropped is never read."""
    from dbt_common.events.base_types import BaseEvent

    if "pb_msg" in vars(BaseEvent):
        return
    make = BaseEvent.__init__

    def keep(self: Any, *arguments: Any, **said: Any) -> None:
        self.__dict__["_said"] = arguments, said

    def read(self: Any) -> Any:
        arguments, said = self.__dict__.pop("_said")
        make(self, *arguments, **said)
        return self.__dict__["pb_msg"]

    BaseEvent.__init__ = keep
    BaseEvent.pb_msg = functools.cached_property(read)
    BaseEvent.pb_msg.__set_name__(BaseEvent, "pb_msg")


def _make_calendars_once() -> None:
    """Make one table of a language's names of days, instead of two for each result of a query.

    agate makes them for columns of dates without a format. dbt gives all of them one.
    """
    import parsedatetime

    if not hasattr(parsedatetime.Constants, "cache_info"):
        parsedatetime.Constants = functools.cache(parsedatetime.Constants)


def _keep_rows_out_of_the_log() -> None:
    """Have dbt's own log, which the task's log takes, tell a database error without its values.

    `invalid input syntax for type integer: "…"` may quote a name.
    """
    from dbt_common.events.logger import _Logger

    write_line = _Logger.write_line

    def write_without_rows(self: Any, message: Any) -> None:
        if message.info.level == "error":
            message.info.msg = without_rows(message.info.msg)
        write_line(self, message)

    _Logger.write_line = write_without_rows
