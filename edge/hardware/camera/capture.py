"""A camera that gives raw or MJPEG pictures: a thread takes and encodes them, the recorder fetches what is ready."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable, Iterator
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext

from edge import clock
from edge.config import Camera
from edge.domain.reasons import words
from edge.domain.sight import Cadence
from edge.hardware.camera.eye import Eye
from edge.hardware.camera.headroom import PRESETS, Headroom
from edge.hardware.camera.mailbox import Mailbox
from edge.hardware.camera.pictures import from_frame, picture_fps
from edge.hardware.camera.source import TICKS, Packet, Picture, VideoFormat, parameter_sets, probe
from edge.why import why

SILENT_MS = 3000
_DAMAGED_S = 0.01


def h264_encoder(width: int, height: int, options: Camera, preset: str = PRESETS[0]) -> VideoCodecContext:
    """libx264 without look-ahead or B pictures, one key frame a second with its parameter sets beside it."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, VideoCodecContext)  # noqa: S101 - for the type checker
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base = Fraction(1, TICKS)
    encoder.framerate = Fraction(options.fps)
    encoder.bit_rate = options.bitrate
    encoder.gop_size = options.fps
    encoder.options = {"preset": preset, "tune": "zerolatency", "forced-idr": "1"}
    return encoder


class CaptureCamera:
    """See `CameraSource`; `container` gives pictures in real time, and is closed by the thread that reads it.

    `ready` is for a device that does not block: it waits a moment for a picture and says whether there is one.
    """

    def __init__(
        self,
        name: str,
        container: InputContainer,
        options: Camera,
        *,
        pictures: bool = True,
        record: bool = True,
        ready: Callable[[], bool] | None = None,
    ) -> None:
        self._wait, self._record = ready, record
        self._container, self._options = container, options
        self._picture_ms = 1000 / picture_fps(options) if pictures else None
        self._next_picture = 0.0
        self._mailbox = Mailbox(name)
        self._format: VideoFormat | None = None
        self._sets = b""
        self._bitrate = options.bitrate
        self._headroom = Headroom()
        self._eye, self._cadence = Eye(), Cadence()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._capture, name=f"capture-{name}", daemon=True)
        self._thread.start()

    @property
    def coder(self) -> str:
        return "libx264"

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
        self._bitrate = round(share * self._options.bitrate)
        return True

    def picture(self) -> Picture | None:
        return self._mailbox.picture()

    def close(self) -> None:
        """Stop the thread, which lets go of the device; one that hangs in the kernel keeps it until it wakes."""
        self._stopping.set()
        self._thread.join(timeout=4)
        self._mailbox.close()

    def _capture(self) -> None:
        try:
            self._encode_all()
            self._mailbox.fail(words("camera_ended"))
        except (av.FFmpegError, OSError, ValueError) as error:
            self._mailbox.fail(why(error))
        finally:
            self._container.close()

    def _frames(self) -> Iterator[av.VideoFrame]:
        """Pictures as they come; one that is damaged is lost. TimeoutError when none has come for SILENT_MS, or
        av.InvalidDataError when only damaged ones have."""
        heard = clock.mono_ms()
        while not self._stopping.is_set():
            try:
                for frame in self._container.decode(video=0):
                    heard = clock.mono_ms()
                    yield frame
                return
            except BlockingIOError:
                if self._wait is None or (not self._wait() and clock.mono_ms() - heard > SILENT_MS):
                    raise TimeoutError(errno.ETIMEDOUT, "no picture") from None
            except av.InvalidDataError:
                self._cadence.damaged()
                if clock.mono_ms() - heard > SILENT_MS:
                    raise
                self._stopping.wait(_DAMAGED_S)  # a device that gives nothing else may give it without end

    def _encode_all(self) -> None:
        encoder: VideoCodecContext | None = None
        began = clock.mono_ms()
        last_pts, next_key, rate, preset = -1, 0, 0, ""
        for frame in self._frames():
            if self._stopping.is_set():
                return
            now = clock.mono_ms()
            with self._eye.busy():
                self._eye.frame(frame)
            if frame.pts is not None and frame.time_base is not None:  # the kernel's time of the picture
                self._cadence.taken(round(frame.pts * frame.time_base * 1_000_000))
            self._show(frame, now)
            if not self._record:
                continue
            pts = max(last_pts + 1, (now - began) * TICKS // 1000)
            fresh = encoder is None or (rate, preset) != (self._bitrate, self._headroom.preset)
            if encoder is None or fresh:  # x264 takes no other while it runs
                rate, preset, next_key = self._bitrate, self._headroom.preset, 0
                wanted = self._options.model_copy(update={"bitrate": rate})
                encoder = h264_encoder(frame.width, frame.height, wanted, preset)
            small = frame.reformat(format="yuv420p") if frame.format.name != "yuv420p" else frame
            small.pts, small.time_base = pts, encoder.time_base
            # One key frame a second of the clock, however many pictures the camera really gives.
            small.pict_type = av.video.frame.PictureType.I if pts >= next_key else av.video.frame.PictureType.NONE
            next_key = pts + TICKS if pts >= next_key else next_key
            ticks = TICKS // self._options.fps if last_pts < 0 else pts - last_pts
            last_pts = pts
            before_s = time.monotonic()
            coded = encoder.encode(small)
            done_s = time.monotonic()
            self._headroom.took(done_s - before_s, done_s)
            for packet in coded:
                self._keep(Packet(bytes(packet), pts, pts, ticks, bool(packet.is_keyframe), now), fresh)

    def _show(self, frame: av.VideoFrame, now: int) -> None:
        if self._picture_ms is not None and now >= self._next_picture:
            self._next_picture = now + self._picture_ms - 1000 / self._options.fps / 2
            with self._eye.busy():
                self._mailbox.show(from_frame(frame, self._eye, now, -1))

    def _keep(self, packet: Packet, fresh: bool) -> None:
        """`fresh`: of a new encoder, whose stream may well be of the old format."""
        if self._format is None or (fresh and parameter_sets(packet.data) != self._sets):
            self._format, self._sets = probe(packet.data), parameter_sets(packet.data)
        self._mailbox.put(packet, self._format)
