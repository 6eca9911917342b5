"""The words by which a person is found in a text: those that tell, and those that need a name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from elt.loading.erasure import is_telling

# an even shorter one than those that tell means nothing, though a field holds nothing else
SHORTEST_ALONE = 3


def words_in(values: Iterable[str]) -> re.Pattern[str] | None:
    """Return a pattern that finds any of the telling values as a word of its own."""
    telling = sorted(filter(is_telling, set(values)), key=len, reverse=True)
    if not telling:
        return None
    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, telling))})(?![\w-])")


@dataclass(frozen=True)
class Words:
    """What is looked for: values that tell, and keys that tell only beside the name of a column.

    ``by_name`` has the keys by the names that they go by in ``raw`` and in models.
    """

    values: frozenset[str]
    by_name: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def telling(self) -> list[str]:
        return sorted(filter(is_telling, self.values))

    @cached_property
    def pattern(self) -> re.Pattern[str] | None:
        return words_in(self.values)

    @cached_property
    def named(self) -> re.Pattern[str] | None:
        """Finds a key beside its name, as in ``order_id = 7`` or ``(order_id)=(7)``."""
        pairs = [
            rf"{re.escape(name)}\W{{1,6}}(?:{'|'.join(map(re.escape, sorted(keys)))})"
            for name, keys in sorted(self.by_name.items())
            if keys
        ]
        return re.compile(rf"(?<!\w)(?:{'|'.join(pairs)})(?![\w-])") if pairs else None
