"""What a new drop costs beside many: ``python -m benchmarks.drops 100 1000 10000``.

Small files of one table are loaded, then the table's task is asked again, with nothing new and with
one more file; once from a folder, once from a bucket. What answers for the bucket is moto, on this
machine, in a process that is not counted.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import json
import logging
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from devtools.local import postgres
from devtools.local.state_folder import warehouse_connection
from elt.airflow import load_tasks
from elt.transform.project import environment_with
from elt.warehouse.migrate import migrate

TABLE = "events"
HEADER = (
    *("event_id", "session_id", "user_id", "page_url"),
    *("created_at", "event_type", "order_id", "product_id"),
)
ROWS = 10
KEY = {"AWS_ACCESS_KEY_ID": "anybody", "AWS_SECRET_ACCESS_KEY": "anything"}

Write = Callable[[str, bytes], object]


def drop(number: int) -> bytes:
    """Return a file with page views."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    at = datetime(2021, 2, 1, tzinfo=UTC) + timedelta(minutes=number)
    for _ in range(ROWS):
        ids = (str(uuid.uuid4()), str(uuid.uuid4()), str(uuid.uuid4()))
        writer.writerow((*ids, "https://greenery.com/", f"{at:%F %T}", "page_view", "", ""))
    return text.getvalue().encode()


@contextlib.contextmanager
def folder(landing: Path) -> Iterator[tuple[dict[str, str], Write]]:
    """Yield the connection to a landing folder, and what writes a file into it."""

    def write(path: str, content: bytes) -> None:
        file = landing / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    source = {"conn_type": "fs", "extra": {"path": str(landing)}}
    yield {"AIRFLOW_CONN_GREENERY_SOURCE": json.dumps(source)}, write


@contextlib.contextmanager
def bucket(landing: Path) -> Iterator[tuple[dict[str, str], Write]]:
    """Yield the connections to a landing folder in a bucket, and what writes a file into it."""
    import boto3

    port = postgres.free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            _wait_for(url)
            client = boto3.client(
                "s3",
                endpoint_url=url,
                region_name="us-east-1",
                aws_access_key_id=KEY["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=KEY["AWS_SECRET_ACCESS_KEY"],
            )
            client.create_bucket(Bucket="shop")
            source = {"path": "s3://shop/landing", "conn_id": "shop_s3"}
            store = {"endpoint_url": url, "region_name": "us-east-1"}
            connections = {
                "greenery_source": {"conn_type": "generic", "extra": source},
                "shop_s3": {"conn_type": "aws", "extra": store},
            }
            yield (
                {f"AIRFLOW_CONN_{k.upper()}": json.dumps(v) for k, v in connections.items()} | KEY,
                lambda path, content: client.put_object(
                    Bucket="shop", Key=f"landing/{path}", Body=content
                ),
            )
        finally:
            server.terminate()


def _wait_for(url: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"{url}/moto-api/", timeout=5):
                return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def load(wanted: dict[str, int]) -> tuple[float, float]:
    """Have the table's task look and load, and return its CPU and wall seconds."""
    cpu, wall = time.process_time(), time.perf_counter()
    files = load_tasks.load_table(TABLE, run_id=str(uuid.uuid4()))["files"]
    took = time.process_time() - cpu, time.perf_counter() - wall
    found = {status: files[status] for status in wanted}
    if found != wanted:
        raise SystemExit(f"{files} files, where {wanted} were expected.")
    return took


def measure(write: Write, sizes: list[int], rounds: int) -> None:
    """Print a row for each number of files that have been loaded."""
    there = 0
    for size in sizes:
        with ThreadPoolExecutor(4) as pool:
            names = [f"{TABLE}/{number:06}.csv" for number in range(there, size)]
            list(pool.map(lambda name: write(name, drop(int(Path(name).stem))), names))
        first = load({"loaded": size - there, "skipped": there})
        nothing, one = [], []
        for number in range(rounds):
            nothing.append(load({"loaded": 0, "skipped": size + number}))
            write(f"{TABLE}/{size + number:06}.csv", drop(size + number))
            one.append(load({"loaded": 1, "skipped": size + number}))
        figures = [
            *(f"{1000 * seconds / (size - there):.1f}" for seconds in first),
            *(f"{statistics.median(column):.2f}" for column in zip(*nothing, strict=True)),
            *(f"{statistics.median(column):.2f}" for column in zip(*one, strict=True)),
        ]
        print("|", " | ".join([f"{size:,}", *figures]), "|", flush=True)
        there = size + rounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[100, 1000, 10000])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    logging.disable(logging.INFO)
    for where in (folder, bucket):
        with tempfile.TemporaryDirectory() as scratch:
            state = Path(scratch, "state")
            server = postgres.start(state)
            try:
                with where(Path(scratch, "landing")) as (connections, write):
                    warehouse = {"AIRFLOW_CONN_GREENERY_WAREHOUSE": warehouse_connection(server)}
                    quick = {"GREENERY_SETTLE_SECONDS": "0", "NO_PROXY": "127.0.0.1"}
                    with environment_with(connections | warehouse | quick):
                        migrate()
                        print(f"\n{where.__name__}: {ROWS} rows in each file\n")
                        print("| files | first, CPU ms each | ms | nothing new, CPU s | s ", end="")
                        print("| one more, CPU s | s |\n|---|---|---|---|---|---|---|")
                        measure(write, options.sizes, options.rounds)
            finally:
                postgres.remove(state)


if __name__ == "__main__":
    main()
