-- What dbt remembers of models that are built by their changes, beside their data.
set local role loader;

create table ops.model_state (
    model text primary key,
    definition_hash text,
    relation_oid oid,
    version bigint not null,
    changes_since bigint not null,
    built_at timestamptz not null default now()
);
comment on table ops.model_state is
    'One row per model that is built by its changes; written in the transaction that writes the model''s rows.';
comment on column ops.model_state.definition_hash is
    'Hash of all the model is made from: its SQL, the views it reads, its columns and indexes. Null: rebuild it whole.';
comment on column ops.model_state.relation_oid is 'The table this row speaks of. Another one in its place is not known here.';
comment on column ops.model_state.version is 'Counts the builds of the model.';
comment on column ops.model_state.changes_since is
    'ops.model_change tells all changes after this version. Who read up to an older one must read the whole model.';

create table ops.model_watermark (
    model text not null,
    source text not null,
    position bigint not null,
    primary key (model, source)
);
comment on table ops.model_watermark is
    'Up to where a model has taken in a source: a load id of a table in raw, a version of another model. '
    'The model `publish` stands for the last publication.';

create table ops.model_change (
    model text not null,
    version bigint not null,
    key jsonb not null
);
comment on table ops.model_change is
    'Keys of the rows that a build changed, with their old and their new values. Pruned once everybody has read them.';
create index model_change_version on ops.model_change (model, version);

grant insert, update, delete on ops.model_state, ops.model_watermark, ops.model_change to transformer;
grant insert, update on ops.model_watermark to publisher;
