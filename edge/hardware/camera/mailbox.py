"""Between the thread that takes a camera's pictures and the recorder that fetches them when it is ready.

The thread is there because a disk that hangs for a second must not lose a second of pictures.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from edge.config import Camera
from edge.domain.reasons import Words
from edge.errors import Unavailable
from edge.hardware.camera.source import Packet, Picture, VideoFormat

BACKLOG_S = 10


class Mailbox:
    """One camera's packets waiting to be fetched, and its newest picture."""

    def __init__(self, name: str, options: Camera) -> None:
        self._name, self._limit = name, BACKLOG_S * options.fps
        self._ready: deque[tuple[Packet, VideoFormat]] = deque()
        self._lock = threading.Lock()
        self._picture: Picture | None = None
        self._failure: Unavailable | None = None
        self._formats: list[VideoFormat] = []
        self.format: VideoFormat | None = None
        """The format of the packets last fetched, or of the first that came."""
        self.dropped = 0

    def put(self, packet: Packet, video: VideoFormat) -> None:
        """One more packet; where nobody fetches, all that waits is lost rather than growing."""
        with self._lock:
            if video not in self._formats:
                self._formats.append(video)
            self.format = self.format or video
            if len(self._ready) >= self._limit:
                self.dropped += len(self._ready)
                self._ready.clear()
            self._ready.append((packet, video))

    def show(self, picture: Picture) -> None:
        with self._lock:
            self._picture = picture

    def fail(self, detail: Words) -> None:
        """Nothing more will come."""
        self._failure = Unavailable("camera_failed", camera=self._name, detail=detail)

    def packets(self, wait_s: float) -> list[Packet]:
        """See `CameraSource`: what has come, all of one format; the failure once all of it was fetched."""
        time.sleep(wait_s)
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
        for video in self._formats:
            video.owner.close()
