"""A worker whose image was built before the warehouse's last migration was written."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator

from tests.docker.stack import Stack


@contextlib.contextmanager
def worker_of_an_older_image(stack: Stack, like: str) -> Iterator[str]:
    """Have a worker as on a machine that was left behind: what it runs, its image alone has.

    Args:
        like: the container of a worker, whose settings and secrets it has.

    Yields:
        The id of its container.
    """
    name = f"{stack.project}-older"
    folder = stack.folder.with_name("older")
    shutil.copytree(stack.folder, folder)
    newest = max(folder.glob("include/elt/warehouse/migrations/*.sql"))
    newest.unlink()
    now = json.loads(subprocess.check_output(["docker", "inspect", like]))[0]
    try:
        image = os.environ.get("AIRFLOW_IMAGE")
        subprocess.run(
            [
                *("docker", "build", "--quiet", "--tag", name, "--build-arg", "EXTRAS=celery"),
                *(("--build-arg", f"AIRFLOW_IMAGE={image}") if image else ()),
                str(folder),
            ],
            check=True,
            capture_output=True,
        )
        volumes = [mount for mount in now["Mounts"] if mount["Type"] == "volume"]
        first, *entrypoint = now["Config"]["Entrypoint"]
        container = subprocess.check_output(
            [
                *("docker", "run", "--detach", "--entrypoint", first, "--name", name),
                *("--network", *now["NetworkSettings"]["Networks"]),
                *("--add-host", "host.docker.internal:host-gateway"),
                *(f"--volume={one['Name']}:{one['Destination']}:ro" for one in volumes),
                *(f"--env={variable}" for variable in now["Config"]["Env"]),
                *(name, *entrypoint, *now["Config"]["Cmd"]),
            ],
            text=True,
        )
        yield container
    finally:
        for thing in ("container", "image"):
            command = ["docker", thing, "rm", "--force", name]
            subprocess.run(command, check=False, capture_output=True)
        shutil.rmtree(folder)
