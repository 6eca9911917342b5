from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elt.transform.lineage import (
    Lineage,
    held_back,
    models_after_tests,
    put_tests_before_what_depends,
)


def lineage(
    models: dict[str, list[str]], tests: dict[str, tuple[str | None, list[str]]]
) -> Lineage:
    """Models and their parents; tests with the model they hang on (or None) and their parents."""
    nodes = {
        model: {"resource_type": "model", "depends_on": {"nodes": parents}}
        for model, parents in models.items()
    }
    for test, (attached, parents) in tests.items():
        nodes[test] = {
            "resource_type": "test",
            "attached_node": attached,
            "depends_on": {"nodes": parents},
        }
    return Lineage({"sources": {}, "nodes": nodes})


SHOP = {
    "orders": [],
    "users": [],
    "fct_orders": ["orders"],
    "dim_users": ["users"],
    "fct_user_orders": ["fct_orders", "dim_users"],
}


def test_a_relationships_test_holds_back_what_depends_on_the_child_alone():
    shop = lineage(SHOP, {"has_user": ("orders", ["orders", "users"])})
    assert held_back("has_user", shop) == {"fct_orders", "fct_user_orders"}


def test_a_node_needs_what_it_and_its_tests_are_made_from_and_nothing_else():
    shop = lineage(SHOP, {"has_user": ("orders", ["orders", "users"])})
    assert shop.needed_for("fct_orders") == {"fct_orders", "orders"}
    assert shop.needed_for("orders") == {"orders", "has_user", "users"}
    assert shop.needed_for("has_user") == {"orders", "has_user", "users"}
    assert {*shop.part_of("dim_users")["nodes"]} == {"dim_users", "users"}


def test_a_test_in_a_file_holds_back_what_depends_on_anything_it_reads():
    shop = lineage(SHOP, {"sums": (None, ["fct_orders", "dim_users"])})
    assert held_back("sums", shop) == {"fct_user_orders"}


def test_a_test_that_compares_a_model_with_its_own_source_tests_the_model():
    shop = lineage(SHOP, {"complete": (None, ["orders", "fct_orders"])})
    assert held_back("complete", shop) == {"fct_user_orders"}


def test_a_test_never_holds_back_what_it_reads_or_what_that_is_built_from():
    shop = lineage(SHOP, {"agrees": (None, ["orders", "fct_user_orders"])})
    assert held_back("agrees", shop) == set()


def test_of_two_tests_that_want_to_wait_for_each_other_one_gives_way():
    models = {"a": [], "b": ["n"], "c": [], "m": ["a"], "n": ["c"]}
    shop = lineage(
        models, {"t1": ("a", ["a", "b"]), "t2": ("m", ["m", "c"]), "t3": (None, ["m", "c"])}
    )
    found = models_after_tests(["t1", "t2", "t3"], shop)
    assert found == {"t1": ["m"], "t2": [], "t3": []}


@given(st.data())
def test_the_arrows_never_make_a_circle(data):
    size = data.draw(st.integers(2, 9))
    models = {
        f"m{i}": data.draw(st.lists(st.sampled_from([f"m{j}" for j in range(i)]), unique=True))
        if i
        else []
        for i in range(size)
    }
    pairs = st.lists(st.sampled_from(sorted(models)), min_size=2, max_size=3, unique=True)
    tests = {}
    for i in range(data.draw(st.integers(1, 5))):
        parents = data.draw(pairs)
        tests[f"t{i}"] = (data.draw(st.sampled_from([None, parents[0]])), parents)
    shop = lineage(models, tests)
    waits_for = {node: set(parents) for node, parents in shop.parents.items()}
    for test, held in models_after_tests(tests, shop).items():
        for model in held:
            waits_for[model].add(test)
    done: set[str] = set()
    while len(done) < len(waits_for):
        ready = {node for node, before in waits_for.items() if node not in done and before <= done}
        assert ready, f"a circle among {set(waits_for) - done}"
        done |= ready


@pytest.mark.parametrize("test", ["t1"])
def test_only_what_is_a_descendant_is_held_back(test):
    shop = lineage({"a": [], "b": [], "c": ["a"], "d": ["b"]}, {"t1": ("a", ["a", "b"])})
    assert models_after_tests([test], shop) == {"t1": ["c"]}


class Counted(dict):
    """A dictionary that counts how often it is asked."""

    def __init__(self, inner: dict[str, list[str]], asked: list[str]) -> None:
        super().__init__(inner)
        self.asked = asked

    def __getitem__(self, key: str) -> list[str]:
        self.asked.append(key)
        return super().__getitem__(key)


def test_to_put_a_test_before_many_models_looks_at_each_a_few_times():
    count, group = 200, 10
    models = {
        f"m{i:03}": [f"m{i // group * group - 1:03}"] if i >= group else [] for i in range(count)
    }
    tests = {
        f"test.{i:03}": (f"m{i:03}", [*models[f"m{i:03}"], f"m{i:03}"])
        for i in range(group - 1, count, group)
    }
    shop = lineage(models, tests)
    asked: list[str] = []
    shop.children = Counted(shop.children, asked)
    shop.parents = Counted(shop.parents, asked)

    class Task(set):
        def __rshift__(self, other: Task) -> None:
            self.add(id(other))

    tasks = {node: Task() for node in shop.nodes}
    put_tests_before_what_depends(tasks, shop)
    # each test before the ten models of the group that comes next
    assert [len(tasks[test]) for test in sorted(tests)] == [group] * (count // group - 1) + [0]
    assert len(asked) < 3 * len(shop.nodes) * len(tests)
