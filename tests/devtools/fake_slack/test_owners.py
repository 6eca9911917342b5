"""The fake Slack knows whom the shop's dbt project names."""

from __future__ import annotations

from devtools.fake_slack.owners import owner_groups
from tests.support.bookshop import SHOP as BOOKSHOP


def test_every_owner_has_a_group():
    assert owner_groups(BOOKSHOP / "dbt") == {
        "back-office": "S0BACKOFFICE",
        "booksellers": "S0BOOKSELLERS",
    }


def test_the_owners_of_this_shop_have_ids_of_their_own():
    groups = owner_groups()
    assert groups
    assert len({*groups.values()}) == len(groups)
