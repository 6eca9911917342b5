-- marts as large as %(events)s events make them in the demo shop, and what a year of runs leaves in ops
set role publisher;
create table marts.dim_products as
    select 'p' || n as product_id, 'Product ' || n as product_name, 10.0 + n %% 90 as price_usd,
        n * 7 %% 400 as inventory_count
    from generate_series(1, %(products)s) as n;
create table marts.dim_promos as
    select 'promo ' || n as promo_id, n as discount_usd from generate_series(1, 6) as n;
create table marts.fct_user_sessions as
    select 's' || n as session_id, (random() * 600)::bigint as duration_seconds,
        random() < 0.6 as is_converted
    from generate_series(1, %(events)s / 6) as n;
create table marts.fct_page_views as
    select 'o' || n as order_id, event_type, 3 as event_count, (random() * 200)::bigint as duration_seconds
    from generate_series(1, %(events)s / 10) as n
    cross join unnest(array['page_view', 'add_to_cart', 'checkout']) as event_type;
create table marts.fct_daily_performance_by_product as
    select date '2026-11-19' - day as date_day, 'p' || n as product_id, 20 as page_view_count,
        5 as add_to_cart_count, 3 as order_count, 4 as unit_count, round(random()::numeric * 300, 2) as revenue_usd
    from generate_series(0, %(days)s - 1) as day
    cross join generate_series(1, %(products)s) as n;
create table marts.fct_product_conversion as
    select 'p' || n as product_id, 'Product ' || n as product_name, 1000 as viewed_session_count,
        600 as carted_session_count, n %% 500 as purchased_session_count, (n %% 500) / 1000.0 as conversion_rate
    from generate_series(1, %(products)s) as n;
create table marts.fct_product_funnel as
    select * from (values ('page_view', 1, 900, 1.0, null), ('add_to_cart', 2, 700, 0.8, 0.8),
        ('checkout', 3, 500, 0.6, 0.7)) as steps (step, step_number, session_count, rate_of_first, rate_of_previous);
create table marts.fct_repeat_indicators as
    select 'band ' || n %% 8 as indicator, 'value ' || n as value, 1000 + n as buyer_count,
        700 + n as repeat_buyer_count, 0.7 as repeat_rate, 1.0 as lift
    from generate_series(1, 30) as n;
create table marts.fct_kpis as
    select metric, 100.0 as numerator, 200 as denominator, 0.5 as value, 'share' as unit, '' as description
    from unnest(array['average_session_seconds', 'sessions', 'conversion_rate', 'repeat_rate', 'on_time_rate',
        'average_delivery_seconds', 'promo_order_rate']) as metric;
create table marts.fct_metric_daily as
    select date '2026-11-19' - day as metric_date, metric, dimension, value_name as dimension_value,
        100.0 + day as numerator, 200::bigint as denominator, round(random()::numeric, 4) as value
    from generate_series(0, %(days)s - 1) as day
    cross join lateral (
        select 'all' as dimension, 'all' as value_name
        union all select 'state', 'state ' || n from generate_series(1, 50) as n
        union all select 'shipping_service', 'service ' || n from generate_series(1, 4) as n
        union all select 'promo', 'promo ' || n from generate_series(1, 6) as n
        union all select 'product', 'p' || n from generate_series(1, %(products)s) as n
    ) as dimensions
    cross join unnest(array['session_length', 'sessions', 'conversion_rate', 'orders', 'revenue', 'on_time_rate',
        'page_views', 'units', 'delivery_time', 'average_order']) as metric;
insert into marts.data_status (mart, data_as_of, published_at, last_run_outcome, last_run_at)
    select tablename, now(), now(), 'published', now() from pg_tables
    where schemaname = 'marts' and tablename <> 'data_status';
reset role;
insert into ops.node_result (run_id, task_id, try_number, unique_id, kind, status, execution_seconds, finished_at)
    select 'run ' || run, 't' || node, 1, case when node <= 40 then 'model' else 'test' end || '.shop.n' || node,
        case when node <= 40 then 'model' else 'test' end, case when node <= 40 then 'success' else 'pass' end,
        random(), now() - run * interval '1 day'
    from generate_series(0, 364) as run cross join generate_series(1, 320) as node;
insert into ops.load (table_name, source_file, rows_read, rows_inserted, started_at, finished_at, status)
    select 'table ' || n, 'file', 100, 100, now() - run * interval '1 day', now() - run * interval '1 day', 'loaded'
    from generate_series(0, 364) as run cross join generate_series(1, 7) as n;
analyze;
