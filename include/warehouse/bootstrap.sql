-- Roles and schemas of a warehouse. Run once by an administrator, connected to the warehouse's own
-- database; running it again changes nothing. Postgres 16 or newer. Passwords are set by the caller.
do $$
declare
    role_name text;
begin
    foreach role_name in array array['loader', 'transformer', 'publisher', 'reader'] loop
        if not exists (select from pg_roles where rolname = role_name) then
            execute format('create role %I nologin', role_name);
        end if;
    end loop;
    foreach role_name in array array['greenery', 'analyst'] loop
        if not exists (select from pg_roles where rolname = role_name) then
            execute format('create role %I login', role_name);
        end if;
    end loop;
    -- the business day must not depend on where the server happens to stand
    execute format('alter database %I set timezone to ''UTC''', current_database());
    execute format('revoke all on database %I from public', current_database());
    execute format('grant connect, temporary on database %I to public', current_database());
    execute format('grant create on database %I to transformer, analyst', current_database());
end
$$;

-- The daily run logs in as greenery and must say "set role" before it can touch anything.
grant loader, transformer, publisher to greenery with inherit false, set true;
-- An analyst reads everything and builds into schemas of their own.
grant pg_read_all_data to analyst;

create schema if not exists raw authorization loader;
create schema if not exists ops authorization loader;
create schema if not exists marts authorization publisher;
grant usage on schema raw to transformer;
grant usage on schema ops to transformer, publisher;
grant usage on schema marts to reader;
alter default privileges for role loader in schema raw grant select on tables to transformer;
alter default privileges for role loader in schema ops grant select on tables to transformer, publisher;
alter default privileges for role publisher in schema marts grant select on tables to reader;

create schema if not exists staging authorization transformer;
create schema if not exists intermediate authorization transformer;
create schema if not exists snapshots authorization transformer;
create schema if not exists marts_build authorization transformer;
grant usage on schema marts_build to publisher;
alter default privileges for role transformer in schema marts_build grant select on tables to publisher;
revoke create on schema public from public;
