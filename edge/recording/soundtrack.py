"""Sound as a track beside the video, where a session's policy wants it: AAC-LC, each frame at the time it was heard.

It never holds a picture up: a fragment takes the frames that have come when it is complete, the others go with the next
fragment. Where segments meet, the frame that was being heard at the first picture begins the new one, whose sound may
so be as much as LATE_MS behind its pictures; what comes later than that for a segment that is closed is lost, since a
track has no time before its beginning (an edit list would give it some: libavformat 62 then drops a second of each
clip). How it gets into the file: `edge.recording.tracks`.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable

from edge.clock import Instant
from edge.hardware.camera.source import FRAME, Sound, SoundFormat
from edge.recording.tracks import UNITY, Samples, box, full, trak

LATE_MS = 80
RECENT_MS = 3000
BACKLOG_MS = 10_000


class Heard:
    """Sound that has come and waits for its fragment."""

    def __init__(self) -> None:
        self.frames = deque[Sound]()
        self._last: Sound | None = None

    def add(self, frames: Iterable[Sound]) -> None:
        """Frames in order; where nothing takes them, the oldest are lost."""
        for frame in frames:
            self.frames.append(frame)
            self._last = frame
        while self._last is not None and self.frames and self._last.mono_ms - self.frames[0].mono_ms > BACKLOG_MS:
            self.frames.popleft()

    def format(self, mono_ms: int) -> SoundFormat | None:
        """Of what is heard at that moment; None where nothing is."""
        last = self._last
        return last.format if last is not None and mono_ms - last.mono_ms < RECENT_MS else None

    def goes_on_as(self, form: SoundFormat) -> bool:
        """Whether what came last is of that format."""
        return self._last is not None and self._last.format == form


class SoundTrack:
    """The sound of one segment that began at `at`; its `track_id` in the file is known once that has begun."""

    def __init__(self, form: SoundFormat, at: Instant, heard: Heard) -> None:
        self.format, self._at, self._heard = form, at, heard
        self.track_id = 0
        self._next: int | None = None  # where the frame behind the last one begins

    def trak(self, number: int, _width: int) -> bytes:
        """The track's description."""
        self.track_id = number
        return sound_trak(number, self.format)

    def samples(self, until_ms: int) -> list[Samples]:
        """What has come of what was heard before `until_ms` of the monotonic clock, and is in no fragment yet."""
        slack, waiting = self._ticks(LATE_MS), self._heard.frames
        start, each = 0, list[tuple[int, bytes]]()
        while waiting and waiting[0].mono_ms < until_ms:
            if waiting[0].format != self.format and not self._heard.goes_on_as(self.format):
                break  # it is for the next segment
            frame = waiting.popleft()
            at, expected = self._ticks(frame.mono_ms - self._at.mono_ms), self._next or 0
            if abs(at - expected) <= slack and (self._next is not None or at < 0):
                at = expected  # less is jitter: frames follow on
            if at < expected or frame.format != self.format:  # before this segment, or heard twice
                continue
            if not each:
                start = at
            elif self._next is not None and at > self._next:
                each[-1] = (each[-1][0] + at - self._next, each[-1][1])
            each.append((FRAME, frame.data))
            self._next = at + FRAME
        return [Samples(self.track_id, start, each)] if each else []

    def _ticks(self, milliseconds: int) -> int:
        return round(milliseconds * self.format.rate / 1000)


def sound_trak(number: int, form: SoundFormat) -> bytes:
    """The description of a track of AAC-LC (ISO/IEC 14496-14)."""
    specific = _descriptor(5, form.config)
    decoder = _descriptor(4, struct.pack(">2B3x2I", 0x40, 0x15, 0, 0), specific)
    esds = full(b"esds", 0, _descriptor(3, struct.pack(">HB", number, 0), decoder, _descriptor(6, b"\2")))
    entry = box(b"mp4a", struct.pack(">6xH8x2H4xI", 1, form.channels, 16, form.rate << 16), esds)
    head = struct.pack(">2hH2x", 0, 0, 0x100) + UNITY + struct.pack(">2I", 0, 0)
    return trak(number, b"soun", b"sound", form.rate, head, full(b"smhd", 0, bytes(4)), entry)


def _descriptor(tag: int, *parts: bytes) -> bytes:
    """A descriptor of ISO/IEC 14496-1, 8.3.3, of fewer than 128 bytes."""
    body = b"".join(parts)
    return bytes((tag, len(body))) + body
