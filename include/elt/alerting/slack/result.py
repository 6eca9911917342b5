"""How a call of Slack went. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from elt.alerting.slack import error_codes
from elt.alerting.slack.settings import CONNECTION_ID


@dataclass(frozen=True)
class Outcome:
    """How a call went: no error means that Slack did it."""

    error: str | None = None
    # Slack's own word for the error
    code: str = ""
    # Slack surely did not do it, and may after so many seconds
    again_after: float | None = None
    # it may have been done all the same
    is_unclear: bool = False
    # what was sent had to be plain text
    is_plain: bool = False
    answer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_about_blocks(self) -> bool:
        return self.code in error_codes.ABOUT_THE_BLOCKS

    @property
    def is_about_us(self) -> bool:
        """Whether nothing else will get through either, until that is mended."""
        no_word = bool(self.error) and not self.code
        return no_word or self.code in error_codes.ABOUT_THE_TOKEN | error_codes.ABOUT_THE_WEBHOOK


def refused(status: int, code: str, headers: Mapping[str, Any], name: str | None) -> Outcome:
    """Return how it went from what Slack answered; ``name`` is the channel's."""
    return Outcome(
        error_codes.in_words(status, code, name, CONNECTION_ID),
        code=code if code.isidentifier() else "",
        again_after=error_codes.again_after(status, headers),
        is_unclear=status >= 500,
    )
