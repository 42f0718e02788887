"""Between the thread that takes a camera's pictures and the recorder that fetches them when it is ready.

What waits here waits for the process, not for the disk (that is the pen's, `edge.recording.pen`): it overflows when the
process was stopped or starved.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from edge import clock
from edge.domain.reasons import Words
from edge.errors import Unavailable
from edge.hardware.camera.source import Packet, Picture, VideoFormat

BACKLOG_MS = 10_000


class Mailbox:
    """One camera's packets waiting to be fetched, and its newest picture."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._ready: deque[tuple[Packet, VideoFormat]] = deque()
        self._lock = threading.Lock()
        self._picture: Picture | None = None
        self._failure: Unavailable | None = None
        self._formats: list[VideoFormat] = []
        self.format: VideoFormat | None = None
        """The format of the packets last fetched, or of the first that came."""
        self.dropped = 0

    def put(self, packet: Packet, video: VideoFormat) -> None:
        """One more packet; where nobody fetches, the oldest are lost, up to a key frame, rather than growing."""
        with self._lock:
            if video not in self._formats:
                self._formats.append(video)
            self.format = self.format or video
            self._ready.append((packet, video))
            if packet.mono_ms - self._ready[0][0].mono_ms > BACKLOG_MS:
                self._ready.popleft()
                self.dropped += 1
                while self._ready and not self._ready[0][0].keyframe:
                    self._ready.popleft()
                    self.dropped += 1

    def show(self, picture: Picture) -> None:
        with self._lock:
            self._picture = picture

    def fail(self, detail: Words) -> None:
        """Nothing more will come."""
        self._failure = Unavailable("camera_failed", camera=self._name, detail=detail)

    def packets(self, wait_s: float) -> list[Packet]:
        """See `CameraSource`: what has come, all of one format; the failure once all of it was fetched.

        Wakes on multiples of `wait_s`, so that several cameras, and those who gather their packets, wake together.
        """
        nap = max(1, round(wait_s * 1000))
        time.sleep((nap - clock.mono_ms() % nap) / 1000)
        found = list[Packet]()
        with self._lock:
            if self._ready:
                self.format = self._ready[0][1]
            while self._ready and self._ready[0][1] is self.format:
                found.append(self._ready.popleft()[0])
        if not found and self._failure is not None:
            raise self._failure
        return found

    def picture(self) -> Picture | None:
        with self._lock:
            newest, self._picture = self._picture, None
        return newest

    def close(self) -> None:
        """Let go of the formats, whose containers end with the last who needs them."""
        self._formats.clear()
