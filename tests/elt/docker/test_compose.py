"""What docker-compose.yml and the workflows promise, as far as it shows without an engine."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.support.installation import ROOT

SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_no_container_can_become_more_than_it_is(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    added = service.get("cap_add", [])
    assert not added or name in ("warehouse", "metadata")


@pytest.mark.parametrize("name", ["warehouse", "metadata", "slack"])
def test_what_needs_no_file_of_its_own_has_a_root_that_nobody_writes_to(name):
    assert SERVICES[name]["read_only"] is True
    assert SERVICES[name]["tmpfs"] == ["/tmp"]


def test_each_action_is_named_by_its_commit():
    text = "".join(file.read_text() for file in (ROOT / ".github/workflows").glob("*.yml"))
    used = re.findall(r"uses: (\S+)", text)
    assert used
    assert all(re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action) for action in used)
