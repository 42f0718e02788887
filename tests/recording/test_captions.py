"""Time and place stand beside the pictures as text that any player reads, and the pictures are as they came."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import av
import pytest

from edge.clock import Instant, TimeQuality
from edge.domain.footage import Cause
from edge.hardware.camera.source import Packet, VideoFormat
from edge.recording.boxes import read_layout
from edge.recording.clips import clip_bytes
from edge.recording.salvage import salvage
from edge.recording.writer import Place, SegmentWriter
from edge.store.segments import Segment
from support.cameras import decoded, make_packets, make_rare_packets

BOOT = "0123456789abcdef" * 2
AT = Instant(1_780_000_000_123, 5_000, BOOT, TimeQuality.SYNCHRONISED)


@pytest.fixture(autouse=True)
def _in_china(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CST-8")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def recorded(folder: Path, video: VideoFormat, packets: list[Packet], at: Instant = AT, room: str = "考场7") -> Segment:
    writer = SegmentWriter(Place(folder, "door", BOOT, 1), video, at, 1, room=room)
    for packet in packets:
        writer.write(packet)
    segment = writer.close(Cause.STOPPED)
    video.owner.close()
    return segment


def lines(data: bytes) -> list[tuple[float, float, str]]:
    """(from, until, text) of each line, in seconds into the file, as libavformat reads them."""
    with av.open(io.BytesIO(data)) as container:
        (track,) = container.streams.subtitles
        assert track.codec_context.name == "mov_text"
        found = list[tuple[float, float, str]]()
        for packet in container.demux(track):
            if packet.size:
                raw, base = bytes(packet), float(packet.time_base or 0)
                assert int.from_bytes(raw[:2], "big") == len(raw) - 2
                start = (packet.pts or 0) * base
                found.append((round(start, 3), round(start + (packet.duration or 0) * base, 3), raw[2:].decode()))
    return found


def test_each_second_has_its_line(tmp_path: Path) -> None:
    segment = recorded(tmp_path, *make_packets(2.3))
    data = (tmp_path / segment.path).read_bytes()
    first, second, third = (f"考场7 door 2026-05-29 04:26:4{n}+08:00" for n in range(3))
    # a line ends with its second, and with its fragment
    assert lines(data) == [
        (0.0, 0.877, first), (0.877, 1.0, second), (1.0, 1.877, second), (1.877, 2.0, third), (2.0, 2.3, third),
    ]  # fmt: skip
    with av.open(io.BytesIO(data)) as container:
        assert container.metadata["title"] == "考场7 door"
        assert container.metadata["creation_time"].startswith("2026-05-28T20:26:40")
    started = read_layout(io.BytesIO(data)).started
    assert started is not None
    assert (started.room, started.wall_ms) == ("考场7", AT.wall_ms)


def test_a_clock_that_is_not_held_is_said_in_each_line(tmp_path: Path) -> None:
    at = Instant(AT.wall_ms, AT.mono_ms, BOOT, TimeQuality.RTC)
    segment = recorded(tmp_path, *make_packets(0.5), at=at, room="")
    assert [text for _, _, text in lines((tmp_path / segment.path).read_bytes())] == [
        "door 2026-05-29 04:26:40+08:00 (rtc)"
    ]


def units(data: bytes) -> list[bytes]:
    found, at = list[bytes](), 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        found.append(data[at + 4 : end])
        at = end
    return found


def test_the_pictures_are_as_they_came(tmp_path: Path) -> None:
    """Also where the fragments of a clip begin in the middle of its file."""
    video, packets = make_packets(3)
    given = [
        [unit for unit in packet.data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1") if unit] for packet in packets
    ]
    segment = recorded(tmp_path, video, packets)
    clip = b"".join(clip_bytes(tmp_path, segment, segment.fragments[1:]))
    for data, since in (((tmp_path / segment.path).read_bytes(), 0), (clip, 10)):
        with av.open(io.BytesIO(data)) as container:
            found = [units(bytes(packet)) for packet in container.demux(video=0) if packet.size]
        assert found == given[since:]
        assert decoded(data) == len(packets) - since


def test_a_torn_file_of_a_source_with_b_pictures_keeps_the_lines_of_its_whole_fragments(tmp_path: Path) -> None:
    segment = recorded(tmp_path, *make_rare_packets(5, gop_s=4))
    place = Place(tmp_path, "door", BOOT, 1)
    whole, last = place.path.read_bytes(), segment.fragments[-1]
    place.path.write_bytes(whole[:-1])  # the last byte of the last line
    found = salvage(place, BOOT)
    assert found.fragments == segment.fragments[:-1]
    kept = lines(place.path.read_bytes())
    assert kept == lines(whole)[: len(kept)]
    assert kept[-1][1] == pytest.approx((last.wall_ms - AT.wall_ms) / 1000, abs=0.002)
