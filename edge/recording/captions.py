"""Where and when footage was taken, as a track of text beside the video: nothing is burnt in, so that the pictures stay
as the camera coded them.

Timed text of ISO/IEC 14496-12 and 3GPP TS 26.245 (`tx3g`): a line for each second of the wall clock. How it gets into
the file: `edge.recording.tracks`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime

from edge.clock import Instant, TimeQuality
from edge.hardware.camera.source import TICKS
from edge.recording.tracks import UNITY, Samples, box, full, trak

_LINE = 40  # height of a line in pixels


@dataclass(frozen=True)
class Captions:
    """The text track of one segment: its id in the file, what each line begins with, and when the segment began."""

    track_id: int
    label: str
    at: Instant

    def samples(self, start: int, duration: int) -> list[Samples]:
        """The lines of a fragment that begins `start` ticks into the segment, if there are any."""
        lines = [(ticks, line.encode()) for ticks, line in self._lines(start, duration)]
        each = [(ticks, struct.pack(">H", len(line)) + line) for ticks, line in lines]
        return [Samples(self.track_id, start, each)] if each else []

    def _lines(self, start: int, duration: int) -> list[tuple[int, str]]:
        """(ticks it stands, text) of each, in order."""
        now, found = self.at.wall_ms * TICKS // 1000 + start, list[tuple[int, str]]()
        end = now + duration
        while now < end:
            until = min(end, (now // TICKS + 1) * TICKS)
            found.append((until - now, self._line(now // TICKS)))
            now = until
        return found

    def _line(self, second: int) -> str:
        local = datetime.fromtimestamp(second, UTC).astimezone()
        words = [self.label, local.isoformat(sep=" ", timespec="seconds")]
        if self.at.quality != TimeQuality.SYNCHRONISED:
            words.append(f"({self.at.quality.value})")
        return " ".join(words)


def text_trak(number: int, width: int) -> bytes:
    """The track's description, of the video's width (16.16) and one line high."""
    head = struct.pack(">2hH2x", 0, 0, 0) + UNITY + struct.pack(">2I", width, _LINE << 16)
    frame = struct.pack(">4h", 0, 0, _LINE, min(width >> 16, 0x7FFF))
    style = struct.pack(">3H2B4B", 0, 0, 1, 0, _LINE * 2 // 3, 255, 255, 255, 255)
    font = box(b"ftab", struct.pack(">2HB", 1, 1, 5), b"Serif")
    entry = box(b"tx3g", struct.pack(">6xHI2b4B", 1, 0, 0, 0, 0, 0, 0, 128), frame, style, font)
    return trak(number, b"sbtl", b"time and place", TICKS, head, full(b"nmhd", 0), entry)
