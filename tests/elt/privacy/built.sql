create table marts_build.dim_users as select user_id, email, address_id from raw.users;
create table marts_build.fct_order_items as select order_id, product_id from raw.order_items;
create table marts_build.fct_kpis as select 'users' as metric, count(*) as value from raw.users;
create table intermediate.int_page_views as select event_id, session_id from raw.events;
create table snapshots.users_history as select user_id, email, now() as dbt_valid_from from raw.users;
create table snapshots.orders_history as select order_id, status as order_status from raw.orders;
create view staging.stg_users as select user_id from raw.users;
create unlogged table untested.dim_users as select user_id, email from raw.users;
