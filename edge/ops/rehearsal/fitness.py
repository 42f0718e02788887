"""Whether the box itself is fit for its next exam: disk, memory, clock, and a bank that fills every planned paper."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge import clock
from edge.config import Config
from edge.domain.paper import shortages
from edge.domain.reasons import sentence
from edge.errors import BadInput, ExamroomError
from edge.exam.banks import open_bank, stock_of
from edge.exam.papers import local_share
from edge.exam.readiness import headroom
from edge.ops.rehearsal.room import Exam, sample_exam
from edge.store import people, sessions
from edge.store.reserve import MB, free_bytes
from edge.trust.enrolment import Identity

STATE_MB = 500
MEMORY_MB = 200


@dataclass(frozen=True)
class Check:
    """One thing looked at. `reason` is None when it is well."""

    name: str
    reason: str | None
    facts: dict[str, Any]
    """Figures, also when it is well."""
    grave: bool = True
    """Whether an exam should not be held so. A clock of no known quality is said, but exam time does not hang on it."""

    def sentences(self) -> dict[str, str]:
        if self.reason is None:
            return {}
        return {language: sentence(self.reason, language, **self.facts) for language in ("zh", "en")}


def box(config: Config) -> list[Check]:
    """Disk, memory and clock of this machine."""
    free = free_bytes(config.paths.state) // 1_000_000
    memory = _available_mb()
    quality = clock.quality()
    held = quality in (clock.TimeQuality.SYNCHRONISED, clock.TimeQuality.RTC)
    return [
        Check("disk", None if free >= STATE_MB else "rehearsal_disk", {"free": free, "needed": STATE_MB}),
        Check("memory", None if memory >= MEMORY_MB else "rehearsal_memory", {"free": memory, "needed": MEMORY_MB}),
        Check("clock", None if held else "rehearsal_clock", {"quality": str(quality)}, grave=False),
    ]


def planned(connection: sqlite3.Connection, config: Config, identity: Identity) -> list[Check]:
    """For every planned session: does its bank open here (or is it locked until then), and can each paper be drawn?"""
    found = []
    for session in sessions.all_sessions(connection, "planned"):
        try:
            items = _papers(config, identity, session)
        except ExamroomError as error:
            found.append(Check(f"papers:{session.id}", error.code, dict(error.facts)))
        else:
            found.append(Check(f"papers:{session.id}", None, {"items": items}))
        found.append(_room_for_answers(connection, config, session))
    return found


def _room_for_answers(connection: sqlite3.Connection, config: Config, session: sessions.Session) -> Check:
    """What opening the door would ask of the disk, told beforehand."""
    candidates, hours = len(people.candidates(connection, session.id)), round(session.minutes / 60, 1)
    needed, free = headroom(candidates, session.minutes, config.paths.state, config.store.reserve_mb)
    facts = {"free": free // MB, "needed": -(-needed // MB), "candidates": candidates, "hours": hours}
    return Check(f"disk:{session.id}", None if free >= needed else "disk_too_full", facts)


def exam_of(connection: sqlite3.Connection, config: Config, identity: Identity, wanted: str | None) -> Exam:
    """The bank and blueprint of the session `wanted`, or of the next that is planned; the sample where it is locked.

    NotFound for a session that is not there. Whether a bank is short or missing is `planned`'s to say.
    """
    chosen = [sessions.find(connection, wanted)] if wanted else sessions.all_sessions(connection, "planned")
    for session in chosen:
        try:
            _papers(config, identity, session)
            bank = open_bank(identity, config.paths.bundles, session)
        except ExamroomError:
            continue
        return Exam(bank, dict(session.blueprint), local_share(session), session.id)
    return sample_exam()


def _papers(config: Config, identity: Identity, session: sessions.Session) -> int:
    """How many items its bank has."""
    items = stock_of(identity, config.paths.bundles, session)
    if short := shortages(items, session.blueprint, local_share(session)):
        raise BadInput("bank_short", detail="; ".join(one.detail for one in short))
    return len(items)


def _available_mb() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0
