-- Results that a run took over go again when a few runs have come after it; the first of their kind stay.
set local role loader;

alter table ops.node_result add column taken_from text;
comment on column ops.node_result.taken_from is
    'The run whose result it is, where a run with nothing new took it over; null: its own.';
create index node_result_taken on ops.node_result (run_id) where taken_from is not null;

create or replace view ops.node_history as
select
    run_id, task_id, try_number, unique_id, kind, status, failures, execution_seconds, owner, finished_at, moment,
    taken_from
from ops.node_result;
