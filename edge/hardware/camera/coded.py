"""A camera that sends H.264 already coded: recorded as it comes, decoded besides for the pictures of faces.

A thread of its own reads it. Where the packets can wait in a socket they gather there for a moment: to wake for each
piece of each picture costs more than to handle it.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext

from edge import clock
from edge.config import Camera
from edge.domain.reasons import words
from edge.domain.sight import Cadence
from edge.hardware.camera.eye import Eye
from edge.hardware.camera.feed import Coded, Feed
from edge.hardware.camera.mailbox import Mailbox
from edge.hardware.camera.pictures import from_frame, picture_fps
from edge.hardware.camera.source import TICKS, Packet, Picture, VideoFormat, parameter_sets, probe
from edge.why import why

_RUSH_MS = 300
_GATHER_MS = 200
_JUMP = 5 * TICKS  # a step of the camera's clock that is no pause
_EARLY_MS = 1000
_SOON_S, _CLOSE_S = 0.5, 4.0


class CodedCamera:
    """See `CameraSource`; `feed` is closed by the thread that reads it. Without `record` it gives pictures alone."""

    def __init__(self, name: str, feed: Feed, options: Camera, *, pictures: bool = True, record: bool = True) -> None:
        self._feed, self._record = feed, record
        self._picture_ms = 1000 / picture_fps(options) if pictures else None
        self._rest_ms = round(_GATHER_MS if self._picture_ms is None else min(_GATHER_MS, self._picture_ms / 2))
        self._decoder: VideoCodecContext | None = None
        self._next_picture = 0.0
        self._mailbox = Mailbox(name)
        self._eye, self._cadence = Eye(), Cadence()
        self._video: VideoFormat | None = None
        self._sets = b""
        self._keyless_ms = 0
        self._times = Times(feed.time_base, feed.rate)
        self._early: list[tuple[Packet, VideoFormat]] | None = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, name=f"coded-{name}", daemon=True)
        self._thread.start()

    @property
    def coder(self) -> str:
        return "camera"

    @property
    def format(self) -> VideoFormat | None:
        return self._mailbox.format

    @property
    def dropped(self) -> int:
        return self._mailbox.dropped + self._cadence.lost

    @property
    def exact(self) -> bool:
        return False

    def packets(self, wait_s: float) -> list[Packet]:
        return self._mailbox.packets(wait_s)

    @property
    def keyless_ms(self) -> int:
        return self._keyless_ms

    @property
    def look_cpu_s(self) -> float:
        return self._eye.cpu_s

    def ease(self, share: float) -> bool:
        return share >= 1  # it comes coded

    def picture(self) -> Picture | None:
        return self._mailbox.picture()

    def close(self) -> None:
        """Stop the thread, which lets go of the camera; one that still waits for it ends by its own time limit."""
        self._stopping.set()
        self._thread.join(timeout=_SOON_S)
        if self._thread.is_alive():
            self._feed.hang_up()
            self._thread.join(timeout=_CLOSE_S)
        self._mailbox.close()

    def _read(self) -> None:
        try:
            for coded in self._feed.read():
                if self._stopping.is_set():
                    return
                self._take(coded)
            self._mailbox.fail(words("camera_ended"))
        except (av.FFmpegError, OSError, ValueError) as error:
            self._mailbox.fail(why(error))
        finally:
            self._feed.close()

    def _take(self, coded: Coded) -> None:
        now, data = clock.mono_ms(), coded.data
        if coded.keyframe:
            data = self._begin(data)
        if self._video is None:
            self._keyless_ms = now
            return  # nothing can be made of it before the first key frame
        self._keyless_ms = 0
        stamp = coded.pts if coded.dts is None else coded.dts
        dts, step, taken = self._times.of(stamp, now, fresh=coded.fresh)
        if stamp is not None:
            self._cadence.taken(dts * 1_000_000 // TICKS)
        ahead = 0 if coded.pts is None or coded.dts is None else max(0, self._times.ticks(coded.pts - coded.dts))
        self._put(Packet(data, dts + ahead, dts, step, coded.keyframe, taken), self._video)
        if self._picture_ms is not None:
            self._look(coded, taken)

    def _put(self, packet: Packet, video: VideoFormat) -> None:
        """The first come in a rush, of which the last were the least late: their times are known after a moment."""
        if not self._record:
            self._early = None
            return
        if self._early is None:
            self._mailbox.put(packet, video)
            return
        self._early.append((packet, video))
        if self._times.known:
            for early, its in self._early:
                self._mailbox.put(replace(early, mono_ms=self._times.mono(early.dts)), its)
            self._early, self._feed.rest_ms = None, self._rest_ms

    def _begin(self, data: bytes) -> bytes:
        """A key frame, its parameter sets before it; other sets than before (a new size) are a new format."""
        sets = parameter_sets(data)
        if not sets:
            sets = self._sets or parameter_sets(self._feed.extradata + b"\0\0\1\x65")
            data = sets + data
        if sets and sets != self._sets:
            with suppress(ValueError, OSError, av.FFmpegError):  # damaged: the next one may be whole
                self._video, self._sets = probe(data), sets
        return data

    def _look(self, coded: Coded, taken: int) -> None:
        with suppress(av.FFmpegError), self._eye.busy():  # a damaged picture is still recorded as it is
            if self._decoder is None:
                made = av.CodecContext.create("h264", "r")
                assert isinstance(made, VideoCodecContext)  # noqa: S101 - for the type checker
                made.thread_count, made.extradata = 1, self._feed.extradata or None
                self._decoder = made
            for frame in self._decoder.decode(av.Packet(coded.data)):
                self._eye.frame(frame)
                if self._picture_ms is not None and taken >= self._next_picture:
                    self._next_picture = max(self._next_picture + self._picture_ms, taken - self._picture_ms)
                    self._mailbox.show(from_frame(frame, self._eye, taken, -1))


class Times:
    """The camera's clock as ours: ticks that only grow, and when on the monotonic clock each picture was taken."""

    def __init__(self, base: Fraction, rate: float | None) -> None:
        self._up, self._down = base.numerator * TICKS, base.denominator
        self._frame = round(TICKS / (rate or 25))
        self._last: int | None = None  # on the camera's clock
        self._usual = self._frame  # the step before, on that clock
        self._dts = 0
        self._base_ms = 0.0  # when tick 0 was
        self._arrived = self._first = 0

    @property
    def known(self) -> bool:
        return self._arrived - self._first >= _RUSH_MS

    def mono(self, dts: int) -> int:
        """When a picture was taken, on the monotonic clock in ms."""
        return round(self._base_ms + dts * 1000 / TICKS)

    def ticks(self, stamp: int) -> int:
        return stamp * self._up // self._down

    def of(self, stamp: int | None, now: int, *, fresh: bool = True) -> tuple[int, int, int]:
        """(ticks, ticks since the packet before, monotonic ms) of a packet with this stamp that has come now; unless it
        is `fresh` it may have come before."""
        at = None if stamp is None else self.ticks(stamp)
        if self._arrived == 0:
            self._base_ms, self._first, step = float(now), now, 0
        elif at is None or self._last is None:
            step = self._frame
        else:
            step = at - self._last
            set_anew = not 0 < step < _JUMP or (step > TICKS and self._leaps(step, now))
            self._usual = self._usual if step <= 0 else step
            if set_anew:  # the camera set its clock: ours goes on
                step = max(1, (now - self._arrived) * TICKS // 1000)
        self._last = at if at is not None else (None if self._last is None else self._last + step)
        self._arrived = now
        self._dts += step
        taken = self._base_ms + self._dts * 1000 / TICKS
        if taken > now:  # it cannot come before it was taken: those before were late
            self._base_ms -= taken - now
        elif now - taken > 2000:
            self._base_ms += now - taken
        elif fresh:  # follow a clock that runs differently
            self._base_ms += (now - taken) * 0.0005
        return self._dts, step or self._frame, self.mono(self._dts)

    def _leaps(self, step: int, now: int) -> bool:
        """Whether a picture so much later than the one before would have come long before it was taken. Pictures that
        come in a rush do, each by a little; where each is a second, it is no later than usual."""
        early_ms = self._base_ms + (self._dts + step) * 1000 / TICKS - now
        return early_ms > _EARLY_MS and step > TICKS + 2 * self._usual
