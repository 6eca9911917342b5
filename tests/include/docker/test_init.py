from __future__ import annotations

import pytest

from include.alert import memory
from include.docker import init


@pytest.mark.parametrize(("needed", "words"), [(10**6, "A run needs about"), (0, "")])
def test_too_little_memory_is_told_and_what_to_do(capsys, monkeypatch, needed, words):
    monkeypatch.setattr(init, "NEEDED_MEMORY_GB", needed)
    init.warn_of_little_memory()
    told = capsys.readouterr().out
    assert words in told
    assert ("GREENERY_PARALLELISM=1" in told) == bool(words)


def test_a_shop_s_database_that_does_not_answer_is_told_without_its_password(capsys):
    init.warn_of_silent_database(
        {
            "host": "127.0.0.1",
            "port": 1,
            "login": "me",
            "password": "hidden",
            "schema": "shop",
            "extra": {"source_schema": "till", "sslmode": "disable"},
        }
    )
    told = capsys.readouterr().err
    assert "The shop's database (GREENERY_SOURCE) can't be read now" in told
    assert "127.0.0.1" in told
    assert "hidden" not in told


def test_only_what_the_alerts_remember_may_be_lost_with_the_key():
    assert init.OWN_VARIABLE == memory.VARIABLE
