-- Loads that are no deliveries (rows tried again, people forgotten), and what marts can't show because rows wait.
set local role loader;

alter table ops.load
    add column cause text not null default 'delivery' check (cause in ('delivery', 'replay', 'erasure')),
    add column replay_of bigint,
    add constraint replay_has_its_load check ((cause = 'replay') = (replay_of is not null));
comment on column ops.load.cause is
    'delivery: the source brought it. replay: rows that were in quarantine. erasure: a person was forgotten. '
    'Only a delivery makes the data younger.';
comment on column ops.load.replay_of is
    'The load whose quarantined rows this one tried again. Its rows are as old as those of that load.';

set local role publisher;

alter table marts.data_status add column warnings text;
comment on column marts.data_status.warnings is
    'What the published data lacks, in words: rows that this mart rests on and that wait in quarantine.';
