"""Look whether the manifests here are valid, and agree with each other and with the values.

``python deploy/kubernetes/validate.py`` prints what is wrong and ends with 1, or says nothing. The
chart itself is not rendered: that takes helm.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
VERSION = "1.33"
# the key that the chart reads of each secret that a value names
CHART_KEYS = {
    "fernetKeySecretName": "fernet-key",
    "apiSecretKeySecretName": "api-secret-key",
    "jwtSecretName": "jwt-secret",
}


def manifests(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield what is applied to a cluster as it stands."""
    for name in ("secrets.example.yaml", "pod-template.yaml"):
        yield from yaml.safe_load_all((folder / name).read_text())


def asked_for(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each secret, and the key of it, that values and pod template name."""
    values = yaml.safe_load((folder / "values.yaml").read_text())
    yield values["data"]["metadataSecretName"], "connection"
    for value, key in CHART_KEYS.items():
        yield values[value], key
    for one in values["secret"]:
        yield one["secretName"], one["secretKey"]
    pod = yaml.safe_load((folder / "pod-template.yaml").read_text())
    for container in pod["spec"]["containers"]:
        for variable in container["env"]:
            if "valueFrom" in variable:
                named = variable["valueFrom"]["secretKeyRef"]
                yield named["name"], named["key"]


def faults(folder: Path = FOLDER) -> list[str]:
    """Return what is wrong, a sentence each.

    Raises:
        ImportError: if requirements.txt is not installed.
    """
    import kubernetes_validate

    found = []
    for manifest in manifests(folder):
        name = f"{manifest['kind']} {manifest['metadata']['name']}"
        try:
            kubernetes_validate.validate(manifest, VERSION, strict=True)
        except kubernetes_validate.ValidationError as error:
            found.append(f"{name}: {error.message}")
    return found + disagreements(folder)


def disagreements(folder: Path = FOLDER) -> list[str]:
    """Return which secrets are asked for that are not there, a sentence each."""
    there = {
        (manifest["metadata"]["name"], key)
        for manifest in manifests(folder)
        if manifest["kind"] == "Secret"
        for key in manifest["stringData"]
    }
    return [
        f"The key {key} of the secret {name} is asked for, and secrets.example.yaml has none."
        for name, key in sorted({*asked_for(folder)} - there)
    ]


if __name__ == "__main__":
    if wrong := faults():
        sys.exit("\n".join(wrong))
