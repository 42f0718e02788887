"""The door's eye: the newest picture of its camera, shown to the visit that is under way."""

from __future__ import annotations

import logging
import time

from edge import clock
from edge.checkin import alive
from edge.checkin.look import glance, measured
from edge.checkin.visit import Visit
from edge.config import Config
from edge.domain.liveness import LiveVerdict
from edge.store import recorders
from edge.store.ring import Frame, RingReader
from edge.store.status import read_status
from edge.vision.face_pack import FacePack
from edge.vision.liveness import Liveness

_log = logging.getLogger(__name__)
BLIND_SECONDS = 3.0
"""Somebody who has just come before a covered or still camera may be what ends that."""
ASK_SECONDS = 0.5
"""So often the camera's process is asked what it thinks of its picture; it says so each second."""
LIVE_FRAMES = 3
"""At least so many frames are compared where the networks judge them: one picture says little."""


class Eye:
    """Owns the frame ring; without a pack it sees nothing."""

    def __init__(self, config: Config, pack: FacePack | None, liveness: Liveness | None) -> None:
        self.pack = pack
        self.liveness = liveness
        self._zone = config.checkin.zone
        self._frames = config.checkin.frames
        self._ring = RingReader(config.paths.ring(config.checkin.camera))
        self._statuses, self._camera = config.paths.status, config.checkin.camera
        self._sees, self._ask_due = True, 0.0

    def close(self) -> None:
        self._ring.close()

    def begin(self, visit: Visit) -> None:
        """What the camera shows now, at the tap, is of whoever stood there before; so is any copy of it later."""
        frame = self._ring.latest()
        visit.before = b"" if frame is None else frame.bgr

    def look(self, visit: Visit) -> str | None:
        """Show a new picture, if there is one, to the visit; the code of what to tell the person, None for nothing.

        A picture from before the tap is of whoever stood there then, and so is one that a camera only gives again: its
        sensor's noise makes any two differ. While the camera's own process says that nothing, or nothing new, can be
        seen, nobody is compared.
        """
        if not self._camera_sees():
            return None
        frame = self._ring.latest()
        if frame is None or frame.number == visit.last_frame or not frame.bgr:
            return None
        if frame.mono_ms < visit.since_mono_ms or self.pack is None:
            return None
        if frame.bgr == visit.before:
            return None
        visit.last_frame, visit.before = frame.number, frame.bgr
        try:
            return self._take(visit, frame, self.pack)
        except Exception as error:
            # landmarks that no face has, or what the libraries raise at an odd picture: onnxruntime's classes come
            # straight from Exception. The next frame may be better, and the visit ends in its sentence either way.
            _log.warning("a frame was passed over: %s", type(error).__name__)
            return None

    def _take(self, visit: Visit, frame: Frame, pack: FacePack) -> str | None:
        seen = glance(pack, frame, self._zone)
        visit.hindrance = seen.guidance
        alive.follow(visit, seen, frame.mono_ms, pack.challenge)
        if seen.guidance is None and alive.counts(visit):
            visit.seen.append(measured(pack, self.liveness if visit.rules.passive else None, seen))
            visit.picture = frame
        return alive.asked(visit) or seen.guidance

    def has_enough(self, visit: Visit) -> bool:
        wanted = max(self._frames, LIVE_FRAMES) if visit.rules.passive else self._frames
        return len(visit.seen) >= wanted and alive.made(visit)

    def alive(self, visit: Visit) -> LiveVerdict | None:
        """What the networks say of the frames that are compared; None where policy does not ask."""
        return alive.verdict(visit, self.liveness, LIVE_FRAMES)

    def blind(self, visit: Visit) -> bool:
        """Whether the camera has given no new picture since the visit began, or says that it sees nothing now."""
        return (visit.last_frame == 0 or not self._camera_sees()) and time.monotonic() - visit.started > BLIND_SECONDS

    def _camera_sees(self) -> bool:
        """Whether the camera sees, as its process says. One that is silent gives no pictures either."""
        now = time.monotonic()
        if now >= self._ask_due:
            self._ask_due = now + ASK_SECONDS
            said = read_status(self._statuses, recorders.PREFIX + self._camera)
            self._sees = recorders.sees(said, clock.mono_ms())
        return self._sees
