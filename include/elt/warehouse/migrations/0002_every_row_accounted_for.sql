-- Every row of a source is accounted for: quarantine, warnings of loads, sources that are no files, erased people.
set local role loader;

alter table ops.load
    alter column file_size drop not null,
    add column source_columns text[],
    add column rows_quarantined bigint not null default 0,
    add column watermark_from text,
    add column watermark_to text,
    drop constraint load_check,
    add constraint load_adds_up check (
        status = 'failed'
        or rows_read = rows_inserted + rows_updated + rows_unchanged + rows_quarantined
    );
comment on table ops.load is
    'One row per landing file or query window taken up. unchanged: its bytes were loaded before. Never holds row content.';
comment on column ops.load.source_file is 'The landing file, or in words what was asked of the shop''s database.';
comment on column ops.load.source_columns is 'The header, as the source gave it.';
comment on column ops.load.watermark_to is 'Up to which cursor value a database source has been read; text, since cursors differ in type.';

create table ops.quarantine (
    quarantine_id bigint generated always as identity primary key,
    load_id bigint not null,
    table_name text not null,
    source_file text not null,
    line_number bigint,
    row_text text not null,
    reason text not null,
    column_name text,
    row_key jsonb,
    is_replayable boolean not null default true,
    quarantined_at timestamptz not null default now(),
    resolved_at timestamptz,
    resolution text check (resolution in ('replayed', 'superseded', 'erased')),
    check ((resolved_at is null) = (resolution is null))
);
comment on table ops.quarantine is 'Rows that could not be loaded, each with its place and reasons. They wait for make replay-quarantine.';
comment on column ops.quarantine.row_text is 'The row as it stands in the file; what is not UTF-8 is written as \xNN. It may be mended here before a replay.';
comment on column ops.quarantine.row_key is 'The primary key as text, as far as it could be read: rows that point to it are no orphans.';
comment on column ops.quarantine.is_replayable is 'False for a row that lost against another one with the same key in its file.';
comment on column ops.quarantine.resolution is
    'replayed: loaded after all. superseded: a newer row or delivery made it pointless. erased: its person was forgotten.';
create index quarantine_open on ops.quarantine (table_name) where resolved_at is null;

create table ops.load_warning (
    warning_id bigint generated always as identity primary key,
    load_id bigint,
    table_name text not null,
    kind text not null,
    detail text not null,
    message text not null,
    warned_at timestamptz not null default now(),
    unique (table_name, kind, detail)
);
comment on table ops.load_warning is
    'What a load noticed and went on: a new or missing column, a drop far below its usual size. Each thing once.';

create table ops.erased (
    table_name text not null,
    column_name text not null,
    value_sha256 text not null,
    erased_at timestamptz not null default now(),
    primary key (table_name, column_name, value_sha256)
);
comment on table ops.erased is
    'Tombstones of erased people: rows of the table whose column has a value with this SHA-256 (hex) are never loaded again.';
