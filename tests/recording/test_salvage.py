"""Whatever a killed recorder left is indexed as far as it is whole, and nothing of it is deleted."""

from __future__ import annotations

from pathlib import Path

from edge.clock import Instant, TimeQuality
from edge.domain.footage import Cause
from edge.recording.salvage import left_over, on_disk, salvage
from edge.recording.writer import Place, SegmentWriter
from edge.store.segments import Segment
from support.cameras import decoded, make_packets

BOOT, OTHER = "0123456789abcdef" * 2, "fedcba9876543210" * 2
AT = Instant(1_780_000_000_123, 5_000, BOOT, TimeQuality.SYNCHRONISED)


def recorded(root: Path, sequence: int = 1, boot: str = BOOT) -> Segment:
    place = Place(root, "door", boot, sequence)
    video, packets = make_packets(3.3)
    writer = SegmentWriter(place, video, AT, 1)
    for packet in packets:
        writer.write(packet)
    segment = writer.close(Cause.ROTATED)
    video.owner.close()
    return segment


def test_a_torn_file_is_cut_and_its_times_are_those_it_had(tmp_path: Path) -> None:
    whole = recorded(tmp_path)
    place = Place(tmp_path, "door", BOOT, 1)
    data = place.path.read_bytes()
    last = whole.fragments[-1]
    place.path.write_bytes(data[: last.offset + 50])
    found = salvage(place, BOOT)
    assert found.fragments == whole.fragments[:-1]
    assert found.init_sha256 == whole.init_sha256
    assert (found.started_ms, found.started_mono_ms, found.quality) == (AT.wall_ms, 5000, "synchronised")
    assert (found.ended_ms, found.salvaged, found.cause) == (AT.wall_ms + 3000, True, "killed")
    assert found.bytes == last.offset == place.path.stat().st_size
    assert decoded(place.path) == found.frames == 30
    tail = place.path.with_name(place.path.name + ".tail")
    assert place.path.read_bytes() + tail.read_bytes() == data[: last.offset + 50]
    assert salvage(place, BOOT) == found  # again, after a kill in the middle of it


def test_damage_in_the_middle_loses_no_byte(tmp_path: Path) -> None:
    whole = recorded(tmp_path)
    place = Place(tmp_path, "door", BOOT, 1)
    data = bytearray(place.path.read_bytes())
    data[whole.fragments[1].offset] ^= 0xFF
    place.path.write_bytes(data)
    found = salvage(place, BOOT)
    assert found.fragments == whole.fragments[:1]
    tail = place.path.with_name(place.path.name + ".tail")
    assert place.path.read_bytes() + tail.read_bytes() == bytes(data)


def test_a_whole_file_of_another_boot_is_a_power_cut(tmp_path: Path) -> None:
    whole = recorded(tmp_path, boot=OTHER)
    found = salvage(Place(tmp_path, "door", OTHER, 1), BOOT)
    assert (found.cause, found.fragments, found.digest) == ("power", whole.fragments, whole.digest)
    assert not list(tmp_path.rglob("*.tail"))


def test_a_file_without_a_fragment_stays_as_it_is(tmp_path: Path) -> None:
    whole = recorded(tmp_path)
    place = Place(tmp_path, "door", BOOT, 1)
    for content in (b"", b"\0" * 999, place.path.read_bytes()[: whole.fragments[0].offset + 9]):
        place.path.write_bytes(content)
        found = salvage(place, BOOT)
        assert (found.fragments, found.duration_ms, found.bytes) == ((), 0, len(content))
        assert place.path.read_bytes() == content
        assert not list(tmp_path.rglob("*.tail"))


def test_what_is_left_over(tmp_path: Path) -> None:
    folder = tmp_path / "door"
    folder.mkdir()
    for name in (f"{BOOT}-000001.mp4", f"{BOOT}-000002.mp4", f"{BOOT}-000003.mp4", f"{OTHER}-000009.mp4"):
        (folder / name).touch()
    for name in ("holiday.mp4", f"{BOOT}-000001.mp4.tail", f"{BOOT}-000004.mp4.expired", "..mp4"):
        (folder / name).touch()
    assert len(on_disk(tmp_path, "door")) == 4
    found = left_over(tmp_path, "door", {(BOOT, 1)}, BOOT, first_own=3)
    assert {(p.boot_id, p.sequence) for p in found} == {(BOOT, 2), (OTHER, 9)}
    assert on_disk(tmp_path, "window") == []
