"""The commands of the Makefile, as a newcomer types them."""

from __future__ import annotations

import re

import httpx
import psycopg2
import pytest

from tests.support.installation import command, copy_checkout, local_command

# several whole runs; a busy machine may take its time
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    folder = copy_checkout(tmp_path_factory.mktemp("newcomer") / "checkout")
    yield folder
    local_command(folder, "reset")


def marts(checkout) -> dict[str, str]:
    """Return the metrics as the analyst's URL shows them."""
    url = local_command(checkout, "warehouse-url").stdout.strip()
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("select metric, value::text from marts.fct_kpis")
        return dict(cursor.fetchall())


# tests/docker has a first run, test_your_own_shop.py the command and its alarm
@pytest.mark.rare
def test_a_newcomer_gets_numbers_and_bad_data_rings_the_alarm(checkout, tmp_path):
    good = local_command(checkout, "run")
    assert good.returncode == 0, good.stdout + good.stderr
    assert "✓ build.fct_orders" in good.stdout
    assert "repeat_rate" in good.stdout
    assert "make psql" in good.stdout
    page = checkout / ".local/report/index.html"
    assert f"The report: {page} " in good.stdout.splitlines()[-1]
    assert 'class="trust green"' in page.read_text()
    shown = marts(checkout)
    assert float(shown["users"]) > 100

    # an analyst's build goes into schemas of their own
    built = local_command(checkout, "dbt", "build", "-s", "stg_greenery__orders")
    assert built.returncode == 0, built.stdout
    schemas = local_command(
        checkout, "psql", "-Atc", "select nspname from pg_namespace where nspname like 'dev\\_%'"
    )
    assert schemas.stdout.strip().endswith("_staging")

    # another shop is refused before anything happens
    other = tmp_path / "other"
    other.mkdir()
    refused = local_command(checkout, "run", "--source", str(other))
    assert refused.returncode == 1
    assert "Two shops in one warehouse" in refused.stderr
    assert "make reset" in refused.stderr

    # bad data: exit status 1, in words, and the marts still show what they showed
    broken = command(checkout, "devtools.demo", "--break", "orphan_item")
    assert broken.returncode == 0, broken.stderr
    bad = local_command(checkout, "run", "--slack", "local")
    (page,) = re.findall(r"Slack was told in #data-alerts, see (\S+)\.$", bad.stdout, re.M)
    told = httpx.get(f"{page}/messages", trust_env=False).json()
    (message,) = [one for one in told if not one["thread_ts"]]
    assert "Greenery run failed" in message["text"]
    assert bad.returncode == 1, bad.stdout
    assert "Nothing was published" in bad.stdout
    assert "✗ build.stg_greenery__order_items" in bad.stdout
    assert len(re.findall(r"- \d+ tasks not done", bad.stdout)) == bad.stdout.count("not done") == 1
    assert marts(checkout) == shown


def test_what_cannot_work_is_said_in_one_sentence(tmp_path):
    checkout = copy_checkout(tmp_path / "checkout")
    try:
        missing = local_command(checkout, "run", "--source", str(tmp_path / "nowhere"))
        assert missing.returncode == 1
        assert missing.stderr.strip() == f"There is no folder {tmp_path / 'nowhere'}."
    finally:
        local_command(checkout, "reset")
    assert not (checkout / ".local").exists()


def test_down_says_when_nothing_was_running(tmp_path):
    checkout = copy_checkout(tmp_path / "checkout")
    down = local_command(checkout, "down")
    assert (down.returncode, down.stdout.strip()) == (0, "Nothing was running.")
