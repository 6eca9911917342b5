"""What the report costs on a long history: ``.venv/bin/python -m benchmarks.report 5000000``.

The marts that it reads are made up by SQL (report.sql), as large as so many events make them in the
demo shop: its sessions and orders per event, three years of days, as many products as asked for.
Prints the time to read, to draw and to write, the memory at its peak, and the sizes.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil

from devtools.local import postgres
from devtools.local.databases import WAREHOUSE
from devtools.local.state_folder import warehouse_connection

DAYS = 1096
MARTS = Path(__file__).with_suffix(".sql")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", nargs="?", type=int, default=5_000_000)
    parser.add_argument("--products", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        state = Path(folder)
        server = postgres.start(state)
        try:
            measure(server, state / "report", options.events, options.products)
        finally:
            postgres.remove(state)


def measure(server: postgres.Server, to: Path, events: int, products: int) -> None:
    """Print what the report of such a warehouse takes."""
    os.environ["AIRFLOW_CONN_GREENERY_WAREHOUSE"] = warehouse_connection(server)
    from elt.warehouse.migrate import migrate

    migrate()
    with server.connect("postgres", WAREHOUSE) as connection, connection.cursor() as cursor:
        cursor.execute(MARTS.read_text(), {"events": events, "products": products, "days": DAYS})
        connection.commit()
        cursor.execute("grant select on all tables in schema marts to reader")
        connection.commit()
    from elt.reporting import page, write
    from elt.shop import SHOP

    begun = time.monotonic()
    content = write.read_content(SHOP, frozenset(), datetime.now(UTC))
    read = time.monotonic()
    drawn = page.draw_charts(content.questions, content.answers)
    drawn_at = time.monotonic()
    # once more, all of it, as a run does
    cpu, of_postgres = time.process_time(), cpu_of_ended_backends(server)
    newest = write.write_report(to, SHOP, personal=frozenset())
    cpu, ended = time.process_time() - cpu, time.monotonic()
    of_postgres = cpu_of_ended_backends(server) - of_postgres
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    all_files = sum(file.stat().st_size for file in to.rglob("*") if file.is_file())
    assert len(drawn) == len(content.questions.questions), sorted(drawn)
    print(
        "| history | read | draw, with imports | all of it | CPU | of Postgres | peak memory"
        " | page | folder |\n|---|---|---|---|---|---|---|---|\n"
        f"| {events:,} events, {products:,} products | {read - begun:.1f} s |"
        f" {drawn_at - read:.1f} s | {ended - drawn_at:.1f} s | {cpu:.1f} s | {of_postgres:.1f} s |"
        f" {peak:,.0f} MiB |"
        f" {newest.stat().st_size / 1e6:.2f} MB | {all_files / 1e6:.2f} MB |"
    )


def cpu_of_ended_backends(server: postgres.Server) -> float:
    """Return the CPU seconds of all sessions that have ended."""
    # they end a moment after their client has gone
    time.sleep(1)
    pid = Path(server.home, "data/postmaster.pid").read_text().split()[0]
    times = psutil.Process(int(pid)).cpu_times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    main()
