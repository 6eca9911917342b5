-- What happened: loads, the lease of a run, dbt results, failures, messages, publications.
set local role loader;

create table ops.source (
    only_row boolean primary key default true check (only_row),
    url text not null,
    first_used_at timestamptz not null default now()
);
comment on table ops.source is 'The shop this warehouse holds. Two shops must not mix.';

create table ops.load (
    load_id bigint generated always as identity primary key,
    run_id text,
    table_name text not null,
    source_file text not null,
    file_size bigint not null,
    file_modified_at timestamptz,
    file_sha256 text,
    rows_read bigint not null default 0,
    rows_inserted bigint not null default 0,
    rows_updated bigint not null default 0,
    rows_unchanged bigint not null default 0,
    rows_deleted bigint not null default 0,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    status text not null check (status in ('loaded', 'unchanged', 'failed')),
    error text,
    check (status = 'failed' or rows_read = rows_inserted + rows_updated + rows_unchanged)
);
comment on table ops.load is
    'One row per landing file taken up. unchanged: its bytes were loaded before. Never holds row content.';
create index load_file on ops.load (table_name, source_file, load_id);

create table raw.change_log (
    load_id bigint not null,
    table_name text not null,
    change text not null check (change in ('update', 'delete', 'revive')),
    old_key jsonb not null,
    new_key jsonb
);
comment on table raw.change_log is
    'Old and new key columns of every row changed or deleted by a load. '
    'An inserted row is not repeated here: its own _load_id tells.';
create index change_log_load on raw.change_log (table_name, load_id);

create table ops.run_lease (
    only_row boolean primary key default true check (only_row),
    run_id text not null,
    taken_at timestamptz not null,
    expires_at timestamptz not null,
    released_at timestamptz,
    horizon_load_id bigint,
    horizon_frozen_at timestamptz
);
comment on table ops.run_lease is
    'The last run that took the warehouse. Only it may load, build and publish; only its first task takes the lease.';

create table ops.node_result (
    run_id text not null,
    task_id text not null,
    try_number integer not null,
    unique_id text not null,
    kind text not null,
    status text not null,
    failures bigint,
    message text,
    execution_seconds double precision,
    finished_at timestamptz not null default now(),
    primary key (run_id, task_id, try_number, unique_id)
);
comment on table ops.node_result is 'Every dbt model, test and freshness check of every try.';

create table ops.task_failure (
    run_id text not null,
    task_id text not null,
    try_number integer not null,
    message text not null,
    log_url text,
    failed_at timestamptz not null default now(),
    primary key (run_id, task_id, try_number)
);
comment on table ops.task_failure is 'Tasks that failed for good, in words.';

create table ops.notification (
    notification_key text primary key,
    run_id text not null,
    channel text,
    payload jsonb not null,
    state text not null check (state in ('pending', 'sent', 'failed')),
    created_at timestamptz not null default now(),
    sent_at timestamptz,
    error text
);
comment on table ops.notification is 'Every message to people, written before it is sent. The key keeps it single.';

create table ops.publication (
    publication_id bigint generated always as identity primary key,
    run_id text not null,
    published_at timestamptz not null,
    horizon_load_id bigint,
    rows_inserted bigint not null,
    rows_updated bigint not null,
    rows_deleted bigint not null,
    tables jsonb not null
);
comment on table ops.publication is 'Each time marts was made equal to the audited build.';
grant insert on ops.publication to publisher;
-- publish keeps the lease in its own transaction
grant update on ops.run_lease to publisher;

set local role publisher;

create table marts.data_status (
    mart text primary key,
    data_as_of timestamptz,
    published_at timestamptz,
    last_run_id text,
    last_run_outcome text not null check (last_run_outcome in ('published', 'failed')),
    last_run_at timestamptz not null,
    reason text
);
comment on table marts.data_status is
    'Can I trust this mart today? One row per mart: how old its data is, when it was published, and why it is not newer.';
