"""What can't be answered, in a sentence."""

from __future__ import annotations

from elt.errors import EltError


class MetricError(EltError):
    """The question is wrong, or there is nothing yet to answer it; the message says what to do."""
