from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from elt.docker.checks import gist

ROOT = Path(__file__).parents[3]
BROKEN_MODEL = """Traceback (most recent call last):
  File "/opt/airflow/dags/greenery_elt.py", line 55, in greenery_elt
    freshness = freshness_task("check_freshness")
elt.transform.project.BrokenProjectError: dbt can't parse greenery:
Compilation Error
  Model 'broken' depends on a node named 'no_such' which was not found
"""


def test_a_broken_dag_file_is_told_with_its_line_and_error(tmp_path):
    (tmp_path / "shop.py").write_text("from airflow.sdk import dag\n\nno_such_thing()\n")
    done = subprocess.run(
        [sys.executable, "-m", "elt.docker.checks", "dags"],
        cwd=ROOT,
        env={**os.environ, "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    told = done.stderr
    assert f"{tmp_path}/shop.py can't be read, so its DAG does not run" in told
    assert "line 3" in told
    assert "NameError: name 'no_such_thing' is not defined" in told
    assert "Traceback" not in told


def test_a_broken_model_is_told_in_the_words_of_dbt():
    assert gist(BROKEN_MODEL) == (
        "dbt can't parse greenery:\nCompilation Error\n"
        "  Model 'broken' depends on a node named 'no_such' which was not found"
    )
