-- What the alert must know: more of each dbt result, incidents, and what each message in Slack is to show.
set local role loader;

alter table ops.node_result
    add column compiled_sql text,
    add column owner text,
    add column tags text[] not null default '{}',
    add column sample jsonb;
comment on column ops.node_result.sample is
    'Up to five failing rows of a failed test, with only those columns whose YAML says meta.slack_sample: true.';
create index node_result_history on ops.node_result (unique_id, finished_at desc);

create table ops.incident (
    fingerprint text not null,
    first_run_id text not null,
    kind text not null,
    sentence text not null,
    history text,
    failures bigint,
    unique_id text,
    task_id text,
    owner text,
    tags text[] not null default '{}',
    first_seen timestamptz not null,
    last_seen timestamptz not null,
    run_ids text[] not null,
    runs integer generated always as (cardinality(run_ids)) stored,
    state text not null check (state in ('open', 'resolved')),
    resolved_at timestamptz,
    resolved_run_id text,
    primary key (fingerprint, first_run_id),
    check ((state = 'resolved') = (resolved_at is not null))
);
comment on table ops.incident is
    'What fails, from the first time it was seen until it was mended. '
    'Incidents with the same first run share a message.';
comment on column ops.incident.fingerprint is 'What failed, not when, and not how many rows.';
create unique index incident_open on ops.incident (fingerprint) where state = 'open';
create index incident_first_run on ops.incident (first_run_id);

create table ops.run_told (
    run_id text primary key,
    dag_id text not null,
    state text not null,
    started_at timestamptz,
    told_at timestamptz not null default clock_timestamp()
);
comment on table ops.run_told is 'In which state each run was when people were last told of it.';

alter table ops.notification
    add column kind text not null default 'alert'
        check (kind in ('alert', 'reply', 'resolved', 'reminder', 'warnings', 'late')),
    add column parent_key text references ops.notification,
    add column version integer not null default 1,
    add column sent_version integer,
    add column slack_channel text,
    add column slack_ts text,
    add column attempts integer not null default 0,
    add column next_try_at timestamptz not null default '-infinity';
update ops.notification set sent_version = version where state = 'sent';
comment on table ops.notification is
    'What each message in Slack is to show, written before it is sent. The key keeps it single; '
    'a new version of the payload is an update in place.';
comment on column ops.notification.slack_ts is 'Slack''s own name of the message within slack_channel.';
create index notification_to_send on ops.notification (next_try_at) where state <> 'sent';

create table ops.slack_name (
    name text primary key,
    slack_id text,
    asked_at timestamptz not null default now()
);
comment on table ops.slack_name is 'Owners, groups and channels as Slack knows them; no slack_id: nobody there is called so.';

set local role publisher;
-- the message says how old the data is that people still see
grant usage on schema marts to loader;
grant select on marts.data_status to loader;
