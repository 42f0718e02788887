"""A segment's bytes are on the disk fragment by fragment, and what the index is told of them is so."""

from __future__ import annotations

import hashlib
import os
from contextlib import closing
from pathlib import Path

import pytest

from edge.clock import Instant, TimeQuality
from edge.domain.footage import Cause, fragments_root
from edge.recording.boxes import read_layout
from edge.recording.clips import clip_bytes, clips_between
from edge.recording.salvage import salvage
from edge.recording.writer import Place, SegmentWriter
from edge.store.db import open_room
from edge.store.segments import index
from support.cameras import FPS, decoded, make_packets, make_rare_packets

BOOT = "0123456789abcdef0123456789abcdef"
AT = Instant(1_780_000_000_123, 5_000, BOOT, TimeQuality.SYNCHRONISED)


def test_each_fragment_is_synced_before_the_next_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path, "door", BOOT, 1)
    video, packets = make_packets(3.3)
    synced = list[int]()
    real = os.fdatasync

    def watched(handle: int) -> None:
        real(handle)
        synced.append(place.path.stat().st_size)

    monkeypatch.setattr(os, "fdatasync", watched)
    writer = SegmentWriter(place, video, AT, 1)
    done = [(n, f) for n, p in enumerate(packets) if (f := writer.write(p))]
    assert [n for n, _ in done] == [10, 20, 30]  # each by the key frame that follows it
    assert synced == [f.offset + f.length for _, f in done]
    segment = writer.close(Cause.ROTATED)
    video.owner.close()

    data = place.path.read_bytes()
    assert segment.bytes == len(data)
    assert [f.n for f in segment.fragments] == [0, 1, 2, 3]
    assert [f.duration_ms for f in segment.fragments] == [1000, 1000, 1000, 300]
    assert [f.wall_ms - AT.wall_ms for f in segment.fragments] == [0, 1000, 2000, 3000]
    assert [f.mono_ms - AT.mono_ms for f in segment.fragments] == [0, 1000, 2000, 3000]
    reached = segment.init_length
    for fragment in segment.fragments:
        assert fragment.offset == reached
        part = data[reached : reached + fragment.length]
        assert part[4:8] == b"moof"
        assert fragment.sha256 == hashlib.sha256(part).hexdigest()
        reached += fragment.length
    assert reached == len(data)
    assert segment.init_sha256 == hashlib.sha256(data[: segment.init_length]).hexdigest()
    assert segment.digest == fragments_root([f.sha256 for f in segment.fragments])
    assert (segment.id, segment.path) == ("door-01234567-000001", f"door/{BOOT}-000001.mp4")
    assert (segment.started_ms, segment.duration_ms, segment.ended_ms) == (AT.wall_ms, 3300, AT.wall_ms + 3300)
    assert decoded(place.path) == len(packets)


def test_longer_fragments(tmp_path: Path) -> None:
    video, packets = make_packets(5)
    writer = SegmentWriter(Place(tmp_path, "door", BOOT, 1), video, AT, 2)
    for packet in packets:
        writer.write(packet)
    assert [f.duration_ms for f in writer.close(Cause.STOPPED).fragments] == [2000, 2000, 1000]
    video.owner.close()


def test_a_segment_starts_its_own_time(tmp_path: Path) -> None:
    """Packets in the middle of a stream: the file's time begins at zero."""
    video, packets = make_packets(3)
    place = Place(tmp_path, "door", BOOT, 1)
    writer = SegmentWriter(place, video, AT, 1)
    for packet in packets[10:]:
        writer.write(packet)
    writer.close(Cause.STOPPED)
    video.owner.close()
    with place.path.open("rb") as file:
        assert [p.start for p in read_layout(file).pieces] == [0, 90_000]
    assert decoded(place.path) == 20


def test_no_file_is_written_over(tmp_path: Path) -> None:
    video, _ = make_packets(0.1)
    place = Place(tmp_path, "door", BOOT, 1)
    place.path.parent.mkdir()
    place.path.write_bytes(b"somebody's")
    with pytest.raises(FileExistsError):
        SegmentWriter(place, video, AT, 1)
    video.owner.close()
    assert place.path.read_bytes() == b"somebody's"


def test_a_source_with_rare_key_frames_loses_no_more_to_a_kill(tmp_path: Path) -> None:
    place = Place(tmp_path, "door", BOOT, 1)
    video, packets = make_rare_packets(13, gop_s=6)
    assert [n for n, p in enumerate(packets) if p.keyframe] == [0, 60, 120]
    writer = SegmentWriter(place, video, AT, 1)
    lost = 0
    for n, packet in enumerate(packets):
        writer.write(packet)
        kept = writer.fragments[-1].ended_ms - AT.wall_ms if writer.fragments else 0
        lost = max(lost, (n + 1) * 1000 // FPS - kept)
    assert lost <= 1200
    before = list(writer.fragments)
    writer.abandon()
    video.owner.close()

    found = salvage(place, BOOT)
    assert list(found.fragments) == before
    assert [f.wall_ms - AT.wall_ms for f in before if f.key] == [0, 6000]
    pictures = sum(f.duration_ms for f in before) * FPS // 1000
    assert decoded(place.path) == pictures >= len(packets) - 17


def test_a_clip_from_between_rare_key_frames_begins_at_one_and_plays(tmp_path: Path) -> None:
    place = Place(tmp_path, "door", BOOT, 1)
    video, packets = make_rare_packets(13, gop_s=6)
    writer = SegmentWriter(place, video, AT, 1)
    for packet in packets:
        writer.write(packet)
    segment = writer.close(Cause.STOPPED)
    video.owner.close()
    assert decoded(place.path) == len(packets)
    with closing(open_room(tmp_path / "room.db")) as db:
        index(db, segment)
        (clip,) = clips_between(db, "door", AT.wall_ms + 8000, AT.wall_ms + 9200)
    assert clip.segment.fragments == segment.fragments
    assert clip.from_ms - AT.wall_ms == 6000
    assert clip.until_ms - AT.wall_ms >= 9200
    pictures = sum(f.duration_ms for f in clip.fragments) * FPS // 1000
    assert decoded(b"".join(clip_bytes(tmp_path, clip.segment, clip.fragments))) == pictures
