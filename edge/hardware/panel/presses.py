"""Debounce of the button, in our own code: gpiozero's mock pins have none, and a driver's own differs by version."""

from __future__ import annotations


class PressFilter:
    """Counts a press at its first edge. Contacts chatter when they close and when they open, so an edge counts only
    after `debounce_ms` without any edge."""

    def __init__(self, debounce_ms: int) -> None:
        self._debounce = debounce_ms
        self._last_ms: int | None = None

    def edge(self, pressed: bool, at_ms: int) -> bool:
        """An edge to pressed or released at `at_ms`, a clock that only goes forward; whether it is a new press."""
        settled = self._last_ms is None or at_ms - self._last_ms >= self._debounce
        self._last_ms = at_ms
        return pressed and settled
