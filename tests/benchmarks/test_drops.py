"""The benchmark of drops: what it measures is what was loaded."""

from __future__ import annotations

import pytest

from benchmarks import drops
from elt.transform.project import environment_with

pytestmark = [pytest.mark.slow, pytest.mark.rare]


@pytest.mark.parametrize("where", [drops.folder, drops.bucket])
def test_drops_are_loaded_once_each(warehouse, tmp_path, capsys, where):
    if where is drops.bucket:
        pytest.importorskip("moto", reason="requirements-s3-test.txt is not installed")
    quick = {"GREENERY_SETTLE_SECONDS": "0", "NO_PROXY": "127.0.0.1"}
    with where(tmp_path) as (connections, write), environment_with(connections | quick):
        drops.measure(write, [2, 5], rounds=1)
        with pytest.raises(SystemExit, match=r"where \{.loaded.: 1\} were expected"):
            drops.load({"loaded": 1})
    rows = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line[:1] == "|"]
    assert rows == ["2", "5"]
    # the third file of the first round is one of the next round's five
    assert warehouse.run("select count(*), count(distinct session_id) from raw.events") == [
        (6 * drops.ROWS, 6 * drops.ROWS)
    ]
    assert warehouse.run("select count(*) from ops.load where status = 'loaded'") == [(6,)]
