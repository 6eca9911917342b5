"""Where we reach into dbt: what each of its commands does over and over that our tasks do not need.

Together it is more than a third of a task's CPU time, and no setting of dbt's leaves it out.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from include.transform.manifest import newest_manifest


def make_dbt_quicker() -> None:
    """Have the commands of dbt in this process leave out what the run does not need.

    A complete manifest, written twice in each command: the small one of the run is put in its
    place, for Cosmos fails where there is none. And a look at the source of every caller, once for
    each of the adapter's flags, to name a default that nobody reads.
    """
    from dbt.parser import manifest as parser
    from dbt.task import runnable
    from dbt_common.behavior_flags import BehaviorFlagRendered

    write = parser.write_manifest

    def write_small(manifest: Any, target_path: str, *which: Any) -> None:
        if small := newest_manifest():
            Path(target_path).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(small, Path(target_path, "manifest.json"))
        else:
            write(manifest, target_path, *which)

    parser.write_manifest = write_small
    runnable.write_manifest = write_small
    BehaviorFlagRendered._default_source = staticmethod(lambda: "dbt.adapters")
