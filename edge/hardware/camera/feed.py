"""Where coded pictures come from: libavformat, or whatever reads them cheaper."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import NamedTuple, Protocol

from av.container import InputContainer
from av.video.stream import VideoStream

from edge import clock

SILENT_MS = 3000
_AWAITED_MS = 2


class Coded(NamedTuple):
    """One access unit as it came; its times in the feed's `time_base`, None where it has none.

    `fresh`: whether it was waited for or is the newest that there was; others may have come before.
    """

    data: bytes
    keyframe: bool
    pts: int | None
    dts: int | None
    fresh: bool


class Feed(Protocol):
    """`rate`: pictures a second, where known; `extradata`: parameter sets that came aside; `rest_ms`: on which beat it
    lets pictures gather, 0 for none (which it may ignore)."""

    time_base: Fraction
    rate: float | None
    extradata: bytes
    rest_ms: int

    def read(self) -> Iterator[Coded]:
        """Pictures as they come, until the end. OSError, av.FFmpegError or ValueError when it breaks."""

    def hang_up(self) -> None:
        """End a read that waits, from another thread, where that is possible."""

    def close(self) -> None: ...


class LibavFeed:
    """See `Feed`. `ready` is for a device that does not block: it waits a moment for a picture and says whether there
    is one."""

    rest_ms = 0

    def __init__(self, container: InputContainer, stream: VideoStream, ready: Callable[[], bool] | None = None) -> None:
        self._container, self._stream, self._ready = container, stream, ready
        self.time_base = stream.time_base or Fraction(1, 90_000)
        self.rate = float(stream.average_rate) if stream.average_rate else None
        self.extradata = stream.codec_context.extradata or b""

    def read(self) -> Iterator[Coded]:
        heard = clock.mono_ms()
        while True:
            try:
                for packet in self._container.demux(self._stream):
                    fresh, heard = clock.mono_ms() - heard >= _AWAITED_MS, clock.mono_ms()
                    if packet.size:
                        yield Coded(bytes(packet), packet.is_keyframe, packet.pts, packet.dts, fresh)
                        heard = clock.mono_ms()
            except BlockingIOError:
                if self._ready is None or (not self._ready() and clock.mono_ms() - heard > SILENT_MS):
                    raise TimeoutError(errno.ETIMEDOUT, "no picture") from None
            else:
                return

    def hang_up(self) -> None:
        return

    def close(self) -> None:
        self._container.close()
