-- What an analyst may put into a schema so that a session of somebody else takes it for the catalog's or
-- ours: functions, operators, casts, types, tables. Whatever of it is run or read moves the sequence on,
-- which no rollback takes back.
do $$
declare
    place text := current_setting('trap.schema');
    one record;
begin
    execute format('create sequence %I.caught', place);
    execute format(
        'create function %I.caught() returns boolean language plpgsql security definer as '
        '$f$ begin perform pg_catalog.nextval(%L); return true; end $f$',
        place, format('%I.caught', place)
    );
    execute format('grant usage on schema %I to public', place);

    -- functions of the catalog's names, each with types that fit better than the catalog's own
    for one in
        with better (declared, fits) as (
            values ('text'::regtype, 'varchar'::regtype), ('bigint', 'integer'), ('"any"', 'text'),
            ('anyelement', 'text'), ('name', 'text'), ('regclass', 'text'), ('numeric', 'integer'),
            ('double precision', 'numeric'), ('anycompatible', 'text'), ('oid', 'integer')
        ),
        wanted as (
            select
                proname,
                array(
                    select coalesce(fits, declared.type::regtype)::text
                    from unnest(proargtypes::oid[]) with ordinality as declared (type, position)
                    left join better on better.declared = declared.type
                    order by position
                ) as arguments
            from pg_proc
            where pronamespace = 'pg_catalog'::regnamespace and prokind in ('f', 'a') and pronargs between 1 and 3
        )
        select distinct proname, arguments
        from wanted
        where not exists (
            select from unnest(arguments) as argument
            where argument ~ '^any|^"any|^internal|^cstring|^record|^trigger|^event|handler$'
        )
    loop
        begin
            execute format(
                'create function %1$I.%2$I(%3$s) returns text language sql as $f$ select %1$I.caught()::text $f$',
                place, one.proname, array_to_string(one.arguments, ', ')
            );
        exception when others then null;
        end;
    end loop;

    -- operators between types of which the catalog has none
    for one in
        select operator, left_type, right_type
        from unnest(array['=', '<>', '<', '>', '<=', '>=', '||', '->>', '@>', '~']) as operator
        cross join unnest(array[
            'text', 'varchar', 'name', 'integer', 'bigint', 'numeric', 'date', 'timestamptz', 'oid',
            'regclass', 'regnamespace', 'jsonb', '"char"'
        ]) as left_type
        cross join unnest(array[
            'text', 'varchar', 'name', 'integer', 'bigint', 'numeric', 'date', 'timestamptz', 'oid',
            'regclass', 'regnamespace', 'jsonb', '"char"'
        ]) as right_type
    loop
        begin
            if to_regprocedure(format('%I.caught_by(%s, %s)', place, one.left_type, one.right_type)) is null then
                execute format(
                    'create function %1$I.caught_by(%2$s, %3$s) returns boolean language sql as '
                    '$f$ select %1$I.caught() $f$', place, one.left_type, one.right_type
                );
            end if;
            execute format(
                'create operator %1$I.%2$s (leftarg = %3$s, rightarg = %4$s, function = %1$I.caught_by)',
                place, one.operator, one.left_type, one.right_type
            );
        exception when others then null;
        end;
    end loop;

    -- a type that everything becomes by itself, and functions that take it
    execute format('create type %I.anything as (it text)', place);
    execute format(
        'create function %1$I.become(text) returns %1$I.anything language sql as '
        '$f$ select case when %1$I.caught() then row($1)::%1$I.anything end $f$', place
    );
    execute format(
        'create cast (text as %1$I.anything) with function %1$I.become(text) as implicit', place
    );

    -- tables of the catalog's names and of ours, which move the sequence on when they are read
    for one in
        select distinct relname
        from pg_class
        where relkind in ('r', 'v', 'p') and relnamespace::regnamespace::text in (
            'pg_catalog', 'information_schema', 'raw', 'ops', 'marts', 'staging'
        )
        union
        select unnest(array['orders', 'users', 'events', '_new', 'keys_to_rebuild', 'new_rows', 'untested_keys'])
    loop
        execute format(
            'create view %1$I.%2$I as select %1$I.caught() as caught where %1$I.caught()', place, one.relname
        );
        execute format('grant select on %I.%I to public', place, one.relname);
    end loop;
end
$$;
