"""However far apart key frames lie: no fragment is much longer than a second, and they begin with key frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edge.clock import Instant, TimeQuality
from edge.config import Recording
from edge.domain.footage import Cause
from edge.hardware.camera.source import TICKS, Packet, VideoFormat
from edge.recording.cuts import cuts
from edge.recording.indexer import Closed, Job
from edge.recording.recorder import Recorder
from edge.store.segments import Segment
from support.cameras import make_packets

BOOT = "0123456789abcdef" * 2
WALL = 1_780_000_000_000


@pytest.fixture(scope="module")
def coded() -> tuple[VideoFormat, list[Packet]]:
    return make_packets(1)


def recorded(
    folder: Path, coded: tuple[VideoFormat, list[Packet]], fps: int, keys: list[int], last: int
) -> list[Segment]:
    """Segments of twenty seconds, of so many pictures, of which these are key frames; as they reach the recorder."""
    (video, (key, other, *_)), jobs, now = coded, list[Job](), Instant(WALL, 1000, BOOT, TimeQuality.SYNCHRONISED)
    options = Recording(segment_seconds=20, reserve_mb=0)
    recorder = Recorder(folder, "door", options, jobs.append, 1, now=lambda: now, free=lambda _: 9999)
    step = TICKS // fps
    for n in range(last):
        taken = 1000 + n * 1000 // fps
        now = Instant(WALL + taken, taken, BOOT, TimeQuality.SYNCHRONISED)
        packet = replace(key if n in keys else other, pts=n * step, dts=n * step, duration=step, mono_ms=taken)
        recorder.feed(video, [packet], now)
    recorder.finish(Cause.STOPPED)
    return [job.segment for job in jobs if isinstance(job, Closed)]


@pytest.mark.parametrize("fps", [5, 10, 25])
@pytest.mark.parametrize("gop_ms", [1000, 1200, 1300, 2000, 3000, 10_000])
def test_no_fragment_is_much_longer_than_a_second(
    tmp_path: Path, coded: tuple[VideoFormat, list[Packet]], fps: int, gop_ms: int
) -> None:
    keys = [*range(0, fps * 64, round(gop_ms * fps / 1000))]
    first, *rest = recorded(tmp_path, coded, fps, keys, fps * 64)
    assert len(rest) >= 2
    assert max(f.duration_ms for f in first.fragments) <= 1100, "nobody knows yet how far apart they lie"
    fragments = [f for segment in rest for f in segment.fragments]
    assert max(f.duration_ms for f in fragments) <= 1100
    begin = [f.mono_ms - 1000 for f in fragments if f.key]
    since = rest[0].started_mono_ms - 1000
    assert begin == pytest.approx([n * 1000 / fps for n in keys if n * 1000 / fps >= since], abs=2)
    assert len(fragments) <= 2.1 * sum(segment.duration_ms for segment in rest) / 1000


def test_one_key_frame_between_two_is_not_how_far_apart_they_lie(
    tmp_path: Path, coded: tuple[VideoFormat, list[Packet]]
) -> None:
    keys = sorted([*range(0, 500, 20), 183])
    _, second, *_ = recorded(tmp_path, coded, 10, keys, 500)
    assert max(f.duration_ms for f in second.fragments) <= 1100


def test_a_key_frame_each_second_is_waited_for() -> None:
    assert cuts(1, 1000, 40) == (500, 1500) and cuts(2, 1000, 40) == (1500, 2500)
    assert cuts(1, 1100, 40)[1] == 1500 and cuts(1, 1101, 40)[1] < 1000
    assert cuts(1, None, 4000)[1] == cuts(1, 2000, 4000)[1] == 1075, "right behind a loss a picture seems long"
