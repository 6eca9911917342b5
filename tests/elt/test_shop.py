"""A shop's own settings, and that nothing of the shop's stands elsewhere in the engine."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
import yaml

from elt.shop import FILE, SHOP, VARIABLE, ShopError, read_shop

ENGINE = FILE.parents[1] / "include" / "elt"
SETTINGS = {
    "title": "Bookshop",
    "dag_id": "bookshop_elt",
    "dbt_project": "dbt/books",
    "contracts": "models/staging/_sources.yml",
}


@pytest.fixture
def file(tmp_path):
    (tmp_path / "config").mkdir()
    return tmp_path / "config" / "shop.yml"


def test_paths_begin_at_the_folder_above_the_file(file, tmp_path):
    file.write_text(yaml.safe_dump(SETTINGS))
    shop = read_shop(file)
    assert shop.dbt_project == tmp_path / "dbt" / "books"
    assert shop.contracts == tmp_path / "dbt" / "books" / "models/staging/_sources.yml"
    assert shop.kpis is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (yaml.safe_dump({**SETTINGS, "titel": "x"}), "unknown titel. The keys are title, dag_id"),
        (yaml.safe_dump({**SETTINGS, "title": " "}), "`title` must be a text, and is ' '"),
        (yaml.safe_dump({**SETTINGS, "dag_id": 7}), "`dag_id` must be a text, and is 7"),
        (yaml.safe_dump({k: v for k, v in SETTINGS.items() if k != "contracts"}), "`contracts`"),
        ("", "`key: value` lines"),
        ("title: [", "is not valid YAML"),
    ],
)
def test_what_is_wrong_is_said_with_file_and_key(file, text, said):
    file.write_text(text)
    with pytest.raises(ShopError, match=re.escape(said)) as error:
        read_shop(file)
    assert str(file) in str(error.value)


def test_a_file_that_is_not_there_is_named(file):
    with pytest.raises(ShopError, match=f"{re.escape(str(file))} can't be read: No such file"):
        read_shop(file)


def test_another_file_is_named_by_a_variable(file):
    file.write_text(yaml.safe_dump(SETTINGS))
    said = subprocess.run(
        [sys.executable, "-c", "from elt.shop import SHOP; print(SHOP.title, SHOP.dag_id)"],
        env={**os.environ, VARIABLE: os.path.relpath(file)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout == "Bookshop bookshop_elt\n"


def test_the_engine_names_nothing_of_the_shop():
    own = [SHOP.title, SHOP.dag_id, SHOP.dbt_project.name + "/", SHOP.contracts.name, SHOP.kpis]
    # the product is called like its first shop, in the names of variables, log-ins and connections
    words = "|".join(map(re.escape, own))
    found = [
        f"{file.relative_to(ENGINE)}: {line.strip()}"
        for file in sorted(ENGINE.rglob("*.py"))
        for line in file.read_text().splitlines()
        if re.search(rf"\b(?:{words})", line) and "/opt/" not in line
    ]
    assert found == []
