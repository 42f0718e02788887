"""Sound beside the pictures: in step, never lost between two segments, and never in the pictures' way."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import av
import pytest

from edge.clock import Instant, TimeQuality
from edge.config import Recording
from edge.domain.footage import Cause
from edge.hardware.camera.source import Packet, Sound, VideoFormat
from edge.recording import editlist
from edge.recording.boxes import read_layout
from edge.recording.clips import clip_bytes
from edge.recording.indexer import Closed, Job
from edge.recording.pen import Pen
from edge.recording.recorder import Recorder
from edge.recording.salvage import salvage
from edge.recording.soundtrack import LATE_MS, Heard, SoundTrack
from edge.recording.writer import Place
from edge.store.segments import Segment
from support.cameras import decoded, make_packets
from support.sounds import frames_of, heard, make_sounds

BOOT = "0123456789abcdef" * 2
WALL = 1_780_000_000_000
BEGAN = 1000


@pytest.fixture(scope="module")
def stream() -> Iterator[tuple[VideoFormat, list[Packet]]]:
    video, packets = make_packets(12, began_mono_ms=BEGAN)
    yield video, packets
    video.owner.close()


@pytest.fixture(scope="module")
def sounds() -> list[Sound]:
    """Twelve seconds beside the pictures, of which the first two and a half are silent."""
    return make_sounds(12, BEGAN, tone_s=2.5)


def recorded(
    root: Path,
    stream: tuple[VideoFormat, list[Packet]],
    sounds: Sequence[Sound],
    *,
    late_ms: int = 0,
    seconds: int = 60,
    until: int = 120,
) -> list[Segment]:
    """Pictures in batches of two with what has been heard by then, each frame `late_ms` after it has ended."""
    jobs, waiting = list[Job](), list(sounds)
    recorder = Recorder(root, "door", Recording(segment_seconds=seconds, reserve_mb=0), jobs.append, 1)
    video, packets = stream
    for n in range(0, until, 2):
        batch = packets[n : n + 2]
        now = batch[-1].mono_ms + 100
        come = [one for one in waiting if one.mono_ms + 64 + late_ms <= now]
        del waiting[: len(come)]
        recorder.feed(video, batch, Instant(WALL + now, now, BOOT, TimeQuality.RTC), sound=come)
    recorder.finish(Cause.STOPPED)
    return [job.segment for job in jobs if isinstance(job, Closed)]


def test_sound_is_in_step_with_the_pictures_and_as_long(
    tmp_path: Path, stream: tuple[VideoFormat, list[Packet]], sounds: list[Sound]
) -> None:
    (segment,) = recorded(tmp_path, stream, sounds)
    path = tmp_path / segment.path
    begins, ends, tone = heard(path)
    assert abs(begins) < 0.07 and abs(ends - 12) < 0.1
    assert tone == pytest.approx(2.5, abs=0.02)
    assert decoded(path) == segment.frames == 120 and segment.duration_ms == 12_000
    assert len(segment.fragments) == 12
    # a clip from the middle on, whose fragments have the sound that had come with them
    clip = b"".join(clip_bytes(tmp_path, segment, segment.fragments[1:4]))
    begins, ends, tone = heard(clip)
    assert abs(begins) < 0.15 and abs(ends - 3) < 0.15 and tone == pytest.approx(1.5, abs=0.02)
    assert decoded(clip) == 30


def test_no_frame_is_lost_or_heard_twice_where_segments_meet(
    tmp_path: Path, stream: tuple[VideoFormat, list[Packet]], sounds: list[Sound]
) -> None:
    """What was being heard at the first picture begins the new segment; only what comes later than that is lost."""
    found = recorded(tmp_path / "a", stream, sounds, seconds=5)
    assert [(s.cause, s.duration_ms) for s in found] == [("rotated", 5000), ("rotated", 5000), ("stopped", 2000)]
    every = [data for s in found for data in frames_of(tmp_path / "a" / s.path)]
    assert len(sounds) - 3 <= len(every) <= len(sounds)
    assert every == [one.data for one in sounds][: len(every)]
    for segment in found:
        begins, ends, _ = heard(tmp_path / "a" / segment.path)
        assert 0 <= begins <= LATE_MS / 1000 and abs(ends - segment.duration_ms / 1000) < 0.1
    late = recorded(tmp_path / "b", stream, sounds, seconds=5, late_ms=300)
    assert sum(s.duration_ms for s in late) == 12_000
    assert b"soun" not in (tmp_path / "b" / late[0].path).read_bytes(), "nothing was heard when it began"
    left = iter(one.data for one in sounds)
    kept = [data for s in late[1:] for data in frames_of(tmp_path / "b" / s.path)]
    assert all(data in left for data in kept), "in order, each once"
    assert len(sounds) - len(kept) <= 16 + 3 * 6


def test_sound_that_stops_costs_no_picture_and_is_placed_right_when_it_is_back(
    tmp_path: Path, stream: tuple[VideoFormat, list[Packet]], sounds: list[Sound]
) -> None:
    whole = recorded(tmp_path / "whole", stream, sounds)
    holed = [one for one in sounds if not 3500 < one.mono_ms < 8200]
    (segment,) = recorded(tmp_path / "holed", stream, holed)
    silent = recorded(tmp_path / "silent", stream, ())
    lengths = [[(f.duration_ms, f.mono_ms) for f in one.fragments] for one in (whole[0], segment, silent[0])]
    assert lengths[0] == lengths[1] == lengths[2]
    path = tmp_path / "holed" / segment.path
    assert decoded(path) == 120
    with av.open(str(path)) as container:
        spans = [float(p.pts * p.time_base) for p in container.demux(audio=0) if p.pts is not None and p.time_base]
    hole = max(b - a for a, b in pairwise(spans))
    assert hole == pytest.approx(4.7, abs=0.15)
    after = next(b for a, b in pairwise(spans) if b - a == hole)
    assert after == pytest.approx(7.2, abs=0.07)
    assert b"soun" not in (tmp_path / "silent" / silent[0].path).read_bytes(), "no track where nothing is heard"


def test_sound_that_begins_later_or_changes_its_form_begins_a_segment(
    tmp_path: Path, stream: tuple[VideoFormat, list[Packet]], sounds: list[Sound]
) -> None:
    later = [one for one in sounds if one.mono_ms > 4400]
    other = replace(later[0].format, channels=2)
    later = [one if one.mono_ms < 8400 else replace(one, format=other) for one in later]
    found = recorded(tmp_path, stream, later)
    assert [(s.cause, s.duration_ms) for s in found] == [("rotated", 4000), ("rotated", 4000), ("stopped", 4000)]
    counts = [len(frames_of(tmp_path / s.path)) for s in found if b"soun" in (tmp_path / s.path).read_bytes()]
    assert len(counts) == 2 and sum(counts) > len(later) - 2 * 10  # up to its key frame
    assert sum(decoded(tmp_path / s.path) for s in found) == 120


def test_what_a_kill_tore_is_cut_to_the_fragments_with_their_sound(
    tmp_path: Path, stream: tuple[VideoFormat, list[Packet]], sounds: list[Sound]
) -> None:
    """Also where a camera's frames of sound end in noughts, which no kill wrote."""
    noughts = [replace(one, data=one.data + bytes(4)) for one in sounds]
    (segment,) = recorded(tmp_path, stream, noughts, until=60)
    place = Place(tmp_path, "door", BOOT, 1)
    whole = place.path.read_bytes()
    assert salvage(place, BOOT).fragments == segment.fragments, "nothing of a whole file goes"
    for kept in (2, 4):
        start, last = segment.fragments[kept].offset, segment.fragments[kept].length
        for torn in (whole[: start + last - 1], whole[: start + last // 2], whole[: start + 9]):
            place.path.write_bytes(torn)
            left = salvage(place, BOOT)
            assert left.fragments == segment.fragments[:kept]
            assert place.path.read_bytes() == whole[:start]
            assert len(frames_of(place.path)) > 15 * (kept - 1)
    with place.path.open("rb") as file:
        assert len(read_layout(file).pieces) == 4


@pytest.mark.parametrize("gap", [False, True])
def test_the_exact_trim_has_its_sound_in_step(
    tmp_path: Path, stream: tuple[VideoFormat, list[Packet]], sounds: list[Sound], gap: bool
) -> None:
    """The view begins 300 ms into the third fragment; with a gap, before anything is heard."""
    chosen = [one for one in sounds if not gap or one.mono_ms < 1400 or one.mono_ms > 4000]
    (segment,) = recorded(tmp_path, stream, chosen)
    data = (tmp_path / segment.path).read_bytes()
    parts = [data[f.offset : f.offset + f.length] for f in segment.fragments[2:6]]
    moofs = [(part[: int.from_bytes(part[:4], "big")], len(part)) for part in parts]
    view = editlist.view_head(data[: segment.init_length], moofs, 300, 500) + b"".join(parts)
    with av.open(io.BytesIO(view)) as container:
        assert len(container.streams.audio) == 1
        assert gap or container.duration == pytest.approx(3_200_000, abs=70_000)
    begins, ends, tone = heard(view)
    assert ends == pytest.approx(3.2, abs=0.1)
    if gap:
        assert begins == pytest.approx(0.7, abs=0.1)
    else:
        assert abs(begins) < 0.07 and tone == pytest.approx(0.2, abs=0.03)
    silent = recorded(tmp_path / "silent", stream, [one for one in sounds if one.mono_ms < 2000])
    data = (tmp_path / "silent" / silent[0].path).read_bytes()
    parts = [data[f.offset : f.offset + f.length] for f in silent[0].fragments[8:9]]
    moofs = [(part[: int.from_bytes(part[:4], "big")], len(part)) for part in parts]
    view = editlist.view_head(data[: silent[0].init_length], moofs, 0, 500) + b"".join(parts)
    with av.open(io.BytesIO(view)) as container:
        assert not container.streams.audio and decoded(view) == 5


def test_sound_waits_for_the_disk_with_its_pictures(
    tmp_path: Path, stream: tuple[VideoFormat, list[Packet]], sounds: list[Sound]
) -> None:
    jobs, waiting = list[Job](), list(sounds)
    recorder = Recorder(tmp_path, "door", Recording(reserve_mb=0), jobs.append, 1, free=lambda _: 10_000)
    pen = Pen(recorder)
    video, packets = stream
    for n in range(0, 60, 5):
        mono = packets[n + 4].mono_ms
        come = [one for one in waiting if one.mono_ms < mono]
        del waiting[: len(come)]
        pen.put(video, packets[n : n + 5], Instant(WALL + mono, mono, BOOT, TimeQuality.RTC), 0, come)
    pen.finish(Cause.STOPPED)
    assert pen.close(10) == 0
    (segment,) = [job.segment for job in jobs if isinstance(job, Closed)]
    begins, ends, tone = heard(tmp_path / segment.path)
    assert abs(begins) < 0.07 and ends == pytest.approx(6, abs=0.2) and tone == pytest.approx(2.5, abs=0.02)


def test_what_nothing_takes_is_lost_from_the_old_end_and_a_camera_clock_that_runs_apart_is_followed() -> None:
    sounds, at = make_sounds(12), Instant(WALL, 0, BOOT, TimeQuality.RTC)
    idle = Heard()
    idle.add(sounds)
    assert [idle.frames[0].mono_ms, idle.frames[-1].mono_ms] == [1984, 11_968]
    assert idle.format(14_900) == sounds[0].format and idle.format(15_100) is None
    for apart in (0.02, -0.02):
        heard = Heard()
        track = SoundTrack(sounds[0].format, at, heard)
        ends = 0
        for one in sounds:
            mono = round(one.mono_ms * (1 + apart))
            heard.add([replace(one, mono_ms=mono)])
            for samples in track.samples(mono + 1):
                assert abs(samples.start / 16 - mono) <= LATE_MS + 1
                assert samples.start >= ends, "none over another"
                ends = samples.start + sum(ticks for ticks, _ in samples.each)
        assert abs(ends / 16 - 12_000 * (1 + apart)) <= LATE_MS + 64
