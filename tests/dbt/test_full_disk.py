"""A disk that is full in the middle of a build: it says so, and nobody loses anything."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from devtools.local.server_account import server_account
from elt.alerting.messages.message import FULL_DISK
from elt.alerting.redact import dbt_words
from tests.dbt.daily import DailyBuild
from tests.dbt.daily_shop import DailyShop
from tests.dbt.landing import read_rows
from tests.support.warehouse import as_admin

pytestmark = [pytest.mark.slow, pytest.mark.rare, pytest.mark.timeout(600)]

TABLESPACE = "small_disk"


@pytest.fixture
def small_disk(server) -> Iterator[str]:
    """Return the name of a tablespace on a disk of its own, of 512 KiB: a tenth of the shop."""
    folder = Path(server.home, "small_disk")
    folder.mkdir()
    account = server_account()
    owner = f",uid={account.pw_uid},gid={account.pw_gid}" if account else ""
    options = f"size=512k,mode=0700{owner}"
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        folder.rmdir()
        pytest.skip("only who may mount a disk can have a small one")
    try:
        as_admin(server, f"create tablespace {TABLESPACE} location '{folder}'")
        yield TABLESPACE
        as_admin(server, "checkpoint", f"drop tablespace {TABLESPACE}")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def test_a_full_disk_is_told_by_model_and_readers_keep_what_they_have(
    small_disk, warehouse, real_data, monkeypatch, tmp_path
):
    build = DailyBuild(warehouse, tmp_path / "build")
    build.parse_once()
    shop = DailyShop(build, tmp_path / "shop", monkeypatch)
    real = read_rows(real_data)
    shop.landing.deliver({**real, "events": real["events"][:2000]})
    shop.run()
    shown = shop.marts()

    shop.landing.deliver({"events": real["events"]})
    warehouse.run(f"grant create on tablespace {small_disk} to transformer")
    warehouse.run(f"alter database {warehouse.database} set default_tablespace = {small_disk}")
    shop.begin()
    with pytest.raises(AssertionError) as full:
        build("run", "--full-refresh")
    told = [dbt_words(message) for message in full.value.args[0]]
    assert any("in model fct_events" in words for words in told), told
    assert all(" file …" in words and FULL_DISK in words for words in told), "\n".join(told)
    assert shop.marts() == shown
    shop.end()

    warehouse.run(f"alter database {warehouse.database} reset default_tablespace")
    shop.begin()
    build("run", "--full-refresh")
    shop.publish()
    shop.end()
    assert shop.marts() != shown
    shop.assert_equal_to_one_full_refresh()
