"""Verify that published marts still are what publish made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from elt.errors import FinalError
from elt.publishing import data_status, rollback, row_diff, table_schema
from elt.publishing.row_diff import join_names
from elt.publishing.table_schema import BUILD, MARTS, Structure
from elt.shop import SHOP
from elt.warehouse.connection import AS_USUAL, transaction
from elt.warehouse.rows import one_value


class MartsChangedError(FinalError):
    """Marts, or their builds, were changed by something other than a run; the message names them.

    ``marts`` are their names.
    """

    def __init__(self, message: str, marts: list[str]) -> None:
        super().__init__(message)
        self.marts = marts


@dataclass(frozen=True)
class Finding:
    """What differs between a published mart and the build it was published from."""

    mart: str
    # None: not rows, but its columns or its key; or it is gone
    rows: int | None

    def describe(self) -> str:
        """Return what differs, as part of a sentence."""
        if self.rows is None:
            return f"{MARTS}.{self.mart} has other columns, or another key, or is gone"
        rows = "1 row" if self.rows == 1 else f"{self.rows:,} rows"
        return f"{rows} of {MARTS}.{self.mart}"


def verify(marts: Iterable[str]) -> list[str]:
    """Compare each published mart whole with the build it was published from.

    What was built since and not published yet is left out. The next publication compares a mart
    that differs whole, and so puts it right; until then ``marts.data_status`` says so.

    Args:
        marts: those of the project.

    Returns:
        The marts that were not compared, since the next publication compares them whole anyhow.
        All of them while an older publication is pinned.

    Raises:
        MartsChangedError: if some were changed behind publish's back.
    """
    with transaction("publisher") as cursor:
        data_status.lock(cursor)
        if rollback.active_pin(cursor):
            return sorted(marts)
        build, published = table_schema.read(cursor, BUILD), table_schema.read(cursor, MARTS)
        versions = row_diff.read_versions(cursor, marts)
        findings, unknown = [], []
        for mart in sorted(marts):
            # one whose build is gone is built anew by the next run
            is_known = mart in versions and mart in build
            if not is_known or not row_diff.collect_changed_keys(
                cursor, mart, build[mart], versions[mart]
            ):
                unknown.append(mart)
            elif finding := _compare(cursor, mart, build[mart], published.get(mart)):
                findings.append(finding)
        for finding in findings:
            row_diff.doubt(cursor, finding.mart)
            data_status.add_warning(
                cursor,
                finding.mart,
                "It is not what was published: something other than a run has changed it or its "
                "build. The next publication puts it right.",
            )
    if findings:
        first = findings[0].mart
        raise MartsChangedError(
            f"{', '.join(finding.describe() for finding in findings)}: not what was published. "
            "Something other than a run has changed it, or its build. The next run builds it "
            f"anew and puts it right; trigger `{SHOP.dag_id}` to have it now. To see: select * "
            f"from {MARTS}.{first} except select * from {BUILD}.{first}. Who may write there "
            "besides the run's own roles?",
            [finding.mart for finding in findings],
        )
    return unknown


def _compare(
    cursor: Cursor, mart: str, built: Structure, present: Structure | None
) -> Finding | None:
    """Compare a mart with its build, without the keys in ``row_diff.CHANGED_KEYS``."""
    cursor.execute(sql.SQL("select exists (select from {})").format(row_diff.CHANGED_KEYS))
    is_built_since = one_value(cursor)
    # dicts: the order of columns is none of theirs
    if present is None or (present.columns, present.key) != (built.columns, built.key):
        # a build that is not published yet may have brought them
        return None if is_built_since else Finding(mart, None)
    names = {
        "new": sql.Identifier(BUILD, mart),
        "old": sql.Identifier(MARTS, mart),
        "touched": row_diff.CHANGED_KEYS,
        "same_key": join_names(" and ", "new.{0} = old.{0}", built.key),
        "is_touched": join_names(" and ", "touched.{0} = coalesce(new.{0}, old.{0})", built.key),
        "new_columns": join_names(", ", "new.{0}", built.columns),
        "old_columns": join_names(", ", "old.{0}", built.columns),
    }
    cursor.execute(AS_USUAL)
    cursor.execute(
        sql.SQL(
            "select count(*) from {new} as new full join {old} as old on {same_key} "
            "where ({new_columns}) is distinct from ({old_columns}) "
            "and not exists (select from {touched} as touched where {is_touched})"
        ).format(**names)
    )
    rows = one_value(cursor)
    return Finding(mart, rows) if rows else None
