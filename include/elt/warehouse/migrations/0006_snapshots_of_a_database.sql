-- A shop's database is read in snapshots: which one a load saw tells what the next one must read again.
set local role loader;

alter table ops.load
    add column source_snapshot pg_snapshot,
    add column source_xid xid8;
comment on column ops.load.source_snapshot is
    'The snapshot of the shop''s database that was read, the same for all tables of a run. Null for a file.';
comment on column ops.load.source_xid is
    'A transaction id of the shop''s database: what had written by the time of the snapshot has a lower one.';
