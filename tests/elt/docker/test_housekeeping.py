from __future__ import annotations

import os

from elt.docker import housekeeping
from elt.docker.housekeeping import delete_old_files


def test_old_logs_go_with_their_empty_folders_and_new_ones_stay(tmp_path):
    old, new = tmp_path / "run=1" / "task" / "1.log", tmp_path / "run=2" / "1.log"
    for file, age in ((old, 100), (new, 300)):
        file.parent.mkdir(parents=True)
        file.write_text("log")
        os.utime(file, (age, age))
    for folder in (old.parent, old.parent.parent):
        os.utime(folder, (100, 100))
    assert delete_old_files(tmp_path, before=200) == 1
    assert new.exists()
    assert delete_old_files(tmp_path, before=200) == 0


def test_no_setting_deletes_what_airflow_works_with(monkeypatch, capsys):
    monkeypatch.setenv("GREENERY_KEEP_DAYS", "0")
    monkeypatch.setattr(housekeeping, "forget", lambda *_: 0)
    assert housekeeping.main() == 1
    assert "at least 1" in capsys.readouterr().out
