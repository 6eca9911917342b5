"""A second project beside the first, on the real data where that is there."""

from __future__ import annotations

import pytest

from tests.docker.stack import Stack, running


@pytest.mark.rare
def test_two_projects_side_by_side(stack, first_marts, folders, real_landing):
    variables = {"GREENERY_LANDING": str(real_landing)} if real_landing else {}
    with running(f"{stack.project}-two", folders / "two", **variables) as second:
        run_id = second.first_run()
        assert second.wait(run_id) == "success", second.explain(run_id)
        if real_landing:
            repeat_rate = second.ask(
                "select numerator::int, denominator::int from marts.fct_kpis "
                "where metric = 'repeat_rate'"
            )
            assert repeat_rate == [["99", "124"]]
            assert second.ask("select url from ops.source") == [[f"file:///landing{real_landing}"]]
        else:
            assert second.marts() == first_marts
        same_port = Stack(second.project, second.folder, stack.port, variables)
        done = same_port.compose("up", "--detach", "--no-deps", "api-server", check=False)
        assert done.returncode != 0
        assert f"127.0.0.1:{stack.port} failed: port is already allocated" in done.stderr
    assert stack.api.call("GET", "/monitor/health")["scheduler"]["status"] == "healthy"
    assert stack.ask("select 1") == [["1"]]
