-- dbt makes the indexes of a snapshot with its table and never again. Nobody looks up hashes any more.
set local role transformer;

do $$
declare
    hash_index text;
begin
    for hash_index in
        select format('%I.%I', nspname, relname)
        from pg_index
        inner join pg_class on pg_class.oid = indexrelid
        inner join pg_namespace on pg_namespace.oid = relnamespace
        inner join pg_attribute on attrelid = indexrelid
        where nspname = 'snapshots' and attname = 'dbt_scd_id'
    loop
        execute 'drop index ' || hash_index;
    end loop;
end $$;
