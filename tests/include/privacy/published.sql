create table marts.dim_users as select * from marts_build.dim_users;
create table marts.dim_addresses as select 'address-anna' as address_id, '12 Acorn Alley' as address;
insert into marts.data_status (mart, last_run_outcome, last_run_at, reason)
    values ('dim_users', 'failed', now(), 'anna@example.com stood in the way');
