"""A microphone through ALSA, read by libavdevice and coded into AAC.

No real microphone has been heard with this version: tests read a virtual device of ALSA's (its `file` plug-in). Not
seen yet are a USB microphone that is pulled out, and what its own clock does over hours.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from fractions import Fraction

import av
from av.container import InputContainer

from edge import clock
from edge.hardware.camera.aac import RATE, Coder
from edge.hardware.camera.coded import Times
from edge.hardware.camera.source import Sound

_CONFIG = "/usr/share/alsa"  # the library that comes with PyAV looks for it where it was built
_MICROSECOND = Fraction(1, 1_000_000)
_CHOICES = ((RATE, 1), (48_000, 1), (48_000, 2), (44_100, 2))


class Microphone:
    """See `Voice`. OSError or av.FFmpegError where there is no such device, or it is in use."""

    def __init__(self, device: str) -> None:
        os.environ.setdefault("ALSA_CONFIG_DIR", _CONFIG)
        self._container = _open(device)
        self._coder = Coder()

    def read(self) -> Iterator[Sound]:
        """Frames of AAC as they come, by the device's own times, which have no jitter. What has come was heard until
        then."""
        times = Times(_MICROSECOND, None)
        for packet in self._container.demux(audio=0):
            if packet.pts is None or not packet.size:
                continue
            stamp = int(packet.pts * (packet.time_base or _MICROSECOND) / _MICROSECOND)
            *_, mono_ms = times.of(stamp, clock.mono_ms())
            for frame in packet.decode():
                yield from self._coder.code(frame, mono_ms - frame.samples * 1000 // frame.sample_rate)

    def hang_up(self) -> None:
        """Nothing ends a read that waits in the kernel; the thread ends with the process."""

    def close(self) -> None:
        self._container.close()


def _open(device: str) -> InputContainer:
    failure: Exception = OSError(errno.ENODEV, os.strerror(errno.ENODEV))
    for rate, channels in _CHOICES:
        try:
            wanted = {"sample_rate": str(rate), "channels": str(channels)}
            return av.open(device, format="alsa", options=wanted, metadata_errors="replace")
        except (av.FFmpegError, OSError, ValueError) as error:
            failure = error
    raise failure
