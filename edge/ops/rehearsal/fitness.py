"""Whether the box itself is fit for its next exam: disk, memory, clock, and a bank that fills every planned paper."""

from __future__ import annotations

import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge import clock
from edge.config import Config
from edge.domain.paper import shortages
from edge.domain.reasons import sentence
from edge.errors import BadInput, ExamroomError
from edge.exam.banks import stock_of
from edge.exam.papers import local_share
from edge.store import sessions
from edge.trust.enrolment import Identity

STATE_MB = 500
MEMORY_MB = 200


@dataclass(frozen=True)
class Check:
    """One thing looked at. `reason` is None when it is well."""

    name: str
    reason: str | None
    facts: dict[str, Any]
    grave: bool = True
    """Whether an exam should not be held so. A clock of no known quality is said, but exam time does not hang on it."""

    def sentences(self) -> dict[str, str]:
        if self.reason is None:
            return {}
        return {language: sentence(self.reason, language, **self.facts) for language in ("zh", "en")}


def box(config: Config) -> list[Check]:
    """Disk, memory and clock of this machine."""
    free = _free_mb(config.paths.state)
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
            _papers(config, identity, session)
        except ExamroomError as error:
            found.append(Check(f"papers:{session.id}", error.code, dict(error.facts)))
        else:
            found.append(Check(f"papers:{session.id}", None, {}))
    return found


def _papers(config: Config, identity: Identity, session: sessions.Session) -> None:
    items = stock_of(identity, config.paths.bundles, session)
    if short := shortages(items, session.blueprint, local_share(session)):
        raise BadInput("bank_short", detail="; ".join(one.detail for one in short))


def _free_mb(folder: Path) -> int:
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    return shutil.disk_usage(there).free // 1_000_000


def _available_mb() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) // 1024
    return 0
