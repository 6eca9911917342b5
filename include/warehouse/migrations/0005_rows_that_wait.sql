-- What marts can't show yet because rows of theirs wait in quarantine; and loads that try such rows again.
set local role loader;

alter table ops.load add column replay_of bigint;
comment on column ops.load.replay_of is
    'The load whose quarantined rows this one tried again. Its rows are as old as those of that load.';

set local role publisher;

alter table marts.data_status add column warnings text;
comment on column marts.data_status.warnings is
    'What the published data lacks, in words: rows that this mart rests on and that wait in quarantine.';
