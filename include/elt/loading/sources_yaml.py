"""The contracts of all source tables, read from dbt's sources YAML."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import yaml

from elt.errors import FinalError
from elt.loading.contract import (
    DATA_TYPES,
    FORMAT_KEYS,
    INSTANTS,
    LIMIT_KEYS,
    MOST_COLUMNS,
    OWN_COLUMNS,
    Column,
    Format,
    Limits,
    Table,
    overlap_of,
    read_format,
    read_limits,
    reference_fault,
    resolve_references,
)
from elt.shop import SHOP

LOAD_MODES = ("full_snapshot", "delta")
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,54}\Z")
_EXTRACT_KEYS = {
    *("primary_key", "load", "version", "change_key"),
    *("on_bad_row", "max_bad_share", "cursor", "overlap", "person", "shared"),
    *FORMAT_KEYS,
    *LIMIT_KEYS,
    *("references", "key_downstream", "day", "date_order"),
}
CONTRACTS = SHOP.contracts


class ContractError(FinalError):
    """The sources YAML is not usable; the message names file, table and key."""


def declared_tables() -> dict[str, Table]:
    """Return the contracts of all source tables, in the order of the sources YAML."""
    return read_contracts(CONTRACTS)


def read_contracts(path: Path) -> dict[str, Table]:
    """Return the tables of every source in the schema ``raw``, by name, in the file's order.

    Raises:
        ContractError: if the file can't be read or a table's contract is wrong.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ContractError(f"{path} can't be read: {error.strerror}.") from None
    except yaml.YAMLError as error:
        raise ContractError(f"{path} is not valid YAML: {error}") from None
    sources = document.get("sources") if isinstance(document, dict) else None
    tables: dict[str, Table] = {}
    for source in sources or []:
        if source.get("schema", source.get("name")) != "raw":
            continue
        for declared in source.get("tables") or []:
            table = _Reader(path, declared).table()
            if table.name in tables:
                raise ContractError(f"{path}: table `{table.name}` is declared twice.")
            tables[table.name] = table
    if not tables:
        raise ContractError(f"{path} declares no source table in the schema raw.")
    if fault := reference_fault(tables):
        raise ContractError(f"{path}: {fault}")
    parents = {
        parent.name
        for columns in resolve_references(tables).values()
        for parent in columns.values()
    }
    return {name: replace(table, is_parent=name in parents) for name, table in tables.items()}


class _Reader:
    """Reads one table's block; its errors name file, table and key."""

    def __init__(self, path: Path, declared: dict[str, Any]) -> None:
        self.path = path
        self.declared = declared
        self.name = str(declared.get("name"))

    def error(self, key: str, what: str) -> ContractError:
        return ContractError(f"{self.path}: table `{self.name}`: {key} {what}.")

    def table(self) -> Table:
        if not _NAME.match(self.name):
            raise self.error("name", "must be lower case letters, digits and underscores")
        extract = _meta(self.declared).get("extract")
        if not isinstance(extract, dict):
            raise self.error("config.meta.extract", "is missing")
        if unknown := sorted(set(extract) - _EXTRACT_KEYS):
            raise self.error(f"config.meta.extract.{unknown[0]}", "is not a known key")
        columns = tuple(self.column(column) for column in self.declared.get("columns") or [])
        names = [column.name for column in columns]
        if twice := [name for name in names if names.count(name) > 1]:
            raise self.error(f"column `{twice[0]}`", "is declared twice")
        if len(columns) > (most := MOST_COLUMNS - len(OWN_COLUMNS)):
            raise self.error("columns", f"are {len(columns):,}; a table can have {most:,}")
        if extract.get("load") not in LOAD_MODES:
            known = " or ".join(LOAD_MODES)
            raise self.error("load", f"must be {known}, not `{extract.get('load')}`")
        if not (primary_key := self.keys(extract, "primary_key", names)):
            raise self.error("primary_key", "must name at least one column")
        cursor = self.name_of_column(extract, "cursor", names)
        return Table(
            self.name,
            columns,
            primary_key,
            extract["load"],
            self.name_of_column(extract, "version", names),
            self.keys(extract, "change_key", names),
            self.on_bad_row(extract),
            self.max_bad_share(extract),
            cursor,
            self.name_of_column(extract, "person", names),
            self.is_shared(extract),
            self.overlap(extract, next((c for c in columns if c.name == cursor), None)),
            references=self.references(extract, names),
            key_downstream=self.key_downstream(extract),
            day=self.day(extract, columns),
            date_order=self.date_order(extract),
            **self.format(extract),
            **self.limits(extract),
        )

    def format(self, extract: dict[str, Any]) -> Format:
        try:
            return read_format(extract)
        except ValueError as error:
            raise self.error("config.meta.extract", str(error)) from None

    def limits(self, extract: dict[str, Any]) -> Limits:
        try:
            return read_limits(extract)
        except ValueError as error:
            raise self.error("config.meta.extract", str(error)) from None

    def references(self, extract: dict[str, Any], names: list[str]) -> tuple[tuple[str, str], ...]:
        value = extract.get("references") or {}
        if not isinstance(value, dict) or not all(isinstance(v, str) for v in value.values()):
            raise self.error("references", "must say of columns which table's key they hold")
        if strange := [name for name in value if name not in names]:
            raise self.error("references", f"names `{strange[0]}`, which is not among the columns")
        return tuple(value.items())

    def key_downstream(self, extract: dict[str, Any]) -> tuple[str, ...]:
        value = extract.get("key_downstream") or []
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(_NAME.match(str(name)) for name in listed):
            raise self.error("key_downstream", "must be a name of a column, or a list of such")
        if listed and len(extract["primary_key"]) != 1:
            raise self.error("key_downstream", "asks for a primary key of one column")
        return tuple(listed)

    def day(self, extract: dict[str, Any], columns: tuple[Column, ...]) -> str | None:
        name = self.name_of_column(extract, "day", [column.name for column in columns])
        if name and next(c for c in columns if c.name == name).data_type not in INSTANTS:
            raise self.error("day", f"names `{name}`, which must be a {' or '.join(INSTANTS)}")
        return name

    def on_bad_row(self, extract: dict[str, Any]) -> Literal["quarantine", "stop"]:
        if (value := extract.get("on_bad_row", "quarantine")) not in ("quarantine", "stop"):
            raise self.error("on_bad_row", f"must be quarantine or stop, not `{value}`")
        return "stop" if value == "stop" else "quarantine"

    def date_order(self, extract: dict[str, Any]) -> Literal["dmy", "mdy"] | None:
        if (value := extract.get("date_order")) not in (None, "dmy", "mdy"):
            raise self.error("date_order", f"must be dmy or mdy, not `{value}`")
        return value

    def is_shared(self, extract: dict[str, Any]) -> bool:
        if (value := extract.get("shared", False)) not in (True, False):
            raise self.error("shared", f"must be true or false, not `{value}`")
        if value and [extract.get("person")] != extract["primary_key"]:
            raise self.error("shared", "asks for `person` to be the primary key")
        return bool(value)

    def max_bad_share(self, extract: dict[str, Any]) -> float:
        value = extract.get("max_bad_share", 0.01)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise self.error("max_bad_share", f"must be a share from 0 to 1, not `{value}`")
        return float(value)

    def overlap(self, extract: dict[str, Any], cursor: Column | None) -> str | None:
        if cursor is None:
            return None
        try:
            return overlap_of(cursor.data_type, extract["load"], extract.get("overlap"))
        except ValueError as error:
            raise self.error("cursor", str(error)) from None

    def name_of_column(self, extract: dict[str, Any], key: str, names: list[str]) -> str | None:
        if (value := extract.get(key)) is not None and value not in names:
            raise self.error(key, f"names `{value}`, which is not among the columns")
        return value

    def column(self, declared: dict[str, Any]) -> Column:
        name = str(declared.get("name"))
        if not _NAME.match(name) or name in OWN_COLUMNS:
            raise self.error(f"column `{name}`", "has a name that raw tables can't use")
        data_type = declared.get("data_type")
        if data_type is None:
            raise self.error(f"column `{name}`", "has no data_type")
        if data_type not in DATA_TYPES:
            allowed = ", ".join(sorted(DATA_TYPES))
            raise self.error(f"column `{name}`", f"is a `{data_type}`; allowed are {allowed}")
        return Column(name, data_type, bool(_meta(declared).get("pii", False)))

    def keys(self, extract: dict[str, Any], key: str, names: list[str]) -> tuple[str, ...]:
        value = extract.get(key) or []
        if not isinstance(value, list):
            raise self.error(key, "must be a list of columns")
        if strange := [name for name in value if name not in names]:
            raise self.error(key, f"names `{strange[0]}`, which is not among the columns")
        return tuple(value)


def _meta(declared: dict[str, Any]) -> dict[str, Any]:
    return (declared.get("config") or {}).get("meta") or {}
