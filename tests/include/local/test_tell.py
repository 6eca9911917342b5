"""What `make run` prints at its end."""

from __future__ import annotations

import contextlib

from include.local import tell
from include.local.home import Home


def test_a_run_that_was_held_back_was_good_and_says_why_it_shows_nothing_new(warehouse, capsys):
    warehouse.run(
        "insert into marts.data_status (mart, last_run_id, last_run_outcome, last_run_at, reason)"
        " values ('dim_users', 'run 3', 'held back', now(), 'Not published. Pinned since then.')"
    )
    with contextlib.closing(warehouse.connect("analyst")) as connection:
        assert tell.end_of_run(connection.cursor(), Home(), "run 3", "success", 12)
    assert capsys.readouterr().out == (
        "\nThe run was good (12.0 s). Not published. Pinned since then.\n"
    )
