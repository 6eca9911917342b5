-- What an operator decides: a publication undone, a test let through, rows to be built anew.
set local role loader;

alter table ops.publication
    add column undone_at timestamptz,
    add column overridden jsonb not null default '[]';
comment on column ops.publication.undone_at is 'When it was rolled back: marts show an older one since.';
comment on column ops.publication.overridden is
    'Failed tests that an operator had let through when this was published: test, failures, reason, made_by, until.';
grant update (undone_at) on ops.publication to publisher;
grant usage on sequence ops.publication_publication_id_seq to publisher;

create table ops.mart_before (
    mart text primary key,
    publication_id bigint not null,
    change text not null check (change in ('none', 'rows', 'columns', 'new', 'gone')),
    structure jsonb,
    status jsonb
);
comment on table ops.mart_before is
    'What the last publication that changed anything did to each mart: enough to undo it, and no older one.';
comment on column ops.mart_before.structure is 'Columns, key and descriptions as they were, if these changed.';
comment on column ops.mart_before.status is 'Its row of marts.data_status as it was.';

create table ops.row_before (
    publication_id bigint not null,
    mart text not null,
    row_key jsonb not null,
    row_data jsonb
);
comment on table ops.row_before is
    'Each row of marts that that publication changed, as it was. No row_data: the row was not there.';
create index row_before_mart on ops.row_before (mart);
grant insert, update, delete on ops.mart_before, ops.row_before to publisher;
-- what was undone must be compared whole by the next publication
grant delete on ops.model_watermark to publisher;

create table ops.pin (
    pin_id bigint generated always as identity primary key,
    publication_id bigint not null,
    pinned_at timestamptz not null,
    pinned_by text,
    reason text,
    released_at timestamptz,
    released_by text
);
comment on table ops.pin is
    'Each rollback: which publication was undone. Nothing is published until the pin is released.';
create unique index pin_active on ops.pin ((true)) where released_at is null;
grant insert, update on ops.pin to publisher;

create table ops.override (
    override_id bigint generated always as identity primary key,
    unique_id text not null,
    reason text not null,
    made_by text,
    made_at timestamptz not null default now(),
    until timestamptz not null,
    ended_at timestamptz,
    ended_by text
);
comment on table ops.override is
    'A failing test that an operator lets through for a while. dbt reads it: the test warns instead of failing.';
create unique index override_active on ops.override (unique_id) where ended_at is null;

alter table ops.load
    drop constraint load_cause_check,
    add constraint load_cause_check check (cause in ('delivery', 'replay', 'erasure', 'rebuild'));
comment on column ops.load.cause is
    'delivery: the source brought it. replay: rows that were in quarantine. erasure: a person was forgotten. '
    'rebuild: nothing came, but models are to build what belongs to some rows anew. Only a delivery makes the data younger.';

set local role publisher;

alter table marts.data_status
    add column pinned text,
    drop constraint data_status_last_run_outcome_check,
    add constraint data_status_last_run_outcome_check
        check (last_run_outcome in ('published', 'failed', 'rolled back', 'held back'));
comment on column marts.data_status.pinned is
    'Set while an operator has put an older publication back: since when, by whom, why. Nothing is published meanwhile.';
