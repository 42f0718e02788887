"""A session in a real store whose box has its clocks in the test's hand: set, put right, begun anew after a cut."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from edge import clock
from edge.clock import Instant
from edge.domain.footage import Cause, Fragment
from edge.recording.writer import Place, segment_of
from edge.store import ledger, segments
from edge.store.db import transaction
from support.rooms import DeskRoom
from support.timed import HeldTime

MINUTE = 60_000


@dataclass
class ClockedSession:
    """What happens is entered as the console and the recorders enter it, by `time`."""

    desk: DeskRoom
    time: HeldTime
    sequences: dict[str, int] = field(default_factory=dict)

    def opens(self) -> None:
        self._enters("checkin_opened", "state = 'running', opened_ms = ?")

    def closes(self) -> None:
        self._enters("exam_closed", "state = 'closed', closed_ms = ?")

    def _enters(self, kind: str, change: str) -> None:
        with transaction(self.desk.db):
            query = f"UPDATE sessions SET {change} WHERE id = ?"  # noqa: S608
            self.desk.db.execute(query, (self.time.wall, self.desk.session))
            body = {"cameras": ["door"]} if kind == "checkin_opened" else {}
            ledger.append(self.desk.db, kind, body, session=self.desk.session)

    def is_set(self, step_ms: int, *cameras: str) -> None:
        """The wall clock, and each of these cameras enters it in its own moment."""
        self.time.wall += step_ms
        for camera in cameras:
            with transaction(self.desk.db):
                ledger.append(self.desk.db, "clock", {"camera": camera, "segment": "x", "step_ms": step_ms})
            self.time.go(40)

    def boots(self, wall: int) -> None:
        """After a power cut the box comes up showing `wall`, and is up for 20 s."""
        self.time.boot, self.time.mono, self.time.wall = secrets.token_hex(16), 20_000, wall + 20_000

    def films(self, minutes: int, camera: str = "door") -> list[str]:
        """So long, a segment a minute, each entered when it is over; their ids."""
        return [self.segment(camera) for _ in range(minutes)]

    def segment(self, camera: str = "door", start: Instant | None = None, salvaged: bool = False) -> str:
        at = start or clock.now()
        if start is None:
            self.time.go(MINUTE)
        sequence = self.sequences[at.boot_id] = self.sequences.get(at.boot_id, 0) + 1
        place = Place(self.desk.config.paths.recordings, camera, at.boot_id, sequence)
        place.path.parent.mkdir(parents=True, exist_ok=True)
        place.path.write_bytes(b"footage")
        piece = Fragment(0, 4, 3, "00" * 32, at.wall_ms, at.mono_ms, MINUTE)
        made = segment_of(place, at, 4, "00" * 32, [piece], 7, Cause.ROTATED, salvaged=salvaged)
        return segments.index(self.desk.db, made).id
