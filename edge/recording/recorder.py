"""From packets to segments: where a segment begins and why it ends.

One thread feeds it, the pen's (`edge.recording.pen`), which may wait for the disk. Nothing here waits for the store
(the indexer does) or raises for the disk: one that fails or fills is a state with its reason, and pictures go on.
"""

from __future__ import annotations

import errno
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import av

from edge import clock
from edge.clock import Instant, TimeQuality
from edge.config import Recording
from edge.domain.footage import Cause
from edge.errors import ExamroomError
from edge.hardware.camera.source import TICKS, Packet, Sound, VideoFormat
from edge.recording.indexer import Abandoned, Closed, Job, Note
from edge.recording.retention import free_mb
from edge.recording.soundtrack import Heard, SoundTrack
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
    fragment on the disk ended (0 for none), `unsynced_ms` when the oldest did that was written and is not on the disk
    for certain, `lost` counts packets that were not written while recording. Read by other threads as they are.
    """

    def __init__(
        self,
        recordings: Path,
        camera: str,
        options: Recording,
        put: Callable[[Job], None],
        first_sequence: int,
        *,
        room: str = "",
        now: Callable[[], Instant] = clock.now,
        free: Callable[[Path], int] = free_mb,
    ) -> None:
        self._recordings, self._camera, self._options = recordings, camera, options
        self._put, self._now, self._free = put, now, free
        self._sequence, self._room = first_sequence, room
        self._writer: SegmentWriter | None = None
        self._video: VideoFormat | None = None
        self._offset_ms: int | None = None  # wall minus monotonic, as last seen
        self._quality: TimeQuality | None = None
        self._stepped: Cause | None = None  # why the segment ends at the next key frame
        self._last: Packet | None = None
        self._key: Packet | None = None  # the last key frame, unless something is missing since
        self._gops_ms = deque[int](maxlen=5)  # how far apart the last of them were
        self._heard = Heard()
        self._again_ms = 0
        self._space_ms = 0
        self.trouble: tuple[str, dict[str, object]] | None = None
        self.last_fragment_mono_ms = 0
        self.unsynced_ms: int | None = None
        self._dropped = 0  # by the camera, since the last segment was closed
        self._closed_bytes = 0
        self.lost = 0

    @property
    def segment(self) -> str | None:
        """The id of the segment being written."""
        writer = self._writer
        return writer.id if writer else None

    @property
    def bytes(self) -> int:
        """How much was written since the start."""
        writer = self._writer
        return self._closed_bytes + (writer.bytes if writer else 0)

    def feed(
        self,
        video: VideoFormat,
        packets: list[Packet],
        at: Instant | None = None,
        *,
        hurry: bool = False,
        dropped: int = 0,
        sound: Sequence[Sound] = (),
    ) -> None:
        """Record one batch, in order, that had come by `at` (now).

        `hurry`: more is waiting, so that a fragment is synced with the next one. `dropped` pictures were lost by the
        camera since the last batch. `sound`: what was heard by then.
        """
        at = at or self._now()
        if sound:
            self._heard.add(sound)
        self._dropped += dropped
        self._watch_clock(at)
        self._watch_space(at)
        for packet in packets:
            try:
                self._record(video, packet, at, hurry)
            except (OSError, av.FFmpegError, ExamroomError) as error:
                self._failed(error, at)
            self._last = packet

    def lose(self, milliseconds: int, packets: int, dropped: int = 0) -> None:
        """What comes next was lost, since the disk was too slow: the segment ends here, and says so."""
        self.lost += packets
        self._dropped += dropped
        self._last = None
        self.finish(Cause.DISK_SLOW, milliseconds)

    def finish(self, cause: Cause, lost_ms: int = 0) -> None:
        """Close the open segment, if there is one."""
        self._key = None
        if self._writer is None:
            return
        try:
            self._close(cause, lost_ms)
        except (OSError, av.FFmpegError, ExamroomError) as error:
            self._failed(error, self._now())

    def _record(self, video: VideoFormat, packet: Packet, now: Instant, hurry: bool) -> None:
        if self._last is not None and packet.mono_ms - self._last.mono_ms > STALL_MS:
            self._close(Cause.CAMERA_STALLED)
            self._key = None
        if packet.keyframe:
            if self._key is not None and packet.dts > self._key.dts:
                self._gops_ms.append((packet.dts - self._key.dts) * 1000 // TICKS)
            self._key = packet
            self._begin(video, packet, now)
        if self._writer is None:
            self.lost += 1
            return
        fragment = self._writer.write(packet, sync=not hurry)
        if fragment is None:
            return
        ended_ms = fragment.mono_ms + fragment.duration_ms
        if not hurry:
            self.last_fragment_mono_ms, self.unsynced_ms = ended_ms, None
        elif self.unsynced_ms is None:
            self.unsynced_ms = ended_ms

    def _begin(self, video: VideoFormat, packet: Packet, now: Instant) -> None:
        """At a key frame: close a segment that is long enough, of another format or clock, and open the next one."""
        sound = self._heard.format(packet.mono_ms)
        if self._writer is not None:
            other = video is not self._video or (sound is not None and sound != self._writer.sound)
            if self._stepped is not None:
                self._close(self._stepped)
            elif other or self._long_enough(self._writer.elapsed_ticks(packet)):
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
                seconds = self._options.fragment_seconds
                track = SoundTrack(sound, taken, self._heard) if sound is not None else None
                gop_ms = sorted(self._gops_ms)[len(self._gops_ms) // 2] if self._gops_ms else None  # one may be odd
                self._writer = SegmentWriter(
                    place, video, taken, seconds,
                    room=self._room, sound=track, gop_ms=gop_ms, frame_ms=packet.duration * 1000 / TICKS,
                )  # fmt: skip
            except FileExistsError:
                continue  # somebody else's, or an older one: never written over
        self._stepped, self._video = None, video
        if self.trouble is not None:
            self._note("resumed")
            self.trouble = None

    def _long_enough(self, ticks: int) -> bool:
        return ticks >= self._options.segment_seconds * TICKS - TICKS // 100

    def _close(self, cause: Cause, lost_ms: int = 0) -> None:
        if self._writer is None:
            return
        segment = replace(self._writer.close(cause), dropped=self._dropped, lost_ms=lost_ms)
        self._dropped, self.unsynced_ms = 0, None
        self._closed_bytes += segment.bytes
        self._writer = None
        if segment.fragments:
            last = segment.fragments[-1]
            self.last_fragment_mono_ms = last.mono_ms + last.duration_ms
        self._put(Closed(segment))

    def _watch_clock(self, now: Instant) -> None:
        """A step, or time that is now believed more or less, is a ledger entry at once, and ends the segment at the
        next key frame, so that no second is lost to it and each segment is of one clock."""
        offset, quality = now.wall_ms - now.mono_ms, now.quality
        before, self._quality = self._quality, quality
        if self._offset_ms is None or self._writer is None:
            self._offset_ms = offset
            return
        step_ms = offset - self._offset_ms
        if abs(step_ms) <= STEP_MS and quality == before:
            return
        body: dict[str, object] = {"camera": self._camera, "segment": self._writer.id, "step_ms": 0}
        if abs(step_ms) > STEP_MS:
            body["step_ms"], self._offset_ms, self._stepped = step_ms, offset, Cause.CLOCK_STEP
        if quality != before:
            body |= {"quality": quality.value, "was": (before or quality).value}
            self._stepped = self._stepped or Cause.ROTATED
        self._put(Note("clock", body))

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
            self._put(Abandoned(self._writer.place, Cause.DISK_ERROR, self._dropped))
            self._writer, self._dropped, self.unsynced_ms = None, 0, None
        self._again_ms = now.mono_ms + _DISK_AGAIN_MS
        detail = errno.errorcode.get(error.errno or 0, "?") if isinstance(error, OSError) else str(error)
        if self.trouble is None:
            self._note("write-failed", detail=detail)
        self.trouble = ("recording_write_failed", {"camera": self._camera, "detail": why(error)})

    def _note(self, state: str, **facts: object) -> None:
        self._put(Note("recording", {"camera": self._camera, "state": state, **facts}))
