"""Forget what nobody asks for any more: old runs in Airflow's database, and old task logs.

What the warehouse remembers in ``ops`` stays. Deleting twice deletes no more.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

LOGS = Path("/opt/airflow/logs")
DEFAULT_DAYS = 90


def main() -> int:
    """Delete what is older than ``GREENERY_KEEP_DAYS`` days; return the exit status."""
    days = int(os.environ.get("GREENERY_KEEP_DAYS") or DEFAULT_DAYS)
    if days < 1:
        print(f"GREENERY_KEEP_DAYS is {days}: at least 1, or Airflow loses what it works with.")
        return 1
    return forget(datetime.now(UTC) - timedelta(days=days), LOGS)


def forget(before: datetime, logs: Path) -> int:
    """Delete logs and runs from before a moment; return the exit status.

    What Airflow works with goes too if it is older: each DAG by when it was last read (each half
    minute), the scheduler by its last sign of life.
    """
    print(f"Deleting logs and runs from before {before:%d %b %Y %H:%M}.", flush=True)
    print(f"{delete_old_files(logs, before.timestamp())} log files deleted.", flush=True)
    clean = ["airflow", "db", "clean", "--yes", "--skip-archive", "--clean-before-timestamp"]
    return subprocess.run([*clean, before.isoformat()]).returncode


def delete_old_files(folder: Path, before: float) -> int:
    """Delete files last written before an instant, and folders that are empty then."""
    deleted = 0
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_symlink() or path.stat().st_mtime >= before:
            continue
        if path.is_file():
            path.unlink(missing_ok=True)
            deleted += 1
        elif not any(path.iterdir()):
            path.rmdir()
    return deleted


if __name__ == "__main__":
    sys.exit(main())
