"""The files of a table in the order of their places, whenever they came."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping

from elt.loading.files.file_names import Place, place
from elt.loading.load_log import Known


class LoadOrder:
    """What is there and what was loaded of a table, by place.

    Ask for the files that are there one after the other, in order: then all of them together cost
    no more than a walk over the list.
    """

    def __init__(self, known: Mapping[str, Known], present: Iterable[str]) -> None:
        self.known = dict(known)
        self._present = set(present)
        self._steps = sorted((place(path), path) for path in {*known, *self._present})
        self._walked = 0
        self._newest = 0
        self._gone = [step for step in self._steps if step[1] not in self._present]

    def newest_before(self, path: str) -> int:
        """Return the last load of changed bytes among the files before this one, 0 without any."""
        here: Place = place(path)
        while self._walked < len(self._steps) and self._steps[self._walked][0] < here:
            last = self.known.get(self._steps[self._walked][1])
            self._newest = max(self._newest, last.applied_id if last else 0)
            self._walked += 1
        return self._newest

    def gone_after(self, path: str) -> list[str]:
        """Return the files after this one that were loaded and are not there any more."""
        after = self._gone[bisect_right(self._gone, (place(path), path)) :]
        return [other for _, other in after if self.known[other].applied_id]

    def is_before_others(self, path: str) -> bool:
        """Tell whether a file after this one is there."""
        after = self._steps[bisect_right(self._steps, (place(path), path)) :]
        return any(other in self._present for _, other in after)

    def newest_after(self, path: str) -> int:
        """Return the last load of changed bytes among the files after this one."""
        after = self._steps[bisect_right(self._steps, (place(path), path)) :]
        loads = (self.known[other].applied_id for _, other in after if other in self.known)
        return max(loads, default=0)

    def put_over_gone(self) -> Iterator[tuple[str, list[str]]]:
        """Yield files that were loaded after ones that are gone, as byte order took them once.

        Natural order takes the gone ones later: theirs are the newer rows.
        """
        newest, covered = ("", 0), []
        for _, path in self._steps:
            applied = self.known[path].applied_id if path in self.known else 0
            if applied > newest[1]:
                if covered:
                    yield newest[0], covered
                newest, covered = (path, applied), []
            elif applied and path not in self._present and path < newest[0]:
                covered.append(path)
        if covered:
            yield newest[0], covered
