"""Where segments begin and end, and what the ledger is told; with a clock and a disk the test holds in its hand."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edge.clock import Instant, TimeQuality
from edge.config import Recording
from edge.domain.footage import Cause
from edge.domain.reasons import words
from edge.hardware.camera.source import Packet, VideoFormat
from edge.recording.indexer import Abandoned, Closed, Job, Note
from edge.recording.recorder import Recorder
from edge.recording.writer import SegmentWriter
from support.cameras import decoded, make_packets

BOOT = "0123456789abcdef" * 2
WALL = 1_780_000_000_000


@dataclass
class Bench:
    root: Path
    video: VideoFormat
    packets: list[Packet]
    free: int = 10_000
    ahead: int = 0
    quality: TimeQuality = TimeQuality.RTC
    mono: int = 0
    jobs: list[Job] = field(default_factory=list)

    def __post_init__(self) -> None:
        options = Recording(segment_seconds=5, reserve_mb=500)
        self.recorder = Recorder(
            self.root, "door", options, self.jobs.append, 1, now=self.now, free=lambda _: self.free
        )

    def now(self) -> Instant:
        return Instant(WALL + self.mono + self.ahead, self.mono, BOOT, self.quality)

    def play(self, start: int, stop: int) -> None:
        """Feed packets [start, stop) in batches of two, at their time."""
        for n in range(start, stop, 2):
            batch = self.packets[n : min(n + 2, stop)]
            self.mono = batch[-1].mono_ms
            self.recorder.feed(self.video, batch)

    @property
    def closed(self) -> list[tuple[str, int, int]]:
        """Cause, start and length in ms of each segment."""
        found = [job.segment for job in self.jobs if isinstance(job, Closed)]
        return [(s.cause, s.started_ms - WALL, s.duration_ms) for s in found]

    @property
    def notes(self) -> list[tuple[str, object]]:
        return [(j.kind, j.body.get("state", j.body.get("step_ms"))) for j in self.jobs if isinstance(j, Note)]


@pytest.fixture(scope="module")
def stream() -> Iterator[tuple[VideoFormat, list[Packet]]]:
    video, packets = make_packets(14, began_mono_ms=1000)
    yield video, packets
    video.owner.close()


@pytest.fixture
def bench(tmp_path: Path, stream: tuple[VideoFormat, list[Packet]]) -> Iterator[Bench]:
    made = Bench(tmp_path, *stream)
    yield made
    made.recorder.finish(Cause.STOPPED)


def test_segments_follow_on_without_a_gap(bench: Bench) -> None:
    bench.play(3, 140)
    bench.recorder.finish(Cause.STOPPED)
    assert bench.closed == [("rotated", 2000, 5000), ("rotated", 7000, 5000), ("stopped", 12000, 3000)]
    assert bench.recorder.lost == 7  # before the first key frame
    assert bench.recorder.last_fragment_mono_ms == 15000
    files = sorted((bench.root / "door").iterdir())
    assert [f.name for f in files] == [f"{BOOT}-00000{n}.mp4" for n in (1, 2, 3)]
    assert sum(decoded(f) for f in files) == 130
    assert bench.recorder.bytes == sum(f.stat().st_size for f in files)
    bench.recorder.finish(Cause.STOPPED)
    assert len(bench.closed) == 3


@pytest.mark.parametrize("step", [-3_600_000, -501, 501, 86_400_000])
def test_a_clock_step_ends_the_segment_and_loses_nothing(bench: Bench, step: int) -> None:
    bench.play(0, 24)
    bench.ahead = step
    bench.play(24, 60)
    bench.recorder.finish(Cause.STOPPED)
    assert bench.notes == [("clock", step)]
    assert bench.closed == [("clock-step", 1000, 3000), ("stopped", 4000 + step, 3000)]


def test_a_slow_clock_is_no_step(bench: Bench) -> None:
    for n in range(0, 100, 2):
        bench.ahead += 4
        bench.play(n, n + 2)
    assert bench.notes == []


def test_time_that_is_believed_more_begins_a_segment_and_loses_nothing(bench: Bench) -> None:
    bench.play(0, 24)
    bench.quality = TimeQuality.SYNCHRONISED
    bench.play(24, 40)
    bench.ahead, bench.quality = 2000, TimeQuality.UNKNOWN
    bench.play(40, 60)
    bench.recorder.finish(Cause.STOPPED)
    notes = [job.body for job in bench.jobs if isinstance(job, Note)]
    assert [(n["step_ms"], n["was"], n["quality"]) for n in notes] == [
        (0, "rtc", "synchronised"), (2000, "synchronised", "unknown"),
    ]  # fmt: skip
    found = [job.segment for job in bench.jobs if isinstance(job, Closed)]
    assert [(s.cause, s.quality, s.duration_ms) for s in found] == [
        ("rotated", "rtc", 3000), ("clock-step", "synchronised", 1000), ("stopped", "unknown", 2000),
    ]  # fmt: skip
    assert [s.ledger_body()["quality"] for s in found] == ["rtc", "synchronised", "unknown"]


def test_each_segment_knows_its_pictures_and_those_the_camera_lost(bench: Bench) -> None:
    bench.play(0, 20)
    bench.recorder.feed(bench.video, [], dropped=2)
    bench.play(20, 80)
    bench.recorder.feed(bench.video, [], dropped=3)
    bench.recorder.finish(Cause.CAMERA_STALLED)
    bench.recorder.feed(bench.video, [], dropped=4)  # nothing is open: they belong to the next
    bench.play(110, 140)
    bench.recorder.finish(Cause.STOPPED)
    found = [job.segment for job in bench.jobs if isinstance(job, Closed)]
    assert [(s.cause, s.frames, s.dropped) for s in found] == [
        ("rotated", 50, 2), ("camera-stalled", 30, 3), ("stopped", 30, 4),
    ]  # fmt: skip
    for segment in found:
        assert decoded(bench.root / segment.path) == segment.frames
        assert (segment.ledger_body()["frames"], segment.ledger_body()["dropped"]) == (segment.frames, segment.dropped)


def test_a_camera_that_stalls(bench: Bench) -> None:
    bench.play(0, 20)
    bench.play(55, 80)
    bench.recorder.finish(Cause.STOPPED)
    assert bench.closed == [("camera-stalled", 1000, 2000), ("stopped", 7000, 2000)]


def test_the_reserve_is_left_alone(bench: Bench) -> None:
    bench.play(0, 20)
    bench.free = 499
    bench.play(20, 50)
    assert bench.recorder.trouble == ("recording_reserve", {"free_mb": 499, "reserve_mb": 500})
    assert bench.recorder.segment is None
    bench.free = 520  # not yet enough more
    bench.play(50, 80)
    assert bench.recorder.segment is None
    bench.free = 600
    bench.play(80, 110)
    bench.recorder.finish(Cause.STOPPED)
    assert bench.recorder.trouble is None
    assert bench.notes == [("recording", "reserve"), ("recording", "resumed")]
    cause, start, length = bench.closed[0]
    assert (cause, start) == ("disk-reserve", 1000)
    assert 1500 <= length <= 2200
    assert bench.closed[1][0] == "stopped"
    assert 9000 <= bench.closed[1][1] <= 11000


def test_a_disk_that_fails_is_a_state_and_tried_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.play(0, 25)
    real = SegmentWriter._append

    def fails(self: SegmentWriter, data: bytes) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(SegmentWriter, "_append", fails)
    bench.play(25, 60)
    assert bench.recorder.trouble == ("recording_write_failed", {"camera": "door", "detail": words("os_EIO")})
    monkeypatch.setattr(SegmentWriter, "_append", real)
    bench.play(60, 140)
    bench.recorder.finish(Cause.STOPPED)
    assert bench.recorder.trouble is None
    abandoned = [job for job in bench.jobs if isinstance(job, Abandoned)]
    assert [(a.place.sequence, a.cause) for a in abandoned] == [(1, Cause.DISK_ERROR)]
    assert decoded(abandoned[0].place.path) == 20
    assert bench.notes == [("recording", "write-failed"), ("recording", "resumed")]
    assert bench.closed[-1][0] == "stopped"


def test_a_recordings_folder_that_cannot_be_made(bench: Bench) -> None:
    (bench.root / "door").write_text("a file in the way")
    bench.play(0, 30)
    trouble = bench.recorder.trouble
    assert trouble is not None
    assert trouble[0] == "recording_write_failed"
    assert bench.recorder.segment is None


def test_a_name_that_is_taken_is_passed_over(bench: Bench) -> None:
    (bench.root / "door").mkdir()
    taken = bench.root / "door" / f"{BOOT}-000001.mp4"
    taken.write_bytes(b"older")
    bench.play(0, 30)
    assert bench.recorder.segment == f"door-{BOOT[:8]}-000002"
    bench.recorder.finish(Cause.STOPPED)
    assert taken.read_bytes() == b"older"
