"""One document for everybody who looks at the same session: it is made again for none of them alone."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakValueDictionary

from edge import clock

FRESH_MS = 1000
"""What is told of tablets' silence is no older than this."""

Document = Mapping[str, Any]


class Board:
    """One session's, as long as somebody looks at it: what it says of people is in memory no longer."""

    def __init__(self, version: Callable[[], int]) -> None:
        self.version = version
        self._lock = threading.Lock()
        self._held: tuple[int, Document] | None = None

    def newest(self, make: Callable[[], Document]) -> Document:
        """The document that another made of the same version within a second, or what `make` makes now."""
        with self._lock:
            version = self.version()  # from before it is made: what changes meanwhile is in the next
            held = self._held
            if held is None or held[0] != version or clock.mono_ms() >= due_ms(held[1]):
                held = self._held = (version, make())
            return held[1]


def due_ms(document: Document) -> int:
    """When it is to be made again though nothing has changed, by the monotonic clock."""
    return int(document["made"][1]) + FRESH_MS


class Boards:
    """One a process; `version` changes whenever the room store has."""

    def __init__(self, version: Callable[[], int]) -> None:
        self._version = version
        self._lock = threading.Lock()
        self._boards: WeakValueDictionary[str, Board] = WeakValueDictionary()

    def of(self, session: str) -> Board:
        """The one that everybody shares who holds it now."""
        with self._lock:
            found = self._boards.get(session)
            if found is None:
                found = self._boards[session] = Board(self._version)
            return found

    def __contains__(self, session: str) -> bool:
        """Whether anybody looks at it."""
        return session in self._boards
