"""What a client tells of itself: the time of the load without the imports before it."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

# every peer fills a table of these columns
COLUMNS = (
    *("event_id", "session_id", "user_id", "page_url"),
    *("created_at", "event_type", "order_id", "product_id"),
)


def _cpu() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def timed() -> Iterator[None]:
    """Measure the block and print wall and CPU seconds, and the memory held before it, as JSON."""
    memory, cpu, begun = _resident_bytes(), _cpu(), time.perf_counter()
    yield
    seconds = time.perf_counter() - begun
    told = {"wall": seconds, "cpu": _cpu() - cpu, "bytes_before": memory}
    # parted from what a library may have printed
    print("\n" + json.dumps(told), flush=True)
