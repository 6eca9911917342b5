-- A mart that something other than publish has changed is compared whole by the next publication.
set local role loader;

alter table ops.model_watermark add column is_doubtful boolean not null default false;
comment on column ops.model_watermark.is_doubtful is
    'Of publish: the published mart was found to be other than what was published.';
