-- A person may be asked whether to publish all the same, where an operator could say so by a command.
set local role loader;

create table ops.question (
    question_id bigint generated always as identity primary key,
    run_id text not null,
    tables text[] not null,
    tests text[] not null,
    asked_at timestamptz not null default clock_timestamp(),
    until timestamptz not null,
    answer text check (answer in ('yes', 'no')),
    answered_by text,
    answered_at timestamptz,
    note text,
    check ((answer is null) = (answered_at is null))
);
comment on table ops.question is
    'Publish all the same? Asked of a run that failed of nothing but what an operator may let through by a command.';
comment on column ops.question.tables is 'Whose snapshot has lost more than half of its rows.';
comment on column ops.question.tests is 'Which failed, by name. A yes is an override of each.';
comment on column ops.question.answered_by is 'As Airflow knows that person. None: nobody answered in time, which means no.';
create index question_run on ops.question (run_id);

create or replace view ops.decision_history as
select
    'override' as kind, unique_id as name, reason, made_by as decided_by, made_at as decided_at, until as until_at,
    ended_at
from ops.override
union all
select
    'rollback', 'publication ' || publication_id, reason, pinned_by, pinned_at, null, released_at
from ops.pin
union all
select
    'snapshot that shrank', table_name, note, answered_by, answered_at, null, answered_at
from ops.question
cross join unnest(tables) as table_name
where answer = 'yes';
