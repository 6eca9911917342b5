-- Roles and schemas of a warehouse. Run by an administrator (`greenery bootstrap`), connected to the
-- warehouse's own database, and again after an update; what is there already stays. Postgres 16 or newer.
-- A superuser, or a log-in with CREATEROLE that owns the database and made these roles.

-- whatever a schema of somebody else's holds, the administrator runs none of it
set search_path = pg_catalog, pg_temp;
-- an administrator who is no superuser may act for the roles that are made here, as it must below
set createrole_self_grant = 'set, inherit';

do $$
declare
    role_name text;
    setting text;
begin
    -- sandbox: nobody is it; it owns what makes schemas for analysts
    foreach role_name in array array['loader', 'transformer', 'publisher', 'reader', 'sandbox'] loop
        if not exists (select from pg_roles where rolname = role_name) then
            execute format('create role %I nologin', role_name);
        end if;
    end loop;
    foreach role_name in array array['greenery', 'analyst'] loop
        if not exists (select from pg_roles where rolname = role_name) then
            execute format('create role %I login', role_name);
        end if;
    end loop;

    -- What our sessions say at log-in anyway (include/elt/warehouse/session.py), for those that can't: dbt's
    -- (all but the search path), and an administrator's. Of a database and of a log-in, because a setting
    -- of the log-in alone would beat that of the database, and one of both beats them.
    foreach setting in array array[
        -- what has no schema in its name is the catalog's, and never what somebody put in its place
        'search_path = pg_catalog, pg_temp',
        -- the business day must not depend on where the server happens to stand
        'timezone = ''UTC''',
        'datestyle = ''ISO, YMD''',
        'intervalstyle = ''postgres''',
        'standard_conforming_strings = on',
        'bytea_output = ''hex''',
        'extra_float_digits = 1'
    ] loop
        execute format('alter database %I set ', current_database()) || setting;
        foreach role_name in array array['greenery', 'loader', 'transformer', 'publisher', 'analyst'] loop
            execute format('alter role %I in database %I set ', role_name, current_database()) || setting;
        end loop;
    end loop;

    execute format('revoke all on database %I from public', current_database());
    execute format('grant connect, temporary on database %I to public', current_database());
    execute format('grant create on database %I to transformer, sandbox', current_database());
    -- they had it once: who makes a schema may call it like a log-in, and is asked first by that one's sessions
    execute format('revoke create on database %I from analyst', current_database());
end
$$;

-- The daily run logs in as greenery and must say "set role" before it can touch anything.
-- As reader it writes the report, which must see no more than people do.
grant loader, transformer, publisher, reader to greenery with inherit false, set true;
-- dbt's target published asks for metrics as a reader.
grant reader to analyst with inherit false, set true;

-- It says who keeps it waiting, and since when.
do $$
begin
    grant pg_read_all_stats to greenery;
exception
    when insufficient_privilege then null;
end
$$;

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

-- An analyst reads every schema of ours, and not the catalog's passwords, which pg_read_all_data reads too.
do $$
begin
    if pg_has_role('analyst', 'pg_read_all_data', 'member') then
        revoke pg_read_all_data from analyst;
    end if;
end
$$;
do $$
declare
    owner_name text;
    maker_name text;
    schema_name text;
begin
    for owner_name, schema_name in
        select pg_get_userbyid(nspowner), nspname
        from pg_namespace
        -- untested is made by a migration, which grants the same
        where nspname in ('raw', 'ops', 'staging', 'intermediate', 'snapshots', 'marts_build', 'untested', 'marts')
    loop
        execute format('grant usage on schema %I to analyst', schema_name);
        execute format('grant select on all tables in schema %I to analyst', schema_name);
        -- an administrator's too: what they put there by hand is read as well
        foreach maker_name in array array[owner_name, current_user::text] loop
            execute format(
                'alter default privileges for role %I in schema %I grant select on tables to analyst',
                maker_name, schema_name
            );
        end loop;
    end loop;
end
$$;

-- Schemas of an analyst's own are made for them: only their names are theirs to choose. They belong to
-- analyst, who may drop them.
grant analyst to sandbox with inherit false, set true;
create schema if not exists sandbox authorization sandbox;
grant usage on schema sandbox to analyst;
create or replace procedure sandbox.create_schema(name text)
language plpgsql security definer set search_path = pg_catalog, pg_temp
as $$
begin
    if not starts_with(name, 'dev_') then
        raise exception 'A schema of your own is called dev_<name>, not %.', name
            using errcode = 'invalid_schema_name';
    end if;
    execute format('create schema if not exists %I authorization analyst', name);
end
$$;
comment on procedure sandbox.create_schema is
    'Makes a schema for an analyst, dev_<name>. dbt calls it by itself.';
alter procedure sandbox.create_schema owner to sandbox;
revoke execute on procedure sandbox.create_schema from public;
grant execute on procedure sandbox.create_schema to analyst;

-- What a row is refused for has the row's values in it, and whoever sent it hears so. The server's log
-- need not keep them as well: personal data would outlive its person there.
do $$
declare
    setting text;
begin
    foreach setting in array array[
        'log_min_messages = log', 'log_min_error_statement = panic', 'log_error_verbosity = terse',
        'log_statement = none', 'log_min_duration_statement = -1', 'log_min_duration_sample = -1',
        'log_transaction_sample_rate = 0', 'log_parameter_max_length = 0',
        'log_parameter_max_length_on_error = 0'
    ] loop
        execute format('alter database %I set ', current_database()) || setting;
    end loop;
exception
    when insufficient_privilege then
        raise warning 'The log of this server may keep values of rows that are refused: only its provider can '
            'change that. See "What the server''s log keeps" in docs/operations.md.';
end
$$;

do $$
declare
    found text;
begin
    for found in
        select format('%I of %I', nspname, pg_get_userbyid(nspowner))
        from pg_namespace
        where
            pg_has_role(nspowner, 'analyst', 'member')
            and not starts_with(nspname, 'dev_')
            and not (select rolsuper from pg_roles where pg_roles.oid = nspowner)
            and pg_get_userbyid(nspowner) <> 'sandbox'
    loop
        raise warning 'Look at the schema %: it was made when analysts could choose any name.', found;
    end loop;
end
$$;

reset createrole_self_grant;
reset search_path;
