"""What commands list, as it is piped."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from elt.cli import terminal
from elt.loading.quarantine.replay import Replayed
from elt.privacy.outcome import Forgotten
from elt.transform.overrides import Override

LAST_DAY = datetime(2026, 11, 30, tzinfo=UTC)


def test_overrides_are_listed_by_name_with_their_end_in_utc(capsys):
    terminal.print_overrides(
        [
            Override(
                "test.shop.unique_orders.1f", "known", "ada", datetime(2026, 11, 30, tzinfo=UTC)
            ),
            Override(
                "test.shop.days_add_up",
                "two odd orders of May",
                None,
                datetime(2026, 12, 1, 1, 30, tzinfo=timezone(timedelta(hours=2))),
            ),
        ]
    )
    assert capsys.readouterr().out == (
        "test           until (UTC)       by   why\n"
        "unique_orders  2026-11-30 00:00  ada  known\n"
        "days_add_up    2026-11-30 23:30       two odd orders of May\n"
    )
    terminal.print_overrides([])
    assert capsys.readouterr().out == "No test is let through.\n"


def test_replayed_rows_are_listed_by_load_and_then_why_some_wait_on(capsys):
    good = Replayed("orders", 17, "orders.csv", 20, 3, 1, 0, ())
    bad = Replayed("users", 8, "users/1.csv", None, 0, 0, 2, ("line 3: column age: is no integer",))
    terminal.print_replayed([good, bad])
    assert capsys.readouterr().out == (
        "table   load  file         loaded  superseded  wiped  still bad\n"
        "orders    17  orders.csv        3           1      0          0\n"
        "users      8  users/1.csv       0           0      2          1\n"
        "\n"
        "table  load  why it waits on\n"
        "users     8  line 3: column age: is no integer\n"
    )
    terminal.print_replayed([good])
    assert "waits on" not in capsys.readouterr().out
    terminal.print_replayed([])
    assert capsys.readouterr().out == "No row waits in quarantine.\n"


def test_what_was_removed_of_a_person_is_listed_by_place(capsys):
    done = Forgotten({"raw.users": 1, "raw.promos": 0, "raw.events": 1234}, 2, {}, (), False)
    terminal.print_forgotten(done)
    assert capsys.readouterr().out.startswith(
        "Forgotten: 1,235 rows removed for good.\n"
        "place                   rows\n"
        "raw.users                  1\n"
        "raw.events             1,234\n"
        "ops.quarantine, wiped      2\n"
        "\n"
        "Totals in the marts still count the person until the next run.\n"
    )
    terminal.print_forgotten(Forgotten({}, 0, {}, (), True))
    assert capsys.readouterr().out.startswith(
        "This person was forgotten before; nothing was left to remove.\n\nTotals"
    )
