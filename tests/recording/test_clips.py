"""Clips are the recorded bytes: playable, checked, and readable without a codec."""

from __future__ import annotations

import errno
import io
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.clock import Instant, TimeQuality
from edge.domain.footage import Cause, Gap
from edge.errors import BadInput, NotFound, VerificationFailed
from edge.recording import clips
from edge.recording.writer import Place, SegmentWriter
from edge.store import segments
from edge.store.db import open_room
from support.cameras import decoded, make_packets

BOOT = "0123456789abcdef" * 2
T0 = 1_780_000_000_000


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[sqlite3.Connection, Path]]:
    """Two segments of four seconds from T0, and one more after a gap of three."""
    root = tmp_path_factory.mktemp("clips")
    db = open_room(root / "room.db")
    video, packets = make_packets(4)
    for sequence, start, cause in ((1, 0, Cause.ROTATED), (2, 4000, Cause.KILLED), (3, 11_000, Cause.STOPPED)):
        at = Instant(T0 + start, start, BOOT, TimeQuality.RTC)
        writer = SegmentWriter(Place(root, "door", BOOT, sequence), video, at, 1)
        for packet in packets:
            writer.write(packet)
        segments.index(db, writer.close(cause))
    video.owner.close()
    yield db, root
    db.close()


Footage = tuple[sqlite3.Connection, Path]


def test_a_span_is_the_whole_fragments_that_cover_it(footage: Footage) -> None:
    db, root = footage
    found = clips.clips_between(db, "door", T0 + 2500, T0 + 5500)
    assert [(c.segment.sequence, [f.n for f in c.fragments]) for c in found] == [(1, [2, 3]), (2, [0, 1])]
    assert [(c.from_ms - T0, c.until_ms - T0) for c in found] == [(2000, 4000), (4000, 6000)]
    assert found[0].name == "door-01234567-000001-2-3.mp4"
    for clip in found:
        data = b"".join(clips.clip_bytes(root, clip.segment, clip.fragments))
        assert data == b"".join(clips.stream(root, clip))
        assert len(data) == clip.length
        assert decoded(data) == 20
    assert found[0].etag != found[1].etag
    assert clips.clips_between(db, "door", T0 + 8000, T0 + 11_000) == []
    assert clips.clips_between(db, "hall", T0, T0 + 9000) == []


def test_fragments_come_with_their_bytes(footage: Footage) -> None:
    db, root = footage
    segment = clips.segments_between(db, "door", T0, T0 + 1000)[0]
    data = (root / segment.path).read_bytes()
    assert clips.read_init(root, segment) == data[: segment.init_length]
    parts = list(clips.read_fragments(root, segment, T0 + 1000, T0 + 3000))
    assert [f.n for f, _ in parts] == [1, 2]
    assert all(part == data[f.offset : f.offset + f.length] for f, part in parts)


def test_completeness_from_the_index(footage: Footage) -> None:
    db, _ = footage
    found = clips.completeness_between(db, "door", T0 - 2000, T0 + 20_000)
    assert found.recorded_ms == 12_000
    assert found.gaps == (
        Gap(T0 - 2000, T0, "not-started"),
        Gap(T0 + 8000, T0 + 11_000, "killed"),
        Gap(T0 + 15_000, T0 + 20_000, "stopped"),
    )
    assert clips.completeness_between(db, "door", T0 + 9000, T0 + 10_000).gaps[0].cause == "killed"


@given(start=st.integers(0, 400_000), length=st.integers(0, 400_000))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_range_of_a_clip(footage: Footage, start: int, length: int) -> None:
    db, root = footage
    clip = clips.clips_between(db, "door", T0 + 500, T0 + 3500)[0]
    whole = b"".join(clips.clip_bytes(root, clip.segment, clip.fragments))
    start = min(start, len(whole))
    end = min(start + length, len(whole))
    assert b"".join(clips.stream(root, clip, start, end)) == whole[start:end]


def test_a_range_outside_is_refused(footage: Footage) -> None:
    db, root = footage
    clip = clips.clips_between(db, "door", T0 + 500, T0 + 3500)[0]
    for start, end in ((-1, 5), (5, 4), (0, clip.length + 1)):
        with pytest.raises(BadInput) as caught:
            clips.stream(root, clip, start, end)
        assert caught.value.code == "footage_range"


@pytest.mark.parametrize("how", ["cut", "unreadable"])
def test_a_disk_that_fails_in_the_middle_is_told_before_the_first_byte(
    footage: Footage, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    db, root = footage
    clip = clips.clips_between(db, "door", T0, T0 + 4000)[0]
    bad = clip.fragments[2].offset + 7
    whole = (root / clip.segment.path).read_bytes()

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if how == "unreadable" and self.tell() + (size or 0) > bad:
                raise OSError(errno.EIO, "Input/output error")
            return super().read(size)

    monkeypatch.setattr(clips, "open_footage", lambda _: Failing(whole[:bad] if how == "cut" else whole))
    good = clip.fragments[1].offset + clip.fragments[1].length
    assert b"".join(clips.stream(root, clip, 0, good)) == whole[:good]
    for start in (0, good):
        with pytest.raises(NotFound) as caught:
            clips.stream(root, clip, start, good + 9)
        assert caught.value.code == "footage_missing"
    # of more than is read beforehand, the line is cut where the disk fails
    monkeypatch.setattr(clips, "_READY", 1)
    blocks = clips.stream(root, clip)
    with pytest.raises(NotFound):
        list(blocks)


def test_altered_and_missing_footage_is_told(footage: Footage, tmp_path: Path) -> None:
    db, root = footage
    segment = clips.segments_between(db, "door", T0, T0 + 1000)[0]
    clip = clips.clips_between(db, "door", T0, T0 + 4000)[0]
    with pytest.raises(NotFound) as gone:
        clips.stream(tmp_path, clip)
    assert gone.value.code == "footage_missing"
    copy = tmp_path / segment.path
    copy.parent.mkdir()
    data = bytearray((root / segment.path).read_bytes())
    data[segment.fragments[2].offset + 300] ^= 1
    copy.write_bytes(data)
    reader = clips.read_fragments(tmp_path, segment, T0, T0 + 4000)
    assert [next(reader)[0].n, next(reader)[0].n] == [0, 1]
    with pytest.raises(VerificationFailed) as altered:
        next(reader)
    assert altered.value.facts == {"segment": segment.id, "n": 2}
    copy.write_bytes(data[:-1])
    with pytest.raises(NotFound):
        list(clips.read_fragments(tmp_path, segment, T0 + 3000, T0 + 4000))
    with pytest.raises(NotFound):
        list(clips.stream(tmp_path, clip))


def test_no_codec_is_imported() -> None:
    code = (
        "import sys, edge.recording.clips, edge.recording.boxes;"
        " sys.exit(bool({'av', 'cv2', 'onnxruntime', 'dlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
