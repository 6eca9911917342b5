"""The ways to load: ours and its peers, each a command of its own."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load.clients.timing import COLUMNS
from benchmarks.load.scenarios import Job
from devtools.local.postgres import binary

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".venv-bench"
FIRST = ("first-1m", "first-5m")
FILES = (*FIRST, "new-50k", "same", "changed", "bad-row")
ALL = (*FILES, "from-postgres")


@dataclass(frozen=True)
class Way:
    """A way to load. ``start`` is the kind of database it begins with.

    ``command`` makes the command line of a job. ``needs`` is a file without which it can't run.
    """

    name: str
    title: str
    start: str
    scenarios: tuple[str, ...]
    command: Callable[[Job], Sequence[str]]
    needs: Path = Path(sys.executable)
    table: str = "public.events"


def _psql(job: Job, *statements: str) -> list[str]:
    commands = [part for statement in statements for part in ("-c", statement)]
    options = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction"]
    return [binary("psql"), job.url, *options, *commands]


def _copy(job: Job) -> list[str]:
    options = "format csv, header"
    if job.scenario.name == "bad-row":
        options += ", on_error ignore"
    # where rows are there already it can only load all of it again
    again = ["truncate events"] if job.scenario.before and job.scenario.name != "new-50k" else []
    return _psql(job, *again, rf"\copy events from '{job.file}' ({options})")


def _insert(conflict: str, table: str = "public.events", **more: str) -> Callable[[Job], list[str]]:
    """Return how to load by hand; ``more`` are columns that the file lacks, with their values."""
    columns = ", ".join((*COLUMNS, *more))
    values = ", ".join((*COLUMNS, *more.values()))
    return lambda job: _psql(
        job,
        f"create temporary table new as select {', '.join(COLUMNS)} from {table} with no data",
        rf"\copy new from '{job.file}' (format csv, header)",
        f"insert into {table} ({columns}) select {values} from new "
        f"on conflict (event_id) {conflict}",
    )


_OTHERS = [name for name in COLUMNS if name != "event_id"]
_UPDATE = (
    f"do update set {', '.join(f'{name} = excluded.{name}' for name in _OTHERS)} "
    f"where ({', '.join(f'events.{name}' for name in _OTHERS)}) "
    f"is distinct from ({', '.join(f'excluded.{name}' for name in _OTHERS)})"
)


def _pipe(job: Job) -> list[str]:
    psql = f"{shlex.quote(binary('psql'))} -X -q -v ON_ERROR_STOP=1"
    reading = f"{psql} {job.source_url} -c 'copy events to stdout (format binary)'"
    writing = f"{psql} {job.url} -c 'copy events from stdin (format binary)'"
    return ["bash", "-o", "pipefail", "-c", f"{reading} | {writing}"]


def _ours(job: Job) -> list[str]:
    source = job.source_url if job.scenario.from_postgres else str(job.landing)
    return [sys.executable, "-m", "benchmarks.load.clients.ours", source, job.login_url]


def _touched(job: Job) -> list[str]:
    for drop in sorted((job.landing / "events").iterdir()):
        copy = drop.with_suffix(".new")
        shutil.copyfile(drop, copy)
        # another time, and long ago: a file that was just written is watched for a while
        os.utime(copy, (0, 0))
        copy.replace(drop)
    return _ours(job)


def _peer(client: str, *more: Callable[[Job], str]) -> Callable[[Job], list[str]]:
    return lambda job: [
        *(str(PEERS / "bin/python"), "-m", f"benchmarks.load.clients.{client}_client"),
        *(job.source, job.url),
        *(part(job) for part in more),
    ]


def _dlt_mode(job: Job) -> str:
    return "merge" if job.scenario.before else "append"


SLING = next(PEERS.glob("lib/*/site-packages/sling_linux_amd64/bin/sling-linux-amd64"), PEERS)


def _sling(job: Job) -> list[str]:
    # it asks for TLS unless told otherwise
    source = ["--src-conn", f"{job.source_url}?sslmode=disable", "--src-stream", "public.events"]
    if not job.scenario.from_postgres:
        source = ["--src-stream", f"file://{job.file}", "--src-options", '{"empty_as_null": true}']
    mode = ["--mode", "incremental", "--primary-key", "event_id"]
    if job.scenario.before is None:
        mode = ["--mode", "truncate"]
    types = json.dumps({"created_at": "timestampz"})
    target = ["--tgt-conn", f"{job.url}?sslmode=disable", "--tgt-object", "public.events"]
    return [str(SLING), "run", *source, *target, *mode, "--columns", types]


WAYS = {
    way.name: way
    for way in (
        Way("copy", r"`psql \copy`", "keyed", FILES, _copy),
        Way("copy-keyless", r"`psql \copy`, table without key", "keyless", FIRST, _copy),
        Way(
            "do-nothing",
            "COPY + INSERT … ON CONFLICT DO NOTHING, by hand",
            "keyed",
            ("first-1m", "new-50k"),
            _insert("do nothing"),
        ),
        Way(
            "do-nothing-indexed",
            "the same by hand, into this loader's table with its four indexes",
            "ours",
            ("new-50k",),
            _insert("do nothing", "raw.events", _load_id="2"),
            table="raw.events",
        ),
        Way(
            "do-update",
            "COPY + INSERT … ON CONFLICT DO UPDATE where it differs, by hand",
            "keyed",
            ("same", "changed"),
            _insert(_UPDATE),
        ),
        Way("pipe", "`psql \\| psql`, binary", "keyed", ("from-postgres",), _pipe),
        Way(
            "pipe-keyless",
            "`psql \\| psql`, binary, table without key",
            "keyless",
            ("from-postgres",),
            _pipe,
        ),
        Way("ours", "**this loader**", "ours", ALL, _ours, table="raw.events"),
        Way(
            "touched",
            "**this loader**, the file has a new time stamp",
            "ours",
            ("same",),
            _touched,
            table="raw.events",
        ),
        Way(
            "dlt",
            "dlt (Arrow, parquet, ADBC)",
            "dlt",
            ALL,
            _peer("dlt", lambda job: str(job.scratch), _dlt_mode),
            PEERS / "bin/dlt",
        ),
        Way("sling", "sling", "keyed", ALL, _sling, SLING),
        Way(
            "adbc",
            "pyarrow + ADBC",
            "keyed",
            (*FIRST, "new-50k", "bad-row"),
            _peer("adbc"),
            PEERS / "bin/python",
        ),
        Way("polars", "polars + ADBC", "keyed", FIRST, _peer("polars"), PEERS / "bin/python"),
        Way("pandas", "pandas", "keyed", ("first-1m",), _peer("pandas"), PEERS / "bin/python"),
    )
}
