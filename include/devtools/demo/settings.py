"""What a demo shop is made from, and the note that keeps it beside the files made from it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

from elt.errors import EltError

NOTE = "_demo.json"
DEFAULT_DAYS = 30
DEFAULT_USERS = 400


class DemoError(EltError):
    """The demo data can't be made as asked; the message says why and what to do."""


@dataclass(frozen=True)
class DemoSettings:
    """All that the data follows from: the same settings and day give the same files, byte for byte.

    ``first_day`` is when the shop opens: nothing is ordered or viewed before it.
    """

    first_day: date
    seed: int = 1
    users: int = DEFAULT_USERS
    sessions_per_day: int = DEFAULT_USERS // 8

    def __post_init__(self) -> None:
        if not 5 <= self.users <= 5_000_000:
            raise DemoError(f"users is {self.users}: give from 5 to 5,000,000.")
        if not 1 <= self.sessions_per_day <= 5_000_000:
            raise DemoError(
                f"sessions per day is {self.sessions_per_day}: give from 1 to 5,000,000."
            )


@dataclass(frozen=True)
class Fault:
    """A fault that was planted in the drop of a day."""

    kind: str
    day: date


@dataclass(frozen=True)
class Note:
    """What a landing folder was made from, and the fault planted there, if any."""

    settings: DemoSettings
    fault: Fault | None = None


def default_settings(
    last_day: date,
    days: int = DEFAULT_DAYS,
    seed: int = 1,
    users: int = DEFAULT_USERS,
    sessions_per_day: int | None = None,
) -> DemoSettings:
    """Return the settings of a new shop that has so many days up to and with the last one."""
    if days < 1:
        raise DemoError(f"days is {days}: give 1 or more.")
    if sessions_per_day is None:
        sessions_per_day = max(1, users // 8)
    return DemoSettings(last_day - timedelta(days=days - 1), seed, users, sessions_per_day)


def days_until(settings: DemoSettings, last_day: date) -> list[date]:
    """Return every day from the first one to the last one.

    Raises:
        DemoError: if the last day is before the first.
    """
    count = (last_day - settings.first_day).days + 1
    if count < 1:
        raise DemoError(
            f"The demo shop opens on {settings.first_day}, there is nothing up to {last_day}."
        )
    return [settings.first_day + timedelta(days=number) for number in range(count)]


def read_note(landing: Path) -> Note | None:
    """Return what a landing folder was made from, or None if it holds no demo data."""
    file = landing / NOTE
    if not file.exists():
        return None
    try:
        content = json.loads(file.read_text())
        fault = content["fault"]
        return Note(
            DemoSettings(
                date.fromisoformat(content["first_day"]),
                int(content["seed"]),
                int(content["users"]),
                int(content["sessions_per_day"]),
            ),
            Fault(fault["kind"], date.fromisoformat(fault["day"])) if fault else None,
        )
    except (ValueError, KeyError, TypeError) as error:
        raise DemoError(
            f"{file} can't be read ({type(error).__name__}: {error}). "
            f"Delete the folder {landing} to start over."
        ) from None


def write_note(landing: Path, note: Note) -> None:
    """Put the note into the folder; the loader passes over names that begin with `_`."""
    settings, fault = note.settings, note.fault
    content = {
        "what": "Made-up data of a demo shop. Files here can be deleted and made again.",
        "first_day": settings.first_day.isoformat(),
        "seed": settings.seed,
        "users": settings.users,
        "sessions_per_day": settings.sessions_per_day,
        "fault": {"kind": fault.kind, "day": fault.day.isoformat()} if fault else None,
    }
    landing.mkdir(parents=True, exist_ok=True)
    temporary = landing / f".{NOTE}.{os.getpid()}"
    temporary.write_text(json.dumps(content, indent=1) + "\n")
    temporary.replace(landing / NOTE)


def claim(landing: Path, settings: DemoSettings) -> Note:
    """Return the folder's note, writing it if the folder is new.

    Raises:
        DemoError: if the folder was made from other settings: the two shops would be mixed up.
    """
    note = read_note(landing)
    if note is None:
        note = Note(settings)
        write_note(landing, note)
    if note.settings != settings:
        there, asked = asdict(note.settings), asdict(settings)
        differences = ", ".join(
            f"{name} {there[name]} instead of {asked[name]}"
            for name in there
            if there[name] != asked[name]
        )
        raise DemoError(
            f"The folder {landing} holds another demo shop: {differences}. "
            "Ask for the same again, name another folder, or delete this one."
        )
    return note
