"""What every page needs of the room: configuration, identity, the answer journal, the live exam, connections."""

from __future__ import annotations

import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from flask import current_app, g

from edge import clock
from edge.config import Config
from edge.errors import Unavailable
from edge.exam.journal import AnswerJournal
from edge.exam.live import LiveExam
from edge.exam.lockdown import Lockdown
from edge.exam.mirror import Mirror
from edge.store.db import connect
from edge.store.reserve import Reserve
from edge.trust import enrolment
from edge.web.boards import Boards
from edge.web.bucket import FootageFlow
from edge.web.exports import Exports
from edge.web.refused import Refusals
from edge.web.tries import WrongCodes
from edge.why import why

Later = Callable[[sqlite3.Connection], object]


@dataclass
class Room:
    """One a process. `seen` maps an attempt to when its tablet last spoke; `later` holds notes for the ledger.

    `asked_elsewhere` maps an attempt to when a second tablet asked for its seat; `reports` to what its tablet says of
    itself: {"queued": answers it still holds, "since_ms": since when it holds any}.
    """

    config: Config
    journal: AnswerJournal
    live: LiveExam
    seen: dict[str, int] = field(default_factory=dict)
    later: queue.SimpleQueue[Later] = field(default_factory=queue.SimpleQueue)
    asked_elsewhere: dict[str, int] = field(default_factory=dict)
    reports: dict[str, dict[str, int]] = field(default_factory=dict)
    wrong_codes: WrongCodes = field(default_factory=WrongCodes)
    strangers: Refusals = field(default_factory=lambda: Refusals(30, 2000))
    known: Refusals = field(default_factory=lambda: Refusals(60, 5000))
    """What of refused requests may still go into the ledger: of anybody, and of tablets and people that are known."""
    lockdown: Lockdown = field(default_factory=Lockdown)
    mirror: Mirror | None = None
    reserve: Reserve | None = None
    began_ms: int = field(default_factory=clock.mono_ms)
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when the process is told to end: streams that would go on for minutes look at it."""
    streams: threading.BoundedSemaphore = field(init=False)
    boards: Boards = field(init=False)
    footage: FootageFlow = field(init=False)
    exports: Exports = field(init=False)

    def __post_init__(self) -> None:
        web = self.config.web
        self.boards = Boards(lambda: self.live.version)
        self.streams = threading.BoundedSemaphore(web.streams)
        self.footage = FootageFlow(self._footage_bits, web.footage_streams, self._ends_within)
        self.exports = Exports(self.config, self.in_exam, self._ends_within)

    def _ends_within(self, seconds: float) -> bool:
        """Sleep so long; whether the process is to end."""
        return self.stopping.wait(seconds)

    def _footage_bits(self) -> float:
        """What footage may take of the network now, in bits a second."""
        web = self.config.web
        return 1_000_000 * (web.footage_mbit_exam if self.in_exam() else web.footage_mbit)

    def in_exam(self) -> bool:
        """Whether people sit at an exam now, or are let in to one."""
        return any(sitting.session.state in ("checkin", "running") for sitting in self.live.all_sittings())

    def identity(self) -> enrolment.Identity:
        """Who this room is; Unavailable before it is enrolled. Read afresh: enrolment needs no restart."""
        return enrolment.load(self.config.paths)


def room() -> Room:
    return cast(Room, current_app.extensions["examroom"])


def room_db() -> sqlite3.Connection:
    """This request's connection to room.db."""
    return _connection("room_db", room().config.paths.room_db)


def answers_db() -> sqlite3.Connection:
    """This request's reading connection to answers.db; writing goes through the journal."""
    connection = _connection("answers_db", room().config.paths.answers_db)
    connection.execute("PRAGMA query_only = ON")
    return connection


def _connection(name: str, path: Any) -> sqlite3.Connection:
    if name not in g:
        try:
            g.setdefault(name, connect(path))
        except sqlite3.Error as error:
            raise Unavailable("store_unavailable", path=path.name, detail=why(error)) from error
    return cast(sqlite3.Connection, g.get(name))


def close_connections(_error: BaseException | None = None) -> None:
    held = vars(g._get_current_object())
    for name in ("room_db", "answers_db"):
        if name in held:
            g.pop(name).close()
