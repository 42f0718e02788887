"""The disk under the databases: keeps their reserve whole, and tells the console and the ledger when it is not."""

from __future__ import annotations

import logging

from edge.store import ledger
from edge.store.reserve import MB, Reserve, disk_full, free_bytes, hold_log
from edge.store.status import write_status
from edge.web.room import Room

log = logging.getLogger("examroom.web.disk")
TIGHT_MB = 32
"""Less free than this is said, even while the reserve is whole."""


class DiskWatch:
    """Called now and then by one thread."""

    def __init__(self, room: Room, reserve: Reserve) -> None:
        self._room = room
        self._reserve = reserve
        self._whole = True

    def __call__(self) -> None:
        paths = self._room.config.paths
        whole = self._reserve.make()
        for database in (paths.answers_db, paths.room_db):
            hold_log(database)
        free = free_bytes(paths.state)
        facts = {"free": free // MB, "left": self._reserve.held // MB, "wanted": self._room.config.store.reserve_mb}
        if whole != self._whole:
            self._whole = whole
            self._tell(whole, facts)
        reason = None if whole else "disk_reserve_used" if self._reserve.held else "disk_reserve_gone"
        if reason is None and free < TIGHT_MB * MB:
            reason = "disk_nearly_full"
        write_status(paths.status, "disk", state="degraded" if reason else "ok", reason=reason, facts=facts)

    def _tell(self, whole: bool, facts: dict[str, int]) -> None:
        kind = "reserve_whole" if whole else "reserve_used"
        log.warning("%s: %s", kind, facts)
        body = {"free_mb": facts["free"], "left_mb": facts["left"]}
        self._room.later.put(lambda connection: ledger.note(connection, kind, body))


def give_room(room: Room, error: Exception) -> None:
    """A write to the room store failed; when the disk is full it gets some of the reserve for its next try."""
    paths, cause = room.config.paths, error.__cause__ or error
    if room.reserve is not None and disk_full(cause, paths.state):
        room.reserve.use(paths.room_db)
