"""The sittings of the open sessions, kept up with room.db: what has not changed there is not read and made again.

room.db changes every second or two while an exam runs, papers never: each is parsed once for its (attempt, digest).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edge.domain.masking import mask_name
from edge.domain.paper import responses_of
from edge.domain.timing import Limits
from edge.exam.limits import limits_of, part_of
from edge.store import people, sessions, sittings, tablet_settings, timing

OPEN = ("checkin", "running", "closed")
"""States of sessions whose papers are held: until the results are signed."""


@dataclass(frozen=True)
class Sitting:
    """One attempt with all a tablet may need of it."""

    attempt: sessions.Attempt
    session: sessions.Session
    candidate: people.Candidate
    options: Mapping[str, tuple[str, Mapping[str, Any]]]
    """id of what is answered -> (type, its entry of the drawn paper)"""
    limits: Limits = field(default_factory=lambda: Limits(0))
    part_of: Mapping[str, int] = field(default_factory=dict)
    """item id -> index of its part"""
    settings: Mapping[str, Any] | None = None
    """how staff or the roster want the paper shown to this person"""

    @property
    def id(self) -> str:
        return self.attempt.id


@dataclass(frozen=True)
class _Paper:
    """A paper and what is made of it alone."""

    paper: Mapping[str, Any]
    options: Mapping[str, tuple[str, Mapping[str, Any]]]
    part_of: Mapping[str, int]


@dataclass(frozen=True)
class _Read:
    """What one session's sittings were made of: its row, its `store.sittings.mark`, papers by attempt and digest."""

    row: tuple[Any, ...]
    session: sessions.Session
    mark: str
    papers: Mapping[tuple[str, str], _Paper]
    sittings: Mapping[str, Sitting]


class Sittings:
    """What was read last, for the next time. One caller at a time, and each in a transaction of its own."""

    def __init__(self) -> None:
        self._read: dict[str, _Read] = {}

    def read(self, connection: sqlite3.Connection) -> dict[str, Sitting]:
        """The sittings of every open session by attempt."""
        found = {}
        for row in sessions.rows_of(connection, *OPEN):
            found[row["id"]] = self._session(connection, row)
        self._read = found
        return {attempt: sitting for one in found.values() for attempt, sitting in one.sittings.items()}

    def _session(self, connection: sqlite3.Connection, row: sqlite3.Row) -> _Read:
        before, values = self._read.get(row["id"]), tuple(row)
        mark = sittings.mark(connection, row["id"])
        if before is not None and (before.row, before.mark) == (values, mark):
            return before
        session = before.session if before is not None and before.row == values else sessions.session_of(row)
        heads = sessions.heads(connection, session.id)
        papers = _papers(connection, heads, before.papers if before is not None else {})
        made = _sittings(connection, session, heads, papers)
        return _Read(values, session, mark, papers, made)


def _papers(
    connection: sqlite3.Connection, heads: list[sessions.Head], known: Mapping[tuple[str, str], _Paper]
) -> dict[tuple[str, str], _Paper]:
    held = {(head.id, head.digest): known.get((head.id, head.digest)) for head in heads}
    found = {key: paper for key, paper in held.items() if paper is not None}
    wanted = {attempt: digest for (attempt, digest), paper in held.items() if paper is None}
    if wanted:
        for attempt, paper in sessions.papers_of(connection, wanted):
            options = {entry["id"]: (entry["type"], entry) for entry in responses_of(paper)}
            found[attempt, wanted[attempt]] = _Paper(paper, options, part_of(paper))
    return found


def _sittings(
    connection: sqlite3.Connection,
    session: sessions.Session,
    heads: list[sessions.Head],
    papers: Mapping[tuple[str, str], _Paper],
) -> dict[str, Sitting]:
    everyone = {who.person: who for who in people.candidates(connection, session.id)}
    wanted = tablet_settings.of_session(connection, session.id)
    credited, late = timing.credits(connection, session.id), timing.late_people(connection, session.id)
    part_limits = timing.part_limits(connection, session.id)
    found = {}
    for head in heads:
        drawn = papers[head.id, head.digest]
        attempt = sessions.Attempt(head.id, session.id, head.person, head.seed, drawn.paper, head.digest, head.extra_ms)
        limits = limits_of(session, attempt, credited, head.person in late, part_limits)
        found[head.id] = Sitting(
            attempt, session, everyone[head.person], drawn.options, limits, drawn.part_of, wanted.get(head.person)
        )
    return found


def masked(who: people.Candidate) -> dict[str, Any]:
    """A candidate as a tablet or kiosk may show them."""
    return {"name_masked": mask_name(who.name), "number": who.number, "seat": who.seat}
