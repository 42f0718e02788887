"""The Pi's own camera through picamera2: the main stream to an H.264 encoder, the lores stream for faces.

Never run on a Pi, by anybody: written to picamera2's manual and sources (`Picamera2`, `encoders`, `outputs.Output`) and
tested against a fake of them (tests/support/fake_picamera2.py). What only a Pi can show: that the hardware encoder of a
Pi 4 keeps pace and puts SPS and PPS before each key frame (`repeat`), what libx264 costs on a Pi 5, which has no
hardware encoder, that libcamera accepts the lores size, that an encoder may be stopped and started with another bitrate
while the camera runs, and how a camera behaves whose ribbon is pulled while it runs.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from typing import Any

import cv2

from edge import clock
from edge.config import Camera
from edge.domain.sight import Cadence
from edge.errors import Unavailable
from edge.hardware.camera.eye import Eye
from edge.hardware.camera.mailbox import Mailbox
from edge.hardware.camera.pictures import face_size, from_bgr, picture_fps
from edge.hardware.camera.source import TICKS, Packet, Picture, VideoFormat, probe
from edge.why import why

_log = logging.getLogger(__name__)
_CLOSE_S = 4.0


class PiCamera:
    """See `CameraSource`. Unavailable: `camera_library` without picamera2, `camera_missing` without a camera."""

    def __init__(self, name: str, options: Camera, *, pictures: bool = True) -> None:
        try:
            from picamera2 import Picamera2, encoders
            from picamera2.outputs import Output
        except ImportError as error:
            raise Unavailable("camera_library", camera=name, library="picamera2") from error
        self._name, self._options = name, options
        self._picture_ms = 1000 / picture_fps(options) if pictures else None
        self._small = face_size(options.width, options.height)
        self._mailbox = Mailbox(name)
        self._video: VideoFormat | None = None
        self._eye, self._cadence = Eye(), Cadence()
        self._last_ticks = -1
        self._began_ms: int | None = None
        self._anew = False  # its encoder, whose times begin at nought again
        self._ahead_us = 0
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
            self._encoder, self.coder = encoder_for(encoders, options)
            self._output = Packets()
            self._start(self._encoder, self._output, pictures)
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
        self._camera.start_recording(encoder, output)

    @property
    def format(self) -> VideoFormat | None:
        return self._mailbox.format

    @property
    def dropped(self) -> int:
        return self._mailbox.dropped + self._cadence.lost

    @property
    def exact(self) -> bool:
        return True

    def packets(self, wait_s: float) -> list[Packet]:
        return self._mailbox.packets(wait_s)

    @property
    def keyless_ms(self) -> int:
        return 0

    @property
    def look_cpu_s(self) -> float:
        return self._eye.cpu_s

    def ease(self, share: float) -> bool:
        """The encoder begins anew, which costs a few pictures; False where it does not let itself be stopped."""
        bitrate = round(share * self._options.bitrate)
        try:
            self._camera.stop_encoder(self._encoder)
            self._encoder.bitrate = bitrate
            self._anew = True
            self._camera.start_encoder(self._encoder, self._output)
        except (RuntimeError, OSError) as error:
            self._mailbox.fail(why(error))
            return False
        return True

    def picture(self) -> Picture | None:
        return self._mailbox.picture()

    def close(self) -> None:
        """Stop and let go of the camera; one that does not answer may not hold up the recording of what came before."""
        closing = threading.Thread(target=self._close, name=f"close-{self._name}", daemon=True)
        closing.start()
        closing.join(_CLOSE_S)
        if closing.is_alive():
            _log.error("camera %s does not stop within %s s; it is left to itself", self._name, _CLOSE_S)
        self._mailbox.close()

    def _close(self) -> None:
        try:
            with suppress(RuntimeError):  # its encoder has ended already
                self._camera.stop_recording()
        finally:
            self._camera.close()

    def _keep(self, data: bytes, keyframe: bool, timestamp_us: int | None) -> None:
        """Called by the encoder's thread; `timestamp_us` is the sensor's time since the first picture."""
        now = clock.mono_ms()
        if timestamp_us is not None:
            self._cadence.taken(timestamp_us)
        if self._video is None or self._began_ms is None:
            if not keyframe:
                return
            try:
                self._video = probe(data)
            except (ValueError, OSError) as error:
                self._mailbox.fail(why(error))
                return
            self._began_ms = now - (timestamp_us or 0) // 1000
        if self._anew:
            if not keyframe:
                return
            self._anew, self._video = False, probe(data)
            self._ahead_us = (now - self._began_ms) * 1000 - (timestamp_us or 0)
        since_us = (now - self._began_ms) * 1000 if timestamp_us is None else timestamp_us + self._ahead_us
        ticks = max(self._last_ticks + 1, since_us * TICKS // 1_000_000)
        self._last_ticks = ticks
        taken = self._began_ms + ticks * 1000 // TICKS
        packet = Packet(data, ticks, ticks, TICKS // self._options.fps, keyframe, taken)
        self._mailbox.put(packet, self._video)

    def _look(self, request: Any) -> None:
        """Called by the camera's thread for each picture; copies one when it is due."""
        now = clock.mono_ms()
        if self._picture_ms is None or now < self._next_picture:
            return
        self._next_picture = now + self._picture_ms - 500 / self._options.fps
        with self._eye.busy():
            planes = request.make_array("lores")
            width, height = self._small
            self._eye.lines(planes[:height:8, :width])
            bgr = cv2.cvtColor(planes, cv2.COLOR_YUV420p2BGR)[:height, :width]
            self._mailbox.show(from_bgr(bgr, self._eye, now, -1))


def encoder_for(encoders: Any, options: Camera) -> tuple[Any, str]:
    """The encoder of this machine and its name: `hardware` up to the Pi 4, `libx264` on a Pi 5.

    `encoders` is picamera2's module, where `H264Encoder` is the hardware's or, without one, `LibavH264Encoder` itself.
    """
    common = {"bitrate": options.bitrate, "repeat": True, "iperiod": options.fps}
    software = getattr(encoders, "LibavH264Encoder", None)
    if software is None or encoders.H264Encoder is not software:
        return encoders.H264Encoder(**common), "hardware"
    encoder = software(**common, framerate=options.fps)
    encoder.drop_final_frames = True  # at the end it would send them at the camera's pace
    return encoder, "libx264"
