"""A disk that hangs: nothing is lost while memory lasts, then whole groups of pictures from the old end, by name."""

from __future__ import annotations

import gc
import os
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import av
import pytest

from edge.clock import Instant, TimeQuality
from edge.config import Camera, Recording
from edge.domain.footage import Cause, completeness
from edge.errors import Unavailable
from edge.hardware.camera.capture import CaptureCamera
from edge.hardware.camera.clip_file import FileCamera
from edge.hardware.camera.source import CameraSource, Packet, VideoFormat
from edge.recording.indexer import Closed, Job
from edge.recording.pen import Pen
from edge.recording.recorder import Recorder
from edge.store import ledger, segments
from edge.store.db import open_room
from edge.store.segments import Segment
from support.cameras import decoded, make_clip, make_packets, make_rare_packets

BOOT = "0123456789abcdef" * 2
WALL = 1_780_000_000_000


class Disk:
    """Every fdatasync waits while it `hangs`; `reached` is set when one does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._go, self.reached, self._real = threading.Event(), threading.Event(), os.fdatasync
        self._go.set()
        monkeypatch.setattr(os, "fdatasync", self._sync)

    def _sync(self, handle: int) -> None:
        if not self._go.is_set():
            self.reached.set()
            assert self._go.wait(20)
        self._real(handle)

    def hang(self) -> None:
        self._go.clear()

    def good(self) -> None:
        self._go.set()


@dataclass
class Desk:
    """A pen over a real recorder; `play` gives it packets, each at its own time."""

    root: Path
    memory_ms: int = 30_000
    memory_bytes: int = 32 << 20
    jobs: list[Job] = field(default_factory=list)

    def __post_init__(self) -> None:
        options = Recording(segment_seconds=60, reserve_mb=0)
        self.recorder = Recorder(self.root, "door", options, self.jobs.append, 1, free=lambda _: 10_000)
        self.pen = Pen(self.recorder, memory_ms=self.memory_ms, memory_bytes=self.memory_bytes)

    def play(self, video: VideoFormat, packets: list[Packet], dropped: int = 0) -> None:
        for n in range(0, len(packets), 2):
            batch = packets[n : n + 2]
            mono = batch[-1].mono_ms
            self.pen.put(video, batch, Instant(WALL + mono, mono, BOOT, TimeQuality.RTC), dropped)

    def end(self) -> list[Segment]:
        self.pen.finish(Cause.STOPPED)
        assert self.pen.close(10) == 0
        return [job.segment for job in self.jobs if isinstance(job, Closed)]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    made = Disk(monkeypatch)
    yield made
    made.good()


@pytest.fixture(scope="module")
def stream() -> tuple[VideoFormat, list[Packet]]:
    return make_packets(14, began_mono_ms=1000)


def test_a_disk_that_hangs_costs_nothing_while_memory_lasts(
    tmp_path: Path, disk: Disk, stream: tuple[VideoFormat, list[Packet]]
) -> None:
    video, packets = stream
    desk = Desk(tmp_path)
    disk.hang()
    desk.play(video, packets[:12])
    assert disk.reached.wait(5)
    desk.play(video, packets[12:])
    assert desk.pen.behind_ms(20_000) == 18_000, "the picture whose group is being synced came at 2 s"
    desk.pen.finish(Cause.STOPPED)
    assert desk.pen.close(0.05) > 0, "a process that ends now loses them, and knows"
    disk.good()
    (segment,) = desk.end()
    assert (segment.cause, segment.duration_ms, segment.frames, segment.lost_ms) == ("stopped", 14_000, 140, 0)
    assert decoded(tmp_path / segment.path) == 140
    assert desk.pen.behind_ms(20_000) == desk.pen.lost_ms == desk.recorder.lost == 0
    assert desk.recorder.last_fragment_mono_ms == 15_000


def test_behind_a_late_disk_fragments_are_synced_together(
    tmp_path: Path, disk: Disk, stream: tuple[VideoFormat, list[Packet]], monkeypatch: pytest.MonkeyPatch
) -> None:
    video, packets = stream
    desk, syncs = Desk(tmp_path), list[int | None]()
    disk.hang()
    desk.play(video, packets[:12])
    assert disk.reached.wait(5)
    slow = os.fdatasync

    def counted(handle: int) -> None:
        syncs.append(desk.recorder.unsynced_ms)
        slow(handle)

    monkeypatch.setattr(os, "fdatasync", counted)
    desk.play(video, packets[12:])
    disk.good()
    (segment,) = desk.end()
    assert len(segment.fragments) == 14
    assert syncs == [3000], "one for the twelve that waited, of which the oldest had ended at 3 s"


@pytest.mark.parametrize("limit", [{"memory_ms": 4000}, {"memory_bytes": 0}], ids=str)
def test_then_whole_groups_go_from_the_old_end_and_the_disk_is_named(
    tmp_path: Path, disk: Disk, stream: tuple[VideoFormat, list[Packet]], limit: dict[str, int]
) -> None:
    video, packets = stream
    if "memory_bytes" in limit:  # as much as 3.8 seconds have, whichever these are
        limit = {"memory_bytes": max(sum(len(p.data) for p in packets[n : n + 40]) for n in range(0, 100, 10))}
    desk = Desk(tmp_path, **limit)
    disk.hang()
    desk.play(video, packets[:12], dropped=1)
    assert disk.reached.wait(5)
    desk.play(video, packets[12:])
    lost_ms = desk.pen.lost_ms
    disk.good()
    first, second = desk.end()
    assert (first.cause, first.duration_ms, first.frames) == ("disk-slow", 2000, 20)
    assert (second.cause, second.ended_ms) == ("stopped", WALL + 15_000)
    assert first.lost_ms == lost_ms == second.started_ms - first.ended_ms > 7000
    assert lost_ms % 1000 == 0, "whole groups"
    assert desk.recorder.lost == lost_ms // 100
    assert (first.dropped, second.dropped) == (6, 0)
    assert decoded(tmp_path / first.path) == 20
    assert decoded(tmp_path / second.path) == second.frames == 120 - lost_ms // 100
    (gap,) = completeness([first, second], WALL + 1000, WALL + 15_000).gaps
    assert (gap.cause, gap.until_ms - gap.from_ms) == ("disk-slow", lost_ms)
    with closing(open_room(tmp_path / "room.db")) as db:
        for segment in (first, second):
            segments.index(db, segment)
        told = [(e.body["cause"], e.body["lost_ms"], e.body["frames"]) for e in ledger.entries(db, kinds=("segment",))]
        assert told == [("disk-slow", lost_ms, 20), ("stopped", 0, second.frames)]
        assert segments.between(db, "door", 0, 1 << 52)[0].lost_ms == lost_ms


def test_a_group_longer_than_the_memory_goes_as_a_whole(tmp_path: Path, disk: Disk) -> None:
    video, packets = make_rare_packets(20, gop_s=6)
    desk = Desk(tmp_path, memory_ms=3000)
    disk.hang()
    desk.play(video, packets[:20])
    assert disk.reached.wait(5)
    desk.play(video, packets[20:130])
    disk.good()
    desk.pen.finish(Cause.CAMERA_STALLED)
    desk.play(video, packets[180:])
    found = desk.end()
    assert [s.cause for s in found] == ["disk-slow", "camera-stalled", "stopped"]
    assert all(s.fragments[0].key for s in found)
    assert found[1].started_ms - WALL == 12_000
    assert sum(decoded(tmp_path / s.path) for s in found) == sum(s.frames or 0 for s in found)
    assert sum(s.frames or 0 for s in found) + desk.recorder.lost == 130 + len(packets) - 180


def test_a_stall_of_the_camera_stays_the_cameras(
    tmp_path: Path, disk: Disk, stream: tuple[VideoFormat, list[Packet]]
) -> None:
    """Both at once: the disk hangs, and the camera is away for three seconds of it."""
    video, packets = stream
    desk = Desk(tmp_path)
    disk.hang()
    desk.play(video, packets[:20])
    assert disk.reached.wait(5)
    for _ in range(3):
        desk.pen.finish(Cause.CAMERA_STALLED)
    desk.play(video, packets[50:])
    disk.good()
    assert [(s.cause, s.duration_ms, s.lost_ms) for s in desk.end()] == [
        ("camera-stalled", 2000, 0), ("stopped", 9000, 0),
    ]  # fmt: skip


def test_what_nobody_expected_ends_the_process(
    tmp_path: Path, stream: tuple[VideoFormat, list[Packet]], monkeypatch: pytest.MonkeyPatch
) -> None:
    video, packets = stream
    desk = Desk(tmp_path)
    monkeypatch.setattr(desk.recorder, "feed", None)
    desk.play(video, packets[:2])
    desk.pen._thread.join(5)
    with pytest.raises(RuntimeError):
        desk.play(video, packets[2:4])


@pytest.mark.parametrize("kind", ["file", "webcam"])
def test_what_waits_for_the_disk_is_written_though_the_camera_is_closed_by_then(
    tmp_path: Path, disk: Disk, kind: str
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", seconds=3)
    if kind == "file":
        camera: CameraSource = FileCamera("door", Camera(backend="file", source=str(clip), fps=10))
    else:
        camera = CaptureCamera("door", av.open(str(clip)), Camera(fps=10))
    desk, packets = Desk(tmp_path), list[Packet]()
    with suppress(Unavailable):  # the clip's end is the webcam's
        while len(packets) < 15:
            packets += camera.packets(0.1)
    video = camera.format
    assert video is not None
    disk.hang()
    desk.play(video, packets)
    desk.pen.finish(Cause.CAMERA_MISSING)
    camera.close()
    del camera
    gc.collect()
    again = [replace(p, dts=p.dts + 10**7, pts=p.pts + 10**7, mono_ms=p.mono_ms + 9000) for p in packets]
    desk.play(video, again)  # a segment that begins after the camera is gone
    del video
    disk.good()
    found = desk.end()
    assert [(s.cause, s.frames) for s in found] == [("camera-missing", len(packets)), ("stopped", len(packets))]
    assert [decoded(tmp_path / s.path) for s in found] == [len(packets)] * 2
