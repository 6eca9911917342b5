-- A run with nothing new takes over the results of the one that was published last.
set local role loader;

alter table ops.run_lease
    add column follows text,
    add column project text,
    add column is_build_published boolean not null default false;
comment on column ops.run_lease.follows is
    'Which run, command or person had the warehouse before this run.';
comment on column ops.run_lease.project is
    'A hash of the dbt project when the horizon was frozen.';
comment on column ops.run_lease.is_build_published is
    'Whether what is built is what was published: no task has begun to build since.';

alter table ops.publication add column project text;
comment on column ops.publication.project is
    'A hash of the dbt project that it was built with; null where the project changed during the run.';
