create table marts.dim_users as select * from marts_build.dim_users;
create table marts.dim_addresses as select 'address-anna' as address_id, '12 Acorn Alley' as address;
insert into marts.data_status (mart, last_run_outcome, last_run_at, reason)
    values ('dim_users', 'failed', now(), 'anna@example.com stood in the way');
-- by these the last publication can be undone; the second row was not there before it
insert into ops.row_before (publication_id, mart, row_key, row_data) values
    (1, 'dim_users', '{"user_id": "user-anna-0001"}', '{"user_id": "user-anna-0001", "email": "anna@example.com"}'),
    (1, 'fct_orders', '{"order_id": "order-anna-1"}', null),
    (1, 'fct_orders', '{"order_line": 1}', '{"order_line": 1, "order_id": "order-anna-2"}'),
    (1, 'dim_users', '{"user_id": "user-bob-0002"}', '{"user_id": "user-bob-0002", "email": "bob@example.com"}');
insert into ops.mart_before (mart, publication_id, change, status)
    values ('dim_users', 1, 'rows', '{"mart": "dim_users", "reason": "anna@example.com stood in the way"}');
