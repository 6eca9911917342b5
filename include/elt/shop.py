"""What is one shop's own: its name in messages, its DAG and dbt project (config/shop.yml)."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

from elt.errors import EltError

ROOT = Path(__file__).parents[2]
FILE = ROOT / "config" / "shop.yml"
VARIABLE = "GREENERY_SHOP"
_MAY_BE_LEFT_OUT = {"kpis", "report"}


class ShopError(EltError):
    """The shop's settings are not usable; the message names file and key."""


@dataclass(frozen=True)
class Shop:
    """One shop. Paths are absolute.

    ``kpis`` is the mart that a run prints, ``report`` the folder of what the report asks, if there
    is one.
    """

    title: str
    dag_id: str
    dbt_project: Path
    contracts: Path
    kpis: str | None = None
    report: Path | None = None


def read_shop(file: Path) -> Shop:
    """Read a shop's settings.

    Args:
        file: YAML. Its folder lies beside that of the dbt project.

    Raises:
        ShopError: if it can't be read, or a key is missing, empty or unknown.
    """
    try:
        settings = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ShopError(f"{file} can't be read: {error.strerror}.") from None
    except yaml.YAMLError as error:
        raise ShopError(f"{file} is not valid YAML: {error}") from None
    if not isinstance(settings, dict):
        raise ShopError(f"{file} must be `key: value` lines, such as `title: The shop`.")
    known = [field.name for field in fields(Shop)]
    if unknown := sorted(map(str, settings.keys() - set(known))):
        raise ShopError(f"{file}: unknown {', '.join(unknown)}. The keys are {', '.join(known)}.")
    for key in known:
        value = settings.get(key)
        if key in _MAY_BE_LEFT_OUT and value is None:
            continue
        if not isinstance(value, str) or not value.strip():
            raise ShopError(f"{file}: `{key}` must be a text, and is {value!r}.")
    project = (file.parent.parent / settings["dbt_project"]).resolve()
    paths = {"dbt_project": project, "contracts": project / settings["contracts"]}
    if settings.get("report"):
        paths["report"] = (file.parent.parent / settings["report"]).resolve()
    return Shop(**{**settings, **paths})


SHOP = read_shop(Path(os.environ.get(VARIABLE) or FILE).absolute())
