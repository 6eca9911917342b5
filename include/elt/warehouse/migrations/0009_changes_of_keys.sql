-- Who reads of a model no more than the columns whose changes it tells hears only of these.
set local role loader;

alter table ops.model_change add column is_key_change boolean not null default true;
comment on column ops.model_change.is_key_change is
    'Whether there is a row with these values now and was none before, or the other way round. '
    'If not, other columns of the row changed.';
