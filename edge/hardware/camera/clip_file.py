"""A video file as a live camera: H.264 packets at real pace, looped, never encoded again.

A live camera does not wait: what is not taken within BACKLOG_MS (the process was stopped) is lost, and the next packet
is the key frame that is due now. Packet times therefore always tell true elapsed time.
"""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
from av.video.stream import VideoStream

from edge import clock
from edge.config import Camera
from edge.errors import BadInput, Unavailable
from edge.hardware.camera.eye import Eye
from edge.hardware.camera.pictures import from_frame, picture_fps
from edge.hardware.camera.source import TICKS, Packet, Picture, VideoFormat
from edge.why import why

BACKLOG_MS = 10_000


class FileCamera:
    """See `CameraSource`. Unavailable where the file cannot be opened, BadInput where it holds no H.264."""

    def __init__(self, name: str, options: Camera, *, pictures: bool = True) -> None:
        self._name, self._source = name, Path(options.source)
        try:
            self._container = av.open(str(self._source), metadata_errors="replace")
        except (av.FFmpegError, OSError, ValueError) as error:
            raise Unavailable("camera_missing", camera=name, source=self._source) from error
        streams = self._container.streams.video
        if not streams or streams[0].codec_context.name != "h264" or not streams[0].codec_context.extradata:
            self._container.close()
            raise BadInput("camera_format", camera=name, source=self._source)
        self._stream = streams[0]
        self._base = self._stream.time_base or Fraction(1, TICKS)
        self._stream.codec_context.thread_count = 1
        self._format = _format(self._source)
        self._frame_ticks = round(TICKS / float(self._stream.average_rate or options.fps))
        self._picture_ticks = TICKS / picture_fps(options) if pictures else None
        self._next_picture = 0.0
        self._picture: Picture | None = None
        self._eye = Eye()
        self._loop = 0  # ticks of one whole pass, known after the first
        self._shift = 0  # ticks of all passes before this one
        self._dropped = 0
        self._queue = self._demux()
        try:
            self._waiting = next(self._queue)
        except BaseException:
            self._container.close()
            raise
        self._first = self._ticks(self._waiting.dts)
        self._started_ms = clock.mono_ms()

    @property
    def coder(self) -> str:
        return "camera"

    @property
    def format(self) -> VideoFormat:
        return self._format

    @property
    def dropped(self) -> int:
        return self._dropped

    @property
    def exact(self) -> bool:
        return False

    def packets(self, wait_s: float) -> list[Packet]:
        """See `CameraSource`. Wakes on multiples of `wait_s`, so that several cameras wake together."""
        nap = max(1, round(wait_s * 1000))
        time.sleep((nap - clock.mono_ms() % nap) / 1000)
        now = clock.mono_ms()
        if now - self._due(self._waiting) > BACKLOG_MS:
            self._skip_to(now)
        found = list[Packet]()
        while self._due(self._waiting) <= now:
            packet, due = self._waiting, self._due(self._waiting)
            shift = self._shift - self._first
            pts, dts = self._ticks(packet.pts), self._ticks(packet.dts)
            found.append(Packet(bytes(packet), pts + shift, dts + shift, self._frame_ticks, packet.is_keyframe, due))
            if self._picture_ticks is not None:
                self._look(packet, pts, pts + shift, due)
            self._waiting = next(self._queue)
        return found

    @property
    def keyless_ms(self) -> int:
        return 0

    @property
    def look_cpu_s(self) -> float:
        return self._eye.cpu_s

    def ease(self, share: float) -> bool:
        return share >= 1  # it comes coded

    def picture(self) -> Picture | None:
        newest, self._picture = self._picture, None
        return newest

    def close(self) -> None:
        self._queue.close()
        self._container.close()

    def _due(self, packet: av.Packet[VideoStream]) -> int:
        """When the packet is due on the monotonic clock."""
        return self._started_ms + (self._ticks(packet.dts) + self._shift - self._first) * 1000 // TICKS

    def _ticks(self, time_stamp: int | None) -> int:
        return (time_stamp or 0) * self._base.numerator * TICKS // self._base.denominator

    def _demux(self) -> Generator[av.Packet[VideoStream], None, None]:
        """Every packet of pass after pass; `_shift` grows when the first packet of the next pass is fetched."""
        while True:
            low, high = None, 0
            try:
                for packet in self._container.demux(self._stream):
                    if packet.dts is None or packet.pts is None:
                        continue
                    pts = self._ticks(packet.pts)
                    low = pts if low is None else min(low, pts)
                    high = max(high, pts + self._frame_ticks)
                    yield packet
                if low is None:
                    raise BadInput("camera_format", camera=self._name, source=self._source)
                self._container.seek(0)
            except av.FFmpegError as error:
                raise Unavailable("camera_failed", camera=self._name, detail=why(error)) from error
            self._loop = high - low
            self._shift += self._loop

    def _look(self, packet: av.Packet[VideoStream], pts: int, ticks: int, due_ms: int) -> None:
        """Decode the packet (every one: the next refers to it), and keep a picture when one is due."""
        with suppress(av.FFmpegError), self._eye.busy():  # a damaged picture is still recorded as it is
            for frame in packet.decode():
                self._eye.frame(frame)
                if self._picture_ticks is not None and ticks >= self._next_picture:
                    self._next_picture = max(self._next_picture + self._picture_ticks, ticks)
                    self._picture = from_frame(frame, self._eye, due_ms, pts * 1000 // TICKS)

    def _skip_to(self, now_ms: int) -> None:
        """Lose what a stopped process did not take: go on with the first key frame that is not yet due."""
        late = (now_ms - self._due(self._waiting)) * TICKS // 1000
        if self._loop:
            self._shift += late // self._loop * self._loop
        while self._due(self._waiting) < now_ms or not self._waiting.is_keyframe:
            self._dropped += 1
            self._waiting = next(self._queue)
        self._stream.codec_context.flush_buffers()


def _format(source: Path) -> VideoFormat:
    """The file's format with a container of its own, which outlives the one that is read."""
    container = av.open(str(source), metadata_errors="replace")
    stream = container.streams.video[0]
    return VideoFormat(stream.width, stream.height, stream, container)
