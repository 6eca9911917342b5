-- What came before what is told by a counter: a clock may be set back.
set local role loader;

create sequence ops.moment;
comment on sequence ops.moment is
    'Counts what happens. Times tell people when; only these numbers tell what came first.';
grant usage on sequence ops.moment to transformer;

-- the rows that are there are numbered as they were written
alter table ops.node_result add column moment bigint not null default nextval('ops.moment');
drop index ops.node_result_history;
create index node_result_history on ops.node_result (unique_id, moment desc);

alter table ops.run_lease add column frozen_moment bigint;
comment on column ops.run_lease.frozen_moment is
    'When the horizon was frozen: what has a lower number was built from older rows.';
update ops.run_lease as lease
set frozen_moment = (
    select coalesce(max(result.moment), 0)
    from ops.node_result as result
    where result.finished_at < lease.horizon_frozen_at
)
where lease.horizon_frozen_at is not null;

alter table ops.model_state add column defined_moment bigint;
comment on column ops.model_state.defined_moment is
    'Of a view: since when it has been defined as it is. A test with a lower number saw another one.';
update ops.model_state as state
set defined_moment = (
    select coalesce(max(result.moment), 0)
    from ops.node_result as result
    where result.finished_at <= state.built_at
);
