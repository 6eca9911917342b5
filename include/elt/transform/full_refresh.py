"""A full refresh on demand: the models asked for, and what depends on them, are built whole."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg2.extensions import cursor as Cursor

from elt.errors import FinalError
from elt.shop import SHOP
from elt.transform.lineage import Lineage

ALL = "all"


class UnknownModelError(FinalError):
    """There is no model of that name; the message names it."""


def ask_for_whole_builds(cursor: Cursor, names: Sequence[str], lineage: Lineage) -> list[str]:
    """Have the named models built whole by their next build, and return which of them that is.

    dbt builds a model whole when it does not remember its definition, and so it does with what
    depends on it. A model that is a plain table or a view is made anew by every run in any case.

    Args:
        cursor: of a transaction as the role loader.
        names: of models, or ``all``.

    Raises:
        UnknownModelError: if the project has no such model.
    """
    known = {lineage.nodes[model]["name"] for model in lineage.of_type("model")}
    if unknown := sorted({*names} - known - {ALL}):
        raise UnknownModelError(
            f"full_refresh names {', '.join(unknown)}, and the project has no such model. "
            f"Name models as in {SHOP.dbt_project}/models, or `{ALL}`. Nothing was done."
        )
    cursor.execute(
        "update ops.model_state set definition_hash = null "
        "where model = any (%(models)s) returning model",
        {"models": [*lineage.built_by_changes] if ALL in names else list(names)},
    )
    return sorted(model for (model,) in cursor.fetchall())
