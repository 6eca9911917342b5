"""What dbt says, in the log of its task: without what a database error quotes of a row.

`invalid input syntax for type integer: "…"` may quote a name.
"""

from __future__ import annotations

import logging
from typing import Any

from elt.alerting.redact import without_rows

log = logging.getLogger(__name__)

# what comes for debugging is in no list: a hundred of it with each node
_LEVELS = {"info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}

# dbt itself writes no log then
GLOBAL_FLAGS = ("--log-level", "none", "--log-level-file", "none")


def log_event(event: Any) -> None:
    """Log what dbt has to say. dbt calls this with each of its events (``EventMsg``)."""
    level = _LEVELS.get(event.info.level)
    if level and event.info.msg.strip():
        log.log(level, "%s", without_rows(event.info.msg))
