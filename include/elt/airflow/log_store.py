"""Whether the store of task logs takes them: where it does not, Airflow tells a worker's log alone.

A task whose log can't be written ends as if it had been, and its page has nothing to show.
"""

from __future__ import annotations

import logging

from airflow.sdk import ObjectStoragePath
from airflow.sdk.configuration import conf

from elt.alerting.record_results import describe_error
from elt.time_limit import within

log = logging.getLogger(__name__)

CHECK = "write_check.txt"
CONTENT = b"Written every five minutes, to see whether the logs of tasks can be kept here.\n"
# a store that is busy is asked again, by its own library
SECONDS = 30


def why_not_kept(seconds: float = SECONDS) -> str | None:
    """Write a file where Airflow writes the logs of tasks, as it would. Never raises.

    Args:
        seconds: how long the store may take.

    Returns:
        A sentence that says where, and why it can't be written; None if it can, if logs stay on
        this machine, or if the store is of a kind that holds no files.
    """
    if not conf.getboolean("logging", "remote_logging", fallback=False):
        return None
    url = conf.get("logging", "remote_base_log_folder", fallback="")
    try:
        store = ObjectStoragePath(
            url, conn_id=conf.get("logging", "remote_log_conn_id", fallback=None) or None
        )
        files = store.fs
    except Exception as error:
        log.info("Nobody can tell if logs are kept in %s: %s", url, describe_error(error))
        return None
    try:
        within(seconds, files.pipe_file, f"{store.path.rstrip('/')}/{CHECK}", CONTENT)
    except Exception as error:
        return f"The logs of tasks can't be written to {url}: {describe_error(error)}"
    return None
