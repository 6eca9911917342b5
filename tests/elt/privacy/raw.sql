insert into raw.addresses (address_id, address, state, _load_id) values
    ('address-anna', '12 Acorn Alley', 'Ohio', 1), ('address-shared', '1 Main Street', 'Utah', 1),
    ('address-bob', '2 Main Street', 'Utah', 1);
insert into raw.users (user_id, first_name, last_name, email, phone_number, created_at, address_id, _load_id)
values
    ('user-anna-0001', 'Annabella', 'Quidditch', 'anna@example.com', '555-0101', now(), 'address-shared', 1),
    ('user-bob-0002', 'Robert', 'Plant', 'bob@example.com', '555-0102', now(), 'address-bob', 1);
insert into raw.orders (order_id, user_id, address_id, created_at, _load_id) values
    ('order-anna-1', 'user-anna-0001', 'address-anna', now(), 1),
    ('order-anna-2', 'user-anna-0001', 'address-shared', now(), 1),
    ('order-bob-1', 'user-bob-0002', 'address-shared', now(), 1);
update raw.orders set _deleted_at = now() where order_id = 'order-anna-2';
insert into raw.order_items (order_id, product_id, quantity, _load_id) values
    ('order-anna-1', 'fern', 1, 1), ('order-anna-2', 'fern', 1, 1), ('order-bob-1', 'fern', 1, 1),
    ('order-anna-3', 'fern', 1, 1);
insert into raw.events (event_id, session_id, user_id, order_id, created_at, _load_id) values
    ('event-anna-1', 's1', 'user-anna-0001', 'order-anna-1', now(), 1),
    ('event-bob-1', 's2', 'user-bob-0002', 'order-bob-1', now(), 1);
insert into ops.load
    (load_id, table_name, source_file, source_columns, started_at, finished_at, status, rows_read, rows_quarantined)
    overriding system value values
    (1, 'users', 'users.csv', '{user_id,first_name,last_name,email,phone_number,created_at,updated_at,address_id}',
     now(), now(), 'loaded', 3, 3),
    (2, 'orders', 'orders.csv', '{order_id,user_id,status}', now(), now(), 'loaded', 2, 2);
select setval(pg_get_serial_sequence('ops.load', 'load_id'), 10);
insert into ops.quarantine (load_id, table_name, source_file, row_text, reason, row_key, resolved_at, resolution)
values
    (1, 'users', 'users.csv', 'user-anna-0001,Annabella,Quidditch,anna@example.com,1,nonsense,,', 'r',
     '{"user_id": "user-anna-0001"}', null, null),
    -- her key can't be read, her address of e-mail can
    (1, 'users', 'users.csv', '?,A"nn"a,anna@example.com', 'r', null, now(), 'superseded'),
    (1, 'users', 'users.csv', 'user-bob-0002,Robert,Plant,bob@example.com,1,nonsense,,', 'r',
     '{"user_id": "user-bob-0002"}', null, null),
    -- its lines are no longer in quarantine
    (2, 'orders', 'orders.csv', 'order-anna-3,user-anna-0001,lost', 'r', '{"order_id": "order-anna-3"}', null, null),
    (2, 'orders', 'orders.csv', 'order-bob-2,user-bob-0002,lost', 'r', '{"order_id": "order-bob-2"}', null, null);
insert into ops.task_failure (run_id, task_id, try_number, message) values
    ('run', 'a', 1, 'anna@example.com is no number, nor is bob@example.com');
insert into ops.notification (notification_key, run_id, payload, state) values
    ('key', 'run', '{"text": "Quidditch", "blocks": [{"n": 4, "text": "order-anna-1, order-bob-1"}]}', 'sent');
insert into ops.node_result (run_id, task_id, try_number, unique_id, kind, status, message) values
    ('run', 'a', 1, 'x', 'test', 'fail', 'user-anna-0001-b is another one, user-anna-0001 is she');
insert into ops.load
    (table_name, source_file, started_at, finished_at, status, error)
    values ('users', 'users.csv', now(), now(), 'failed', 'line 2: 555-0101');
