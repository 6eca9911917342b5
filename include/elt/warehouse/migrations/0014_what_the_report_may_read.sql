-- The report reads with a reader's rights. Of what happened it sees counts, names and times: never a row, nor
-- the words of an error, nor SQL.
set local role loader;

create view ops.node_history as
select
    run_id, task_id, try_number, unique_id, kind, status, failures, execution_seconds, owner, finished_at, moment
from ops.node_result;
comment on view ops.node_history is 'Every dbt model, test and freshness check of every try, without its words.';

create view ops.load_history as
select
    load_id, run_id, table_name, cause, status, rows_read, rows_inserted, rows_updated, rows_unchanged, rows_deleted,
    rows_quarantined, started_at, finished_at
from ops.load;
comment on view ops.load_history is 'One row per landing file or query window taken up, without its name.';

create view ops.quarantine_waiting as
select
    table_name, column_name, reason, count(*) as row_count, min(quarantined_at) as since_at
from ops.quarantine
where resolved_at is null and is_replayable
group by table_name, column_name, reason;
comment on view ops.quarantine_waiting is
    'How many rows wait in quarantine, by table and reason. A reason holds no value of its row.';

create view ops.publication_history as
select publication_id, run_id, published_at, undone_at, rows_inserted, rows_updated, rows_deleted
from ops.publication;
comment on view ops.publication_history is 'Each time marts was made equal to the audited build.';

create view ops.decision_history as
select
    'override' as kind, unique_id as name, reason, made_by as decided_by, made_at as decided_at, until as until_at,
    ended_at
from ops.override
union all
select
    'rollback', 'publication ' || publication_id, reason, pinned_by, pinned_at, null, released_at
from ops.pin;
comment on view ops.decision_history is 'What operators decided: a failing test let through, a publication undone.';

grant usage on schema ops to reader;
grant select
on ops.node_history, ops.load_history, ops.quarantine_waiting, ops.publication_history, ops.decision_history
to reader;
