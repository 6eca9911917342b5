-- The report shows who looks at what fails: by number, name and note, without what was said of it.
set local role loader;

create view ops.open_incident as
select
    number, kind, unique_id, task_id, first_seen, runs, failures, owner, acknowledged_by, acknowledged_at, note
from ops.incident
where state = 'open';
comment on view ops.open_incident is 'What fails now and was told, and who looks at it: without its words.';

grant select on ops.open_incident to reader;
