"""The Pi's own camera through picamera2: the main stream to its H.264 encoder, the small stream for faces.

This adapter has never run on a Pi: it is written to picamera2's documented interface (manual sections 7 and 8) and
tested against a fake of it. On a Pi 5, which has no hardware encoder, picamera2 puts libx264 in its place by itself.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any

import cv2

from edge import clock
from edge.config import Camera
from edge.domain.sight import Cadence
from edge.errors import Unavailable
from edge.hardware.camera.eye import Eye
from edge.hardware.camera.pictures import face_size, from_bgr, picture_fps
from edge.hardware.camera.source import TICKS, Packet, Picture, VideoFormat, probe
from edge.why import why

BACKLOG_S = 10


class PiCamera:
    """See `CameraSource`. Unavailable: `camera_library` without picamera2, `camera_missing` without a camera."""

    def __init__(self, name: str, options: Camera, *, pictures: bool = True) -> None:
        try:
            from picamera2 import Picamera2
            from picamera2.encoders import H264Encoder
            from picamera2.outputs import Output
        except ImportError as error:
            raise Unavailable("camera_library", camera=name, library="picamera2") from error
        self._name, self._options = name, options
        self._picture_ms = 1000 / picture_fps(options) if pictures else None
        self._small = face_size(options.width, options.height)
        self._ready: deque[Packet] = deque()
        self._lock = threading.Lock()
        self._format: VideoFormat | None = None
        self._picture: Picture | None = None
        self._failure: dict[str, str] | None = None
        self._dropped = 0
        self._last_ticks = -1
        self._eye, self._cadence = Eye(), Cadence()
        self._began_ms: int | None = None
        self._next_picture = 0.0

        keep = self._keep

        class Packets(Output):  # type: ignore[misc]  # picamera2 has no types
            """Hands each encoded picture over instead of writing it."""

            def outputframe(
                self, frame: bytes, keyframe: bool = True, timestamp: int | None = None, *_: Any, **__: Any
            ) -> None:
                keep(bytes(frame), bool(keyframe), timestamp)

        try:
            self._camera: Any = Picamera2(int(options.source))
        except (IndexError, RuntimeError, ValueError) as error:
            raise Unavailable("camera_missing", camera=name, source=options.source) from error
        try:
            self._start(H264Encoder, Packets(), pictures)
        except (RuntimeError, OSError) as error:
            self._camera.close()
            raise Unavailable("camera_failed", camera=name, detail=why(error)) from error

    def _start(self, encoder: Any, output: Any, pictures: bool) -> None:
        options = self._options
        streams: dict[str, Any] = {"main": {"size": (options.width, options.height), "format": "YUV420"}}
        if pictures:
            streams["lores"] = {"size": self._small, "format": "YUV420"}
            self._camera.post_callback = self._look
        self._camera.configure(self._camera.create_video_configuration(**streams, controls={"FrameRate": options.fps}))
        self._camera.start_recording(encoder(bitrate=options.bitrate, repeat=True, iperiod=options.fps), output)

    @property
    def format(self) -> VideoFormat | None:
        return self._format

    @property
    def dropped(self) -> int:
        return self._dropped + self._cadence.lost

    @property
    def exact(self) -> bool:
        return True

    def packets(self, wait_s: float) -> list[Packet]:
        time.sleep(wait_s)
        with self._lock:
            found = list(self._ready)
            self._ready.clear()
        if self._failure is not None:
            raise Unavailable("camera_failed", camera=self._name, detail=self._failure)
        return found

    def picture(self) -> Picture | None:
        with self._lock:
            newest, self._picture = self._picture, None
        return newest

    def close(self) -> None:
        try:
            self._camera.stop_recording()
        finally:
            self._camera.close()
            if self._format is not None:
                self._format.owner.close()

    def _keep(self, data: bytes, keyframe: bool, timestamp_us: int | None) -> None:
        """Called by the encoder's thread; `timestamp_us` counts from the first picture."""
        now = clock.mono_ms()
        if timestamp_us is not None:
            self._cadence.taken(timestamp_us)
        if self._began_ms is None:
            if not keyframe:
                return
            try:
                self._format = probe(data)
            except (ValueError, OSError) as error:
                self._failure = why(error)
                return
            self._began_ms = now - (timestamp_us or 0) // 1000
        since_us = (now - self._began_ms) * 1000 if timestamp_us is None else timestamp_us
        ticks = max(self._last_ticks + 1, since_us * TICKS // 1_000_000)
        self._last_ticks = ticks
        taken = self._began_ms + ticks * 1000 // TICKS
        with self._lock:
            if len(self._ready) >= BACKLOG_S * self._options.fps:
                self._dropped += len(self._ready)
                self._ready.clear()
            self._ready.append(Packet(data, ticks, ticks, TICKS // self._options.fps, keyframe, taken))

    def _look(self, request: Any) -> None:
        """Called by the camera's thread for each picture; copies one when it is due."""
        now = clock.mono_ms()
        if self._picture_ms is None or now < self._next_picture:
            return
        self._next_picture = now + self._picture_ms - 500 / self._options.fps
        planes = request.make_array("lores")
        width, height = self._small
        self._eye.lines(planes[:height:8, :width])
        bgr = cv2.cvtColor(planes, cv2.COLOR_YUV420p2BGR)[:height, :width]
        picture = from_bgr(bgr, self._eye, now, -1)
        with self._lock:
            self._picture = picture
