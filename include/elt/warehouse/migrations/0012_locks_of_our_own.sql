-- What is done by one at a time waits for a row that only we may lock: an advisory lock is anybody's.
set local role loader;

create table ops.lock (
    name text primary key
);
comment on table ops.lock is
    'What is done by one at a time: whoever does it has locked the row of its name (include/warehouse/lock.py).';

set local role transformer;

-- bootstrap.sql grants it on the schemas that it makes
grant usage on schema untested to analyst;
alter default privileges in schema untested grant select on tables to analyst;
grant select on all tables in schema untested to analyst;
