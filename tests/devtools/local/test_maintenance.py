"""What is done by hand to the warehouse of a checkout, without an Airflow."""

from __future__ import annotations

import psycopg2
import pytest

from tests.support.installation import copy_checkout, local_command


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    folder = copy_checkout(tmp_path_factory.mktemp("upkeep") / "checkout")
    yield folder
    local_command(folder, "reset")


def test_they_say_what_they_did_or_why_not(checkout):
    nothing = local_command(checkout, "replay-quarantine")
    assert nothing.returncode == 0, nothing.stderr
    assert nothing.stdout.endswith("No row waits in quarantine.\n")
    unknown = local_command(checkout, "replay-quarantine", "--table", "reviews")
    assert unknown.returncode == 1
    assert unknown.stderr.startswith("There is no table `reviews`. There are: addresses, ")

    nobody = local_command(checkout, "forget", "somebody")
    assert nobody.returncode == 1
    assert nobody.stderr.startswith("Nobody has this user_id")
    assert "somebody" not in nobody.stderr
    assert local_command(checkout, "forget", "").stderr == (
        "Say whom: greenery forget USER_ID (make forget USER_ID=…)\n"
    )

    first = local_command(checkout, "rollback", "--reason", "wrong totals", "--by", "ada")
    assert (first.returncode, first.stderr) == (
        1,
        "Nothing was ever published, so there is nothing to undo.\n",
    )
    released = local_command(checkout, "release")
    assert (released.returncode, released.stderr) == (0, "")
    assert released.stdout.endswith("Nothing is pinned. The next run publishes as usual.\n")

    url = local_command(checkout, "warehouse-url").stdout.strip()
    with psycopg2.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("select count(*) from ops.run_lease where released_at is null")
        assert cursor.fetchone() == (0,)


def test_psql_is_shown_the_way_whatever_libpq_would_take_from_outside(checkout):
    ask = "select current_user, current_setting('timezone'), current_setting('datestyle')"
    # and what somebody has for their own terminal stays theirs
    told = local_command(checkout, "psql", "--no-psqlrc", "-Atc", ask)
    assert (told.returncode, told.stdout, told.stderr) == (0, "analyst|UTC|ISO, YMD\n", "")
