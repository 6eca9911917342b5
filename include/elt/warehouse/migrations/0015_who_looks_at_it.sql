-- People say by number which incident they look at.
set local role loader;

alter table ops.incident
    add column number integer generated always as identity unique,
    add column acknowledged_by text,
    add column acknowledged_at timestamptz,
    add column note text,
    add check ((acknowledged_by is null) = (acknowledged_at is null));
comment on column ops.incident.number is 'As messages call it: #12. A number is not used again; some are left out.';
comment on column ops.incident.acknowledged_by is 'Who looks at it, as that person wrote it: greenery ack.';
comment on column ops.incident.note is 'What that person says of it.';
