"""Whether the store of task logs takes them: where it does not, Airflow tells a worker's log alone.

A task whose log can't be written ends as if it had been, and its page has nothing to show.
"""

from __future__ import annotations

import socket

from airflow.sdk import ObjectStoragePath
from airflow.sdk.configuration import conf

from elt.alerting.record_results import describe_error
from elt.time_limit import within

# where Airflow keeps logs as files; other addresses are those of services
FILES = ("s3://", "gs://")
CHECK = "write_check.txt"
CONTENT = b"Written every five minutes, to see whether the logs of tasks can be kept here.\n"
# a store that is busy is asked again, by its own library
SECONDS = 30


def why_not_kept(seconds: float = SECONDS) -> str | None:
    """Write a small file beside the logs of tasks. Never raises.

    Args:
        seconds: how long the store may take.

    Returns:
        A sentence that says where, and why this machine can't write there; None if it can, if logs
        stay on this machine, or if what takes them holds no files.
    """
    url = conf.get("logging", "remote_base_log_folder", fallback="")
    is_used = conf.getboolean("logging", "remote_logging", fallback=False)
    if not is_used or not url.startswith(FILES):
        return None
    try:
        within(seconds, _write, url)
    except Exception as error:
        said = describe_error(error)
        return f"{socket.gethostname()} can't write the logs of tasks to {url}: {said}"
    return None


def _write(url: str) -> None:
    conn_id = conf.get("logging", "remote_log_conn_id", fallback=None) or None
    store = ObjectStoragePath(url, conn_id=conn_id)
    # the path's own way asks Airflow's plugins for lineage
    store.fs.pipe_file(f"{store.path.rstrip('/')}/{CHECK}", CONTENT)
