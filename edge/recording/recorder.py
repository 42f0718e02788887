"""From packets to segments: where a segment begins and why it ends.

The loop that feeds it is one thread. Nothing here waits for the store (the indexer does) or raises for the disk: a
disk that fails or fills is a state with its reason, and the camera's pictures go on.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import av

from edge import clock
from edge.clock import Instant
from edge.config import Recording
from edge.domain.footage import Cause
from edge.errors import ExamroomError
from edge.hardware.camera.source import TICKS, Packet, VideoFormat
from edge.recording.indexer import Abandoned, Closed, Job, Note
from edge.recording.retention import free_mb
from edge.recording.writer import Place, SegmentWriter
from edge.why import why

_log = logging.getLogger(__name__)
STEP_MS = 500
STALL_MS = 2000
_DISK_AGAIN_MS = 2000
_SPACE_EVERY_MS = 1000


class Recorder:
    """Feed it batches; it puts jobs to the indexer through `put`.

    `trouble` is (code, facts) of why nothing is written now, or None. `last_fragment_mono_ms` is when the newest
    fragment on the disk ended (0 for none), `lost` counts packets that were not written while recording.
    """

    def __init__(
        self,
        recordings: Path,
        camera: str,
        options: Recording,
        put: Callable[[Job], None],
        first_sequence: int,
        *,
        now: Callable[[], Instant] = clock.now,
        free: Callable[[Path], int] = free_mb,
    ) -> None:
        self._recordings, self._camera, self._options = recordings, camera, options
        self._put, self._now, self._free = put, now, free
        self._sequence = first_sequence
        self._writer: SegmentWriter | None = None
        self._video: VideoFormat | None = None
        self._offset_ms: int | None = None  # wall minus monotonic, as last seen
        self._stepped = False
        self._last: Packet | None = None
        self._again_ms = 0
        self._space_ms = 0
        self.trouble: tuple[str, dict[str, object]] | None = None
        self.last_fragment_mono_ms = 0
        self._closed_bytes = 0
        self.lost = 0

    @property
    def segment(self) -> str | None:
        """The id of the segment being written."""
        return self._writer.id if self._writer else None

    @property
    def bytes(self) -> int:
        """How much was written since the start."""
        return self._closed_bytes + (self._writer.bytes if self._writer else 0)

    def feed(self, video: VideoFormat, packets: list[Packet]) -> None:
        """Record one batch, in order."""
        now = self._now()
        self._watch_clock(now)
        self._watch_space(now)
        for packet in packets:
            try:
                self._record(video, packet, now)
            except (OSError, av.FFmpegError, ExamroomError) as error:
                self._failed(error, now)
            self._last = packet

    def finish(self, cause: Cause) -> None:
        """Close the open segment, if there is one."""
        if self._writer is None:
            return
        try:
            self._close(cause)
        except (OSError, av.FFmpegError, ExamroomError) as error:
            self._failed(error, self._now())

    def _record(self, video: VideoFormat, packet: Packet, now: Instant) -> None:
        if self._last is not None and packet.mono_ms - self._last.mono_ms > STALL_MS:
            self._close(Cause.CAMERA_STALLED)
        if packet.keyframe:
            self._begin(video, packet, now)
        if self._writer is None:
            self.lost += 1
            return
        fragment = self._writer.write(packet)
        if fragment is not None:
            self.last_fragment_mono_ms = fragment.mono_ms + fragment.duration_ms

    def _begin(self, video: VideoFormat, packet: Packet, now: Instant) -> None:
        """At a key frame: close a segment that is long enough, of another format or clock, and open the next one."""
        if self._writer is not None:
            if self._stepped:
                self._close(Cause.CLOCK_STEP)
            elif video is not self._video or self._long_enough(self._writer.elapsed_ticks(packet)):
                self._close(Cause.ROTATED)
            else:
                return
        if self.trouble is not None and now.mono_ms < self._again_ms:
            return
        taken = replace(now, mono_ms=packet.mono_ms, wall_ms=now.wall_ms - (now.mono_ms - packet.mono_ms))
        while self._writer is None:
            place = Place(self._recordings, self._camera, now.boot_id, self._sequence)
            self._sequence += 1
            try:
                self._writer = SegmentWriter(place, video, taken, self._options.fragment_seconds)
            except FileExistsError:
                continue  # somebody else's, or an older one: never written over
        self._stepped, self._video = False, video
        if self.trouble is not None:
            self._note("resumed")
            self.trouble = None

    def _long_enough(self, ticks: int) -> bool:
        return ticks >= self._options.segment_seconds * TICKS - TICKS // 100

    def _close(self, cause: Cause) -> None:
        if self._writer is None:
            return
        segment = self._writer.close(cause)
        self._closed_bytes += segment.bytes
        self._writer = None
        if segment.fragments:
            last = segment.fragments[-1]
            self.last_fragment_mono_ms = last.mono_ms + last.duration_ms
        self._put(Closed(segment))

    def _watch_clock(self, now: Instant) -> None:
        """A step is a ledger entry now, and ends the segment at the next key frame, so that no second is lost to it."""
        offset = now.wall_ms - now.mono_ms
        if self._offset_ms is None or self._writer is None:
            self._offset_ms = offset
        elif abs(offset - self._offset_ms) > STEP_MS:
            body = {"camera": self._camera, "step_ms": offset - self._offset_ms, "segment": self._writer.id}
            self._put(Note("clock", body))
            self._offset_ms, self._stepped = offset, True

    def _watch_space(self, now: Instant) -> None:
        if now.mono_ms - self._space_ms < _SPACE_EVERY_MS:
            return
        self._space_ms = now.mono_ms
        try:
            self._recordings.mkdir(parents=True, exist_ok=True)
            free = self._free(self._recordings)
        except OSError as error:
            self._failed(error, now)
            return
        reserve = self._options.reserve_mb
        held = self.trouble is not None and self.trouble[0] == "recording_reserve"
        if free < reserve + (reserve // 10 if held else 0):
            self._again_ms = now.mono_ms + 2 * _SPACE_EVERY_MS
            facts: dict[str, object] = {"free_mb": free, "reserve_mb": reserve}
            if not held:
                self.finish(Cause.RESERVE)
                self._note("reserve", **facts)
            self.trouble = ("recording_reserve", facts)
        elif held:
            self._again_ms = 0

    def _failed(self, error: Exception, now: Instant) -> None:
        """The disk said no: let go of the file, which salvage will cut and index, and try a new one soon."""
        _log.error("camera %s: %s", self._camera, error)
        if self._writer is not None:
            self._writer.abandon()
            self._closed_bytes += self._writer.bytes
            self._put(Abandoned(self._writer.place, Cause.DISK_ERROR))
            self._writer = None
        self._again_ms = now.mono_ms + _DISK_AGAIN_MS
        detail = errno.errorcode.get(error.errno or 0, "?") if isinstance(error, OSError) else str(error)
        if self.trouble is None:
            self._note("write-failed", detail=detail)
        self.trouble = ("recording_write_failed", {"camera": self._camera, "detail": why(error)})

    def _note(self, state: str, **facts: object) -> None:
        self._put(Note("recording", {"camera": self._camera, "state": state, **facts}))
