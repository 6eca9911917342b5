"""The materialization incremental_by_key, in a project of three models."""

from __future__ import annotations

import logging
import re
import shutil
import textwrap
from collections.abc import Mapping
from pathlib import Path

import pytest
from sqlfluff.core import FluffConfig, Linter

from elt.airflow.dbt_tasks import FOR_ONE
from tests.dbt.conftest import PROJECT
from tests.dbt.daily import DailyBuild

FILES = {
    "dbt_project.yml": """
        name: small
        profile: greenery
        macro-paths: [macros, materializations]
        flags: {send_anonymous_usage_stats: false}
        vars: {shortest: 0}
        models:
          small:
            +schema: marts_build
            +materialized: incremental_by_key
        """,
    "macros/longest.sql": "{% macro longest() %} 9999 {% endmacro %}",
    "models/about.yml": """
        sources:
          - name: shop
            schema: raw
            tables:
              - name: visits
                config: {meta: {extract: {change_key: [person_id]}}}
        models:
          - name: people
            description: One row per person.
            config:
              unique_key: person_id
              meta:
                build:
                  key: person_id
                  depends_on_changes_of: [{source: visits}]
                  change_key: [visit_count]
          - name: regulars
            config:
              unique_key: visit_count
              indexes: [{columns: [visit_count, person_count]}]
              meta:
                build:
                  key: visit_count
                  depends_on_changes_of: [{model: people}]
        """,
    "models/stg_visits.sql": """
        {{ config(materialized='view', schema='staging') }}
        select visit_id, person_id, seconds from {{ source('shop', 'visits') }}
        where _deleted_at is null
        """,
    "models/people.sql": """
        select person_id, count(*) as visit_count, sum(seconds) as seconds
        from {{ ref('stg_visits') }}
        where {{ only_changed_keys('person_id') }}
            and seconds between {{ var('shortest') }} and {{ longest() }}
        group by 1
        """,
    "models/regulars.sql": """
        select visit_count, count(*) as person_count from {{ ref('people') }}
        where {{ only_changed_keys('visit_count') }}
        group by 1
        """,
}


class Small:
    """The small project and the raw table it reads."""

    def __init__(self, warehouse, folder: Path) -> None:
        self.warehouse, self.folder = warehouse, folder
        for name, text in FILES.items():
            self.write(name, textwrap.dedent(text).strip())
        for copied in ("macros", "materializations"):
            shutil.copytree(PROJECT / copied, folder / copied, dirs_exist_ok=True)
        self.build = DailyBuild(warehouse, folder / "run", folder)
        warehouse.run(
            "set role loader; create table raw.visits (visit_id text primary key, person_id text,"
            " seconds integer, _load_id bigint not null, _deleted_at timestamptz)"
        )

    def write(self, name: str, text: str) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def edit(self, name: str, old: str, new: str) -> None:
        text = (self.folder / name).read_text()
        assert old in text
        self.write(name, text.replace(old, new))

    def load(self, visits: Mapping[str, tuple[str, int] | None]) -> int:
        """Bring visits (id → person and seconds, or None: gone) into raw, as a load does."""
        ((load_id,),) = self.warehouse.run(
            "insert into ops.load (table_name, source_file, started_at, finished_at, status)"
            " values ('visits', 'a file', now(), now(), 'loaded') returning load_id"
        )
        for visit_id, row in visits.items():
            person_id, seconds = row or (None, None)
            values = {"visit": visit_id, "person": person_id, "seconds": seconds, "load": load_id}
            self.warehouse.run(
                "insert into raw.change_log select %(load)s, 'visits', 'update',"
                " jsonb_build_object('person_id', person_id),"
                " jsonb_build_object('person_id', %(person)s::text)"
                " from raw.visits where visit_id = %(visit)s;"
                "delete from raw.visits where visit_id = %(visit)s;"
                "insert into raw.visits select %(visit)s, %(person)s, %(seconds)s, %(load)s"
                " where %(person)s is not null",
                values,
            )
        return load_id

    def people(self) -> list[tuple]:
        return self.warehouse.run("select * from marts_build.people order by 1")

    def regulars(self) -> list[tuple]:
        return self.warehouse.run("select * from marts_build.regulars order by 1")


@pytest.fixture
def small(warehouse, tmp_path) -> Small:
    small = Small(warehouse, tmp_path)
    small.load({"1": ("ann", 10), "2": ("ann", 20), "3": ("bob", 30), "4": ("cat", 40)})
    small.build()
    assert small.people() == [("ann", 2, 30), ("bob", 1, 30), ("cat", 1, 40)]
    assert small.regulars() == [(1, 2), (2, 1)]
    return small


def test_touched_keys_are_made_anew_wherever_a_row_was_and_is(small):
    small.load({"2": ("bob", 20), "4": None, "5": ("dan", 5)})
    small.build()
    assert small.build.built_whole() == set()
    assert small.people() == [("ann", 1, 10), ("bob", 2, 50), ("dan", 1, 5)]
    assert small.regulars() == [(1, 2), (2, 1)]


def test_a_change_leads_through_a_relation_to_a_key_of_another_name(small):
    led = "{%s, column: person_id, through: stg_visits, through_key: seconds}"
    small.edit(
        "models/about.yml",
        "  - name: regulars\n",
        "  - name: lengths\n"
        "    config:\n"
        "      unique_key: length\n"
        "      meta:\n"
        "        build:\n"
        "          key: length\n"
        "          depends_on_changes_of:\n"
        f"            - {led % 'source: visits'}\n"
        f"            - {led % 'model: people'}\n"
        "  - name: regulars\n",
    )
    small.write(
        "models/lengths.sql",
        "with visits as (select * from {{ ref('stg_visits') }}"
        " where {{ only_changed_keys('seconds') }})"
        " select visits.seconds as length, sum(people.visit_count) as visits_of_theirs"
        " from visits inner join {{ ref('people') }} as people using (person_id) group by 1",
    )
    small.build()
    built = "select length, visits_of_theirs::int from marts_build.lengths order by 1"
    assert small.warehouse.run(built) == [(10, 2), (20, 2), (30, 1), (40, 1)]
    small.warehouse.run("update marts_build.lengths set visits_of_theirs = 99 where length = 40")
    small.load({"5": ("ann", 50)})
    small.build()
    assert small.build.built_whole() == set()
    # a third visit of hers is told to all her lengths, and to nobody else's
    assert small.warehouse.run(built) == [(10, 3), (20, 3), (30, 1), (40, 99), (50, 3)]


def test_keys_are_looked_up_at_the_price_of_pages_in_memory(small):
    small.warehouse.run(
        "create table public.taken (cost text); grant insert on public.taken to transformer;"
        "create function public.note() returns trigger language plpgsql as"
        " $$ begin insert into public.taken values (concat_ws(' of ',"
        " current_setting('random_page_cost'), current_setting('seq_page_cost'),"
        " current_setting('enable_mergejoin')));"
        " return null; end $$;"
        "create trigger note after insert on marts_build.people"
        " for each statement execute function public.note()"
    )
    small.load({"1": ("ann", 11)})
    small.build()
    assert small.warehouse.run("select cost from public.taken") == [("0.11 of 0.1 of off",)]


def test_the_sql_that_is_sent_is_in_the_house_style(small, caplog):
    """sqlfluff can't read it where it stands, in blocks of Jinja, which also decide its layout."""
    small.load({"2": ("bob", 20)})
    small.build()
    sent = [re.sub(r"^On \S+: (/\*.*?\*/)?", "", said, flags=re.S) for said in small.build.said]
    ours = {sql for sql in sent if re.search(r"ops\.model_|pg_temp\.|raw\.change_log", sql)}
    assert len(ours) > 10
    caplog.set_level(logging.WARNING, "sqlfluff")
    # dbt quotes the names of its relations; a subquery of one table is taken for one of several; an
    # offset keeps a subquery apart
    others = ("layout", "RF06", "RF02", "AM09")
    excluded = [*FluffConfig.from_root().get("rule_denylist"), *others]
    overrides = {"templater": "raw", "exclude_rules": ",".join(excluded)}
    linter = Linter(FluffConfig.from_root(overrides=overrides))
    found = {
        (problem.rule_code(), problem.desc(), sql)
        for sql in ours
        for problem in linter.lint_string(sql).violations
    }
    assert found == set()


def test_a_task_does_not_list_what_there_is_beside_its_table(small):
    def lists(model: str) -> bool:
        small.build("build", *FOR_ONE, "--select", model)
        return any("from pg_tables" in said for said in small.build.said)

    small.load({"2": ("bob", 20)})
    assert not lists("people")
    # dbt's own materialization of a view does
    assert lists("stg_visits")


def test_what_is_new_is_not_looked_for_among_all_keys_that_are_not_null(small):
    database = small.warehouse.database
    small.warehouse.run(
        # the first can look up keys, the other one can also tell which are not null
        "create index by_key on raw.visits using hash (person_id);"
        "create index by_null on raw.visits using brin (person_id);"
        f"alter database {database} set enable_seqscan = off;"
        f"alter database {database} set enable_hashjoin = off;"
        f"alter database {database} set enable_mergejoin = off"
    )
    small.load({"3": ("bob", 31)})
    small.build()
    assert small.people() == [("ann", 2, 30), ("bob", 1, 31), ("cat", 1, 40)]
    used = small.warehouse.run(
        "select indexrelname from pg_stat_user_indexes"
        " where indexrelname in ('by_key', 'by_null') and idx_scan > 0"
    )
    assert used == [("by_key",)]


def test_keys_that_nobody_touched_are_not_computed(small):
    small.warehouse.run("update marts_build.people set seconds = 77 where person_id = 'cat'")
    small.load({"1": ("ann", 11)})
    small.build()
    assert small.people() == [("ann", 2, 31), ("bob", 1, 30), ("cat", 1, 77)]


def test_a_model_with_a_key_that_reads_everything_is_refused_by_name(small):
    small.edit("models/people.sql", "where {{ only_changed_keys('person_id') }}\n    and", "where")
    for arguments in ((), ("--full-refresh",)):
        with pytest.raises(
            AssertionError,
            match=r"people has the key person_id but reads .*only_changed_keys\('person_id'\)",
        ):
            small.build("run", *arguments)
    assert small.people() == [("ann", 2, 30), ("bob", 1, 30), ("cat", 1, 40)]


def test_a_row_of_a_key_that_nobody_touched_is_not_inserted_again(small):
    more = "union all select 'cat', 1, 40 from {{ ref('stg_visits') }} where visit_id = '4'"
    small.edit("models/people.sql", "group by 1", f"and person_id <> 'cat' group by 1 {more}")
    small.build()
    small.load({"1": ("ann", 11)})
    with pytest.raises(AssertionError, match=r"people.*duplicate key .*\(person_id\)=\(cat\)"):
        small.build()
    assert small.people() == [("ann", 2, 30), ("bob", 1, 30), ("cat", 1, 40)]


def test_two_rows_of_one_key_are_refused(small):
    small.edit("models/people.sql", "group by 1", "group by 1, visit_id")
    with pytest.raises(AssertionError, match=r"people.*\(person_id\)=\(ann\) is duplicated"):
        small.build()
    assert small.people() == [("ann", 2, 30), ("bob", 1, 30), ("cat", 1, 40)]


def test_rows_that_come_out_as_they_were_are_no_news_downstream(small):
    small.load({"1": ("ann", 20), "2": ("ann", 10)})
    small.warehouse.run("update marts_build.regulars set person_count = 77")
    small.build()
    assert small.regulars() == [(1, 77), (2, 77)]
    assert small.warehouse.run("select * from ops.model_change") == []


def test_who_reads_keys_alone_hears_of_no_other_column(small):
    small.edit("models/about.yml", "{model: people}", "{model: people, reads: key}")
    small.build()
    small.warehouse.run("update marts_build.regulars set person_count = 77")
    small.load({"1": ("ann", 11)})
    small.build()
    assert small.people()[0] == ("ann", 2, 31)
    assert small.regulars() == [(1, 77), (2, 77)]
    # bob's count goes from 1 to 2; where it was and where it is are counted anew
    small.load({"5": ("bob", 5)})
    small.build()
    assert small.regulars() == [(1, 1), (2, 2)]
    small.load({"6": ("dan", 5), "7": ("dan", 5), "8": ("dan", 5)})
    small.build()
    assert small.regulars() == [(1, 1), (2, 2), (3, 1)]


def test_a_run_reads_up_to_its_horizon_and_the_next_one_goes_on_from_there(small):
    first = small.load({"1": ("ann", 100)})
    small.load({"3": ("bob", 300)})
    small.warehouse.run(
        "insert into ops.run_lease (run_id, taken_at, expires_at, horizon_load_id)"
        " values ('a run', now(), now(), %s)",
        [first],
    )
    small.build()
    assert small.people() == [("ann", 2, 120), ("bob", 1, 30), ("cat", 1, 40)]
    small.warehouse.run("update ops.run_lease set horizon_load_id = 99")
    small.build()
    assert small.people() == [("ann", 2, 120), ("bob", 1, 300), ("cat", 1, 40)]


def test_a_build_that_fails_leaves_the_watermark_where_it_was(small):
    small.load({"1": ("ann", 100)})
    small.warehouse.run(
        "alter table marts_build.people add constraint small check (seconds < 100) not valid"
    )
    with pytest.raises(AssertionError, match="small"):
        small.build()
    small.warehouse.run("alter table marts_build.people drop constraint small")
    small.build()
    assert small.people()[0] == ("ann", 2, 120)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new", "whole"),
    [
        pytest.param(
            "models/people.sql", "sum(seconds)", "max(seconds)", {"people", "regulars"}, id="SQL"
        ),
        pytest.param(
            *("models/stg_visits.sql", "seconds from", "seconds * 2 as seconds from"),
            {"people", "regulars"},
            id="upstream view",
        ),
        pytest.param("macros/longest.sql", "9999", "9998", {"people", "regulars"}, id="macro"),
        pytest.param(
            "dbt_project.yml", "shortest: 0", "shortest: 1", {"people", "regulars"}, id="variable"
        ),
        pytest.param(
            *("models/about.yml", "[visit_count, person_count]", "[person_count]"),
            {"regulars"},
            id="index",
        ),
        pytest.param(
            *("models/about.yml", "[person_id]", "[person_id, visit_id]"),
            {"people", "regulars"},
            id="change key of a source",
        ),
        pytest.param("models/about.yml", "per person", "per human", set(), id="description"),
    ],
)
def test_what_it_is_made_from_decides_whether_it_is_built_whole(small, file, old, new, whole):
    small.edit(file, old, new)
    small.build()
    assert small.build.built_whole() == whole
    small.build()
    assert small.build.built_whole() == set()


def test_a_new_column_is_filled_in_old_rows(small):
    small.edit("models/people.sql", "as visit_count,", "as visit_count, 'old' as kind,")
    small.build()
    assert small.people()[0] == ("ann", 2, "old", 30)


def test_a_new_index_is_made(small):
    small.edit("models/about.yml", "[visit_count, person_count]", "[person_count]")
    small.build()
    assert small.warehouse.run(
        "select count(*) from pg_indexes where tablename = 'regulars'"
        " and indexdef like '%%(person_count)'"
    ) == [(1,)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "done",
    [
        pytest.param("drop table marts_build.people", id="gone"),
        pytest.param(
            "create table marts_build.other as select * from marts_build.people limit 1;"
            "drop table marts_build.people; alter table marts_build.other rename to people;"
            "alter table marts_build.people owner to transformer",
            id="made by hand",
        ),
        pytest.param(
            "drop table marts_build.people; create view marts_build.people as select 1 as one;"
            "alter view marts_build.people owner to transformer",
            id="a view",
        ),
        pytest.param("update ops.model_state set definition_hash = null", id="asked for"),
        pytest.param("delete from ops.model_watermark where model = 'people'", id="never read"),
        pytest.param(
            "insert into ops.model_state (model, version, changes_since) values"
            " ('raw.visits', 0, 99)",
            id="changes are pruned",
        ),
    ],
)
def test_what_was_done_to_it_is_mended_by_a_whole_build(small, done):
    small.warehouse.run(done)
    small.build()
    assert "people" in small.build.built_whole()
    assert small.people() == [("ann", 2, 30), ("bob", 1, 30), ("cat", 1, 40)]
    assert "regulars" in small.build.built_whole()


def test_a_table_that_is_dropped_while_others_are_built_is_built_anew(small):
    small.edit(
        "models/people.sql",
        "select person_id",
        """
        {{ config(post_hook='drop table if exists marts_build.regulars') }}
        select person_id""",
    )
    small.build()
    assert small.build.built_whole() == {"people", "regulars"}
    assert small.regulars() == [(1, 2), (2, 1)]


def test_a_watermark_from_the_future_is_an_error_that_names_the_model(small):
    small.warehouse.run("update ops.model_watermark set position = 99 where source = 'raw.visits'")
    with pytest.raises(AssertionError, match=r"watermark of people on raw.visits is 99, but .* 1"):
        small.build()
    small.build("run", "--full-refresh")
    small.build()
    assert small.build.built_whole() == set()
