"""Whether the box itself is fit for its next exam: disk, memory, clock, and a bank that fills every planned paper."""

from __future__ import annotations

import os
import sqlite3
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge import clock
from edge.bank.outline import stock
from edge.config import Config
from edge.domain.paper import ItemFacts, shortages
from edge.domain.reasons import sentence
from edge.domain.rehearsal import STATE_MB
from edge.errors import BadInput, ExamroomError, Refused
from edge.exam.banks import banks_of, manifest_of, open_bank, stock_of
from edge.exam.papers import local_share
from edge.exam.readiness import drawn_from, headroom
from edge.ops.preflight import footage_room
from edge.ops.rehearsal.making import Exam, sample_exam
from edge.store import people, sessions
from edge.store.reserve import MB, free_bytes
from edge.trust.enrolment import Identity

FORGOTTEN_MS = 12 * 3_600_000
CHINA_S = 8 * 3600
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
    return [
        Check("disk", None if free >= STATE_MB else "rehearsal_disk", {"free": free, "needed": STATE_MB}),
        Check("memory", None if memory >= MEMORY_MB else "rehearsal_memory", {"free": memory, "needed": MEMORY_MB}),
        Check("clock", None if quality.held else "rehearsal_clock", {"quality": str(quality)}, grave=False),
    ]


def mirror(config: Config) -> list[Check]:
    """Whether the second medium, where one is configured, can be written to; an exam would go on without it."""
    folder = config.store.mirror
    if folder is None:
        return []
    writable = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    return [Check("mirror", None if writable else "rehearsal_mirror", {"path": folder}, grave=False)]


def chosen(connection: sqlite3.Connection, wanted: str | None) -> sessions.Session | None:
    """The session a rehearsal is for: the one `wanted`, or the next that is planned. NotFound when it is not there."""
    return sessions.find(connection, wanted) if wanted is not None else _next(connection)


def planned(
    connection: sqlite3.Connection, config: Config, identity: Identity, session: sessions.Session | None = None
) -> list[Check]:
    """Can each paper be drawn from its bank, and is there room for answers and footage? Of `session` and all planned.

    Grave for `session` alone: what is wrong with another is said, and keeps nobody from holding this one.
    """
    found = []
    others = [one for one in sessions.all_sessions(connection, "planned") if session is None or one.id != session.id]
    for one in others if session is None else [session, *others]:
        answers, footage = _room_for_answers(connection, config, one), _room_for_footage(connection, config, one)
        for check in (_papers_check(config, identity, one), answers, *footage):
            found.append(replace(check, grave=one is session))
    return found


def _next(connection: sqlite3.Connection) -> sessions.Session | None:
    """The planned session that comes next and counts; one long past that never opened is not waited for."""
    oldest = clock.wall_ms() - FORGOTTEN_MS
    waiting = [one for one in sessions.all_sessions(connection, "planned") if not one.practice]
    coming = [one for one in waiting if one.planned_ms >= oldest]
    return min(coming or waiting, key=lambda one: abs(one.planned_ms - oldest), default=None)


def _papers_check(config: Config, identity: Identity, session: sessions.Session) -> Check:
    name = f"papers:{session.id}"
    try:
        return Check(name, None, {"items": len(_papers(config, identity, session))})
    except ExamroomError as error:
        return Check(name, error.code, dict(error.facts))


def _room_for_answers(connection: sqlite3.Connection, config: Config, session: sessions.Session) -> Check:
    """What opening the door would ask of the disk, told beforehand."""
    candidates, hours = len(people.candidates(connection, session.id)), round(session.minutes / 60, 1)
    needed, free = headroom(candidates, session.minutes, config.paths.state, config.store.reserve_mb)
    facts = {"free": free // MB, "needed": -(-needed // MB), "candidates": candidates, "hours": hours}
    return Check(f"disk:{session.id}", None if free >= needed else "disk_too_full", facts)


def _room_for_footage(connection: sqlite3.Connection, config: Config, session: sessions.Session) -> list[Check]:
    """The same of its cameras; nothing for a room without one."""
    if not config.camera or session.practice:
        return []
    room = footage_room(connection, config, session)
    return [Check(f"footage:{session.id}", None if room.enough else "footage_too_full", room.facts())]


def exam_of(config: Config, identity: Identity, session: sessions.Session) -> Exam:
    """The bank and blueprint of `session`; the sample in their stead while the bank is locked, short or missing.

    Whether it is short or missing is `planned`'s to say.
    """
    try:
        papers = drawn_from(identity, config.paths.bundles, session)
    except ExamroomError:
        return replace(sample_exam(), session=session.id)
    try:
        _papers(config, identity, session)
        bank = open_bank(identity, config.paths.bundles, session)
    except ExamroomError:
        return replace(sample_exam(), session=session.id, drawn_from=papers)
    return Exam(bank, dict(session.blueprint), local_share(session), session.id, papers)


def _papers(config: Config, identity: Identity, session: sessions.Session) -> list[ItemFacts]:
    """What its papers are drawn from; BadInput when they cannot be."""
    try:
        items = stock_of(identity, config.paths.bundles, session)
    except Refused as error:
        if error.code != "bundle_early":
            raise
        items = _before_its_time(config, identity, session)
    if short := shortages(items, session.blueprint, local_share(session)):
        raise BadInput("bank_short", detail="; ".join(one.detail for one in short))
    return items


def _before_its_time(config: Config, identity: Identity, session: sessions.Session) -> list[ItemFacts]:
    """What signed manifests count of banks that may not be opened yet; Refused, with the time, where one does not."""
    found: list[ItemFacts] = []
    for number, bank in enumerate(banks_of(session)):
        manifest = manifest_of(identity, config.paths.bundles, bank)
        if "stock" not in manifest.facts:
            when = time.strftime("%Y-%m-%d %H:%M", time.gmtime(manifest.not_before_ms / 1000 + CHINA_S))
            raise Refused("rehearsal_bank_early", name=manifest.name, when=when)
        found += [replace(item, local=bool(number) or item.local) for item in stock(manifest.facts)]
    return found


def _available_mb() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0
