"""How far the attempts are, kept up from what comes into the journal: nobody counts a class's answers each second."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable

from edge.domain.paper import responses_of
from edge.store import progress, sessions

FAR = 5_000
"""So many journal rows on, everything is counted anew."""


class Tally:
    """One a process. Every method may be called from any thread, with a connection of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._upto: int | None = None
        self._answered: dict[str, tuple[int, int | None]] = {}
        self._asked: dict[str, int] = {}

    def answered(self, answers: sqlite3.Connection, attempts: Iterable[str]) -> dict[str, tuple[int, int | None]]:
        """attempt -> (items with an answer, when the last one was saved), of attempts whose rows nobody deletes."""
        wanted = list(attempts)
        with self._lock:
            newest = progress.newest(answers)
            if self._upto is None or not 0 <= newest - self._upto <= FAR:
                self._answered.clear()
            elif newest > self._upto:
                for attempt in progress.moved(answers, self._upto, newest):
                    self._answered.pop(attempt, None)
            self._upto = newest  # a row that comes while they are counted is newer, and has its attempt counted again
            if fresh := [attempt for attempt in wanted if attempt not in self._answered]:
                counted = progress.progress_of(answers, fresh)
                self._answered.update((attempt, counted.get(attempt, (0, None))) for attempt in fresh)
            return {attempt: self._answered[attempt] for attempt in wanted}

    def asked(self, connection: sqlite3.Connection, heads: Iterable[sessions.Head]) -> dict[str, int]:
        """attempt -> how many answers its paper asks for: each paper is read once."""
        wanted = {head.id: head.digest for head in heads}
        with self._lock:
            fresh = [attempt for attempt, digest in wanted.items() if digest not in self._asked]
            if fresh:
                for attempt, paper in sessions.papers_of(connection, fresh):
                    self._asked[wanted[attempt]] = sum(1 for _ in responses_of(paper))
            return {attempt: self._asked.get(digest, 0) for attempt, digest in wanted.items()}
