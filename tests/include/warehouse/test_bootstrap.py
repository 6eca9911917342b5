from __future__ import annotations


def test_a_days_rows_are_looked_up_by_their_keys_and_the_history_is_not_read(warehouse):
    warehouse.run(
        "create table history as select md5(n::text) as id, repeat('x', 200) as words"
        " from generate_series(1, 100000) as n;"
        "alter table history add primary key (id);"
        "create table touched as select id from history limit 2000;"
        "analyze history, touched"
    )
    plan = warehouse.run("explain select * from history where id in (select id from touched)")
    assert "Seq Scan on history" not in str(plan)
