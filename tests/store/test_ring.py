"""The frame ring: whole pictures or none, across writers that die and come back."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from edge.errors import BadInput
from edge.store.ring import RingReader, RingWriter


def write(ring: RingWriter, fill: int, size: int = 3000) -> int:
    return ring.write(
        mono_ms=fill, wall_ms=fill, source_ms=fill, width=10, height=100, bgr=bytes([fill % 256]) * size, jpeg=b"jpeg"
    )


def test_the_newest_whole_picture(tmp_path: Path) -> None:
    reader = RingReader(tmp_path / "frames.ring")
    assert reader.latest() is None
    ring = RingWriter(tmp_path / "frames.ring", 4000)
    assert reader.latest() is None
    for n in range(1, 12):
        assert write(ring, n) == n
        frame = reader.latest()
        assert frame is not None
        assert (frame.number, frame.bgr, frame.jpeg) == (n, bytes([n]) * 3000, b"jpeg")
    with pytest.raises(BadInput):
        write(ring, 1, 5000)
    ring.close()
    again = RingWriter(tmp_path / "frames.ring", 4000)
    assert reader.latest() is None
    write(again, 7)
    frame = reader.latest()
    assert frame is not None and frame.mono_ms == 7
    reader.close()
    again.close()


def test_who_waits_for_motion_need_not_copy_pictures(tmp_path: Path) -> None:
    reader = RingReader(tmp_path / "frames.ring")
    assert reader.motion() is None
    ring = RingWriter(tmp_path / "frames.ring", 4000)
    assert reader.motion() is None
    write(ring, 5)
    assert reader.motion() == (1, 5)  # a writer that does not say is taken to have seen something move
    ring.write(mono_ms=9, wall_ms=9, source_ms=-1, width=1, height=1, bgr=b"abc", jpeg=b"", moved_ms=6)
    assert reader.motion() == (2, 6)
    frame = reader.latest()
    assert frame is not None
    assert (frame.mono_ms, frame.moved_ms) == (9, 6)
    reader.close()
    ring.close()


def test_no_torn_picture_under_a_busy_writer(tmp_path: Path) -> None:
    ring, stop = RingWriter(tmp_path / "frames.ring", 200_000, slots=2), threading.Event()

    def keep_writing() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            write(ring, n, 150_000)

    thread = threading.Thread(target=keep_writing)
    thread.start()
    reader, seen = RingReader(tmp_path / "frames.ring"), 0
    for _ in range(2000):
        frame = reader.latest()
        if frame is not None:
            seen += 1
            assert frame.bgr.count(frame.bgr[:1]) == len(frame.bgr)
    stop.set()
    thread.join()
    assert seen > 0
    reader.close()
    ring.close()
