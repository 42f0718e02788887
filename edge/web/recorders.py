"""Watches from outside that every camera's process is alive and records; one that hangs cannot tell of itself."""

from __future__ import annotations

import logging
import sqlite3
from functools import partial

from edge import clock
from edge.domain.sight import Telling
from edge.store import ledger, recorders
from edge.store.status import read_statuses
from edge.web.room import Room

log = logging.getLogger("examroom.web.recorders")


class RecorderWatch:
    """Called each second by one thread; the beginning of a silence and its end are ledger entries.

    The rest a camera's process enters itself. While the box starts, nobody is late.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._tellings = {name: Telling() for name in room.config.camera}
        self._began_ms = clock.mono_ms()

    def __call__(self) -> None:
        now = clock.mono_ms()
        statuses = read_statuses(self._room.config.paths.status)
        starting = now - self._began_ms < recorders.OPENING_MS
        for name, telling in self._tellings.items():
            spoke_ms = int(statuses.get(recorders.PREFIX + name, {}).get("mono_ms", 0))
            if starting and not self._began_ms <= spoke_ms <= now:
                continue  # left by an earlier run
            found = recorders.fault(name, statuses, now)
            code = found[0] if found is not None and found[0] in (recorders.SILENT, recorders.STOPPED) else None
            entry = telling.entry(code, now)
            if entry is not None:
                log.warning("camera %s: %s", name, entry)
                self._room.later.put(partial(_note, {"camera": name, **entry}))


def _note(body: dict[str, object], connection: sqlite3.Connection) -> None:
    ledger.note(connection, "camera", body)
