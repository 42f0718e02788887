"""The recorder's memory before the disk: a thread of its own does all that waits for a disk, so that one that is late
or hangs costs no picture until the memory is full.

Then whole groups of pictures (a key frame and what needs it) go, the oldest first: what is nearest to the end is worth
most, and the hole is one stretch whose cause and length the recorder knows. It is the disk's, never the camera's.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from edge import clock
from edge.clock import Instant
from edge.domain.footage import Cause
from edge.hardware.camera.source import TICKS, Packet, Sound, VideoFormat

_log = logging.getLogger(__name__)
MEMORY_MS = 30_000
MEMORY_BYTES = 32 << 20


class Writing(Protocol):
    """What the pen's thread drives: `edge.recording.recorder.Recorder`."""

    @property
    def unsynced_ms(self) -> int | None: ...
    def feed(
        self,
        video: VideoFormat,
        packets: list[Packet],
        at: Instant,
        *,
        hurry: bool = False,
        dropped: int = 0,
        sound: Sequence[Sound] = (),
    ) -> None: ...
    def finish(self, cause: Cause) -> None: ...
    def lose(self, milliseconds: int, packets: int, dropped: int = 0) -> None: ...


@dataclass
class _Batch:
    """Packets of at most one group of pictures; with a key frame it is the first. `sound` came with them."""

    video: VideoFormat
    packets: list[Packet]
    at: Instant
    dropped: int
    sound: Sequence[Sound]

    @property
    def key(self) -> bool:
        return self.packets[0].keyframe

    @property
    def began_ms(self) -> int:
        return self.packets[0].mono_ms

    @property
    def ended_ms(self) -> int:
        return self.packets[-1].mono_ms + self.packets[-1].duration * 1000 // TICKS

    @property
    def bytes(self) -> int:
        return sum(len(packet.data) for packet in self.packets) + sum(len(one.data) for one in self.sound)


@dataclass
class _Finish:
    cause: Cause
    began_ms: int


@dataclass
class _Lost:
    began_ms: int
    ended_ms: int
    packets: int
    dropped: int


class Pen:
    """Give it batches in order; its thread writes them through `recorder`.

    `lost_ms` is what was lost since the start because the disk took longer than the memory lasts.
    """

    def __init__(self, recorder: Writing, *, memory_ms: int | None = None, memory_bytes: int | None = None) -> None:
        self._recorder = recorder
        self._most_ms = MEMORY_MS if memory_ms is None else memory_ms
        self._most_bytes = MEMORY_BYTES if memory_bytes is None else memory_bytes
        self._jobs: deque[_Batch | _Finish | _Lost] = deque()
        self._wake = threading.Condition()
        self._in_hand_ms: int | None = None
        self._held_ms = self._held_bytes = 0
        self._skipping = False  # until a key frame: what those pictures need is lost
        self._finished = True
        self._closing = False
        self._broken: BaseException | None = None
        self.lost_ms = 0
        self._thread = threading.Thread(target=self._run, name="pen", daemon=True)
        self._thread.start()

    def put(
        self,
        video: VideoFormat,
        packets: list[Packet],
        at: Instant,
        dropped: int = 0,
        sound: Sequence[Sound] = (),
    ) -> None:
        """Packets, and sound, that have come by `at`; `dropped`: pictures the camera lost since the last call.

        Whatever the recorder did not expect is raised here: then nothing is recorded any more, and the process ends.
        """
        with self._wake:
            self._raise()
            self._finished = False
            for group in _groups(packets):
                batch = _Batch(video, group, at, dropped, sound)
                dropped, sound = 0, ()
                if self._skipping and not batch.key:
                    self._lose([batch], len(self._jobs))
                    continue
                self._skipping = False
                self._jobs.append(batch)
                self._held_ms += batch.ended_ms - batch.began_ms
                self._held_bytes += batch.bytes
            while self._held_ms > self._most_ms or self._held_bytes > self._most_bytes:
                self._drop()
            self._wake.notify()

    def finish(self, cause: Cause) -> None:
        """Close the segment behind what waits."""
        with self._wake:
            self._raise()
            if not self._finished:
                self._finished, self._skipping = True, False
                self._jobs.append(_Finish(cause, clock.mono_ms()))
                self._wake.notify()

    def behind_ms(self, now_ms: int) -> int:
        """How long the oldest picture that could be on the disk has been waiting for it."""
        with self._wake:
            waits = [job.began_ms for job in self._jobs if not isinstance(job, _Lost)][:1]
            if self._in_hand_ms is not None:
                waits.append(self._in_hand_ms)
        unsynced = self._recorder.unsynced_ms
        if unsynced is not None:
            waits.append(unsynced)
        return max(0, now_ms - min(waits)) if waits else 0

    def close(self, timeout_s: float) -> int:
        """Write what waits, within `timeout_s`; how many milliseconds of pictures are lost with the process then."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(timeout_s)
        return self.behind_ms(clock.mono_ms()) if self._thread.is_alive() else 0

    def _raise(self) -> None:
        if self._broken is not None:
            raise RuntimeError("the recorder has ended") from self._broken

    def _run(self) -> None:
        try:
            while (found := self._next()) is not None:
                job, hurry = found
                if isinstance(job, _Batch):
                    self._recorder.feed(
                        job.video, job.packets, job.at, hurry=hurry, dropped=job.dropped, sound=job.sound
                    )
                elif isinstance(job, _Finish):
                    self._recorder.finish(job.cause)
                else:
                    self._recorder.lose(job.ended_ms - job.began_ms, job.packets, job.dropped)
                with self._wake:
                    self._in_hand_ms = None
        except BaseException as error:
            _log.exception("the recorder has ended")
            self._broken = error

    def _next(self) -> tuple[_Batch | _Finish | _Lost, bool] | None:
        """The oldest job, and whether a whole group of pictures waits behind it already; None at the end."""
        with self._wake:
            while not self._jobs:
                if self._closing:
                    return None
                self._wake.wait()
            job = self._jobs.popleft()
            self._in_hand_ms = job.began_ms
            if isinstance(job, _Batch):
                self._held_ms -= job.ended_ms - job.began_ms
                self._held_bytes -= job.bytes
            return job, any(isinstance(one, _Batch) and one.key for one in self._jobs)

    def _drop(self) -> None:
        """Lose the oldest group that begins in memory. What belongs to the group being written goes only when there
        is no other; of a group that still comes, the rest goes too."""
        keys = [n for n, job in enumerate(self._jobs) if isinstance(job, _Batch) and job.key]
        start = keys[0] if keys else next(n for n, job in enumerate(self._jobs) if isinstance(job, _Batch))
        end = start + 1
        while end < len(self._jobs) and isinstance(job := self._jobs[end], _Batch) and not job.key:
            end += 1
        self._skipping = self._skipping or end == len(self._jobs)
        gone = list[_Batch]()
        for _ in range(end - start):
            job = self._jobs[start]
            del self._jobs[start]
            if isinstance(job, _Batch):
                gone.append(job)
                self._held_ms -= job.ended_ms - job.began_ms
                self._held_bytes -= job.bytes
        self._lose(gone, start)

    def _lose(self, gone: list[_Batch], at: int) -> None:
        """Note these as lost, in place `at` of the queue, as one with a loss just before it."""
        before = self._jobs[at - 1] if at else None
        count, ended = sum(len(batch.packets) for batch in gone), gone[-1].ended_ms
        if not isinstance(before, _Lost):
            before = _Lost(gone[0].began_ms, gone[0].began_ms, 0, 0)
            self._jobs.insert(at, before)
        self.lost_ms += ended - before.ended_ms
        before.ended_ms, before.packets = ended, before.packets + count
        before.dropped += sum(batch.dropped for batch in gone)


def _groups(packets: list[Packet]) -> list[list[Packet]]:
    """The packets, parted before each key frame."""
    found = list[list[Packet]]()
    for packet in packets:
        if packet.keyframe or not found:
            found.append([])
        found[-1].append(packet)
    return found
