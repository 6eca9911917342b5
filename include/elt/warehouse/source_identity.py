"""One warehouse holds one shop."""

from __future__ import annotations

from psycopg2.extensions import cursor as Cursor

from elt.errors import FinalError


class OtherShopError(FinalError):
    """The landing folder is not the one that this warehouse was filled from."""


def remember_source(cursor: Cursor, url: str) -> None:
    """Note where this warehouse's data comes from, once and for all.

    Raises:
        OtherShopError: if it came from somewhere else before.
    """
    cursor.execute("insert into ops.source (url) values (%s) on conflict do nothing", (url,))
    cursor.execute("select url, first_used_at from ops.source")
    known, since = cursor.fetchone()
    if known != url:
        raise OtherShopError(
            f"This warehouse holds the shop at {known} (since {since:%d %b %Y}), but the source is "
            f"now {url}. Two shops in one warehouse would mix their numbers. Use {known} again, or "
            "start over with an empty warehouse: locally `make reset`. If the same shop's folder "
            f"only moved: update ops.source set url = '{url}'"
        )
