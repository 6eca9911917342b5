"""Why a person was not forgotten. Nothing was changed then."""

from __future__ import annotations

from elt.errors import EltError


class ForgetError(EltError):
    """Nothing was changed; the message says why."""


class UnknownPersonError(ForgetError):
    """There is nobody with this id."""


class LeftoverError(ForgetError):
    """Something of the person would stay in a table, where it can't be told from other people's."""


class BusyError(ForgetError):
    """Somebody else is at work on a table; trying again later helps."""
