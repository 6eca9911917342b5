"""Raw's change log, kept as long as a model has still to read it."""

from __future__ import annotations

from collections.abc import Collection

from psycopg2.extensions import cursor as Cursor

from elt.warehouse.rows import one_value


def prune(cursor: Cursor, models: Collection[str]) -> int:
    """Delete what every one of the models has read, and return how many entries that were.

    Models that were taken out of the project hold nothing back. Whoever has read less than what
    was deleted (an analyst's own build, a table put back from a backup) finds that in
    ``ops.model_state`` under ``raw.<table>``, and is built whole.

    Args:
        cursor: of a transaction as the role loader.
        models: names of the models that are built by their changes.
    """
    cursor.execute(
        """
        with read_by_all as (
            select log.table_name, coalesce(
                min(watermark.position), max(log.last_load_id)
            ) as load_id
            from (
                select table_name, max(load_id) as last_load_id
                from raw.change_log
                group by table_name
            ) as log
            left join ops.model_watermark as watermark
                on watermark.source = 'raw.' || log.table_name
                and watermark.model = any (%s)
            group by log.table_name
        ),
        gone as (
            delete from raw.change_log as log
            using read_by_all
            where log.table_name = read_by_all.table_name and log.load_id <= read_by_all.load_id
            returning log.table_name, log.load_id
        ),
        noted as (
            insert into ops.model_state as state (model, version, changes_since)
            select 'raw.' || table_name, 0, max(load_id)
            from gone
            group by table_name
            on conflict (model) do update
            set changes_since = greatest(state.changes_since, excluded.changes_since)
        )
        select count(*) from gone
        """,
        (list(models),),
    )
    deleted: int = one_value(cursor)
    return deleted
