"""The box walker reads what the writer wrote, and of anything else only what is whole."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.clock import Instant, TimeQuality
from edge.domain.footage import Cause
from edge.errors import BadInput
from edge.recording.boxes import Layout, Started, read_layout
from edge.recording.writer import Place, SegmentWriter
from support.cameras import make_packets
from support.examples import examples

BOOT = "0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    place = Place(tmp_path_factory.mktemp("boxes"), "door", BOOT, 7)
    video, packets = make_packets(3.5)
    writer = SegmentWriter(place, video, Instant(1_780_000_000_123, 456, BOOT, TimeQuality.RTC), 1)
    for packet in packets:
        writer.write(packet)
    writer.close(Cause.STOPPED)
    video.owner.close()
    return place.path.read_bytes()


def layout_of(data: bytes) -> Layout:
    return read_layout(io.BytesIO(data))


def test_a_whole_file(file: bytes) -> None:
    layout = layout_of(file)
    assert layout.started == Started("door", BOOT, 7, 1_780_000_000_123, 456, "rtc")
    assert layout.track.timescale == 90_000
    assert [(p.start, p.duration) for p in layout.pieces] == [
        (0, 90_000), (90_000, 90_000), (180_000, 90_000), (270_000, 45_000),
    ]  # fmt: skip
    assert layout.whole == len(file)
    assert layout.init_length == layout.pieces[0].offset


@given(st.integers(0, 1_000_000))
@settings(max_examples=examples(200), deadline=None)
def test_a_file_cut_anywhere_keeps_its_whole_fragments(file: bytes, millionths: int) -> None:
    whole = layout_of(file)
    cut = len(file) * millionths // 1_000_000
    if cut < whole.init_length:
        with pytest.raises(BadInput):
            layout_of(file[:cut])
        return
    found = layout_of(file[:cut])
    assert found.pieces == tuple(p for p in whole.pieces if p.offset + p.length <= cut)
    # what a file system may leave behind the cut instead of the data
    assert layout_of(file[:cut] + bytes(len(file) - cut)).pieces == found.pieces


@given(st.binary(max_size=4000))
@settings(deadline=None)
def test_any_bytes_are_a_layout_or_bad_input(data: bytes) -> None:
    try:
        layout_of(data)
    except BadInput as error:
        assert error.code == "footage_not_mp4"


@given(st.data())
@settings(max_examples=examples(400), deadline=None)
def test_altered_bytes_are_a_layout_within_the_file_or_bad_input(file: bytes, data: st.DataObject) -> None:
    whole = layout_of(file)
    heads = [range(whole.init_length), *(range(p.offset, p.offset + 200) for p in whole.pieces)]
    altered = bytearray(file)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.sampled_from(data.draw(st.sampled_from(heads))))
        altered[at % len(altered)] = data.draw(st.integers(0, 255))
    try:
        found = layout_of(bytes(altered))
    except BadInput as error:
        assert error.code == "footage_not_mp4"
        return
    reached = found.init_length
    for piece in found.pieces:
        assert piece.offset == reached
        assert piece.length > 0
        assert piece.duration >= 0
        reached += piece.length
    assert reached == found.whole <= len(file)


@given(st.data())
@settings(max_examples=examples(200), deadline=None)
def test_random_boxes_end_the_file(file: bytes, data: st.DataObject) -> None:
    whole = layout_of(file)
    box = struct.pack(">I4s", data.draw(st.integers(0, 2**32 - 1)), data.draw(st.binary(min_size=4, max_size=4)))
    found = layout_of(file + box + data.draw(st.binary(max_size=64)))
    assert found.pieces[: len(whole.pieces)] == whole.pieces


def test_a_box_of_64_bit_length_is_read(file: bytes) -> None:
    last = layout_of(file).pieces[-1]
    moof = struct.unpack_from(">I", file, last.offset)[0]
    mdat = last.offset + moof
    content = file[mdat + 8 :]
    large = file[:mdat] + struct.pack(">I4sQ", 1, b"mdat", len(content) + 16) + content
    assert layout_of(large).pieces[-1].length == last.length + 8


def test_no_file_is_read_whole(tmp_path: Path) -> None:
    """A moov or moof that claims gigabytes is refused by its header."""
    huge = tmp_path / "huge.mp4"
    with huge.open("wb") as file:
        file.write(struct.pack(">I4s", 16, b"ftyp") + b"isom\0\0\0\0")
        file.write(struct.pack(">I4s", 2**31, b"moov"))
        file.truncate(2**32)
    with huge.open("rb") as file, pytest.raises(BadInput):
        read_layout(file)
