"""Signatures as strokes, and what is a plain JPEG."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.jpeg import read_jpeg
from edge.domain.strokes import check_strokes


def segment(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def jpeg(width: int = 640, height: int = 480, *before: bytes) -> bytes:
    frame = b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x01\x01\x11\x00"
    parts = [
        segment(0xE0, b"JFIF\x00"),
        *before,
        segment(0xDB, bytes(65)),
        segment(0xC0, frame),
        segment(0xDA, b"\x01"),
    ]
    return b"\xff\xd8" + b"".join(parts) + b"\x00\x11\x22" * 20 + b"\xff\xd9"


def test_a_plain_jpeg() -> None:
    found = read_jpeg(jpeg(1600, 1200))
    assert (found.width, found.height, found.exif) == (1600, 1200, False)
    assert read_jpeg(jpeg(8, 8, segment(0xE1, b"Exif\x00\x00II"))).exif


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG\r\n\x1a\n" + bytes(50),
        b"<svg onload=alert(1)>",
        jpeg()[:-2],
        jpeg()[:30] + b"\xff\xd9",
        jpeg(0, 10),
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xe0\xff\xff" + b"\xff\xd9",
        jpeg(10, 10, segment(0xC0, b"\x08\x00\x01\x00\x01\x01")),
    ],
)
def test_what_is_no_jpeg(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_jpeg(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_read(noise: bytes) -> None:
    try:
        found = read_jpeg(b"\xff\xd8\xff" + noise + b"\xff\xd9")
    except ValueError:
        return
    assert found.width > 0 and found.height > 0


def test_strokes() -> None:
    line = [[x, 100] for x in range(0, 100, 10)]
    flat = [value for point in line for value in point]
    assert check_strokes([flat]) == [flat]


@pytest.mark.parametrize(
    "strokes",
    [
        [],
        [[1]],
        [[1, 2, 3]],
        [[0, 0] * 7],
        [[0, 401] * 9],
        [[-1, 0] * 9],
        [[1001, 1] * 9],
        [[1, 1] * 2001],
        [[1, 1]] * 61,
    ],
)
def test_what_is_no_signature(strokes: list[list[int]]) -> None:
    with pytest.raises(ValueError, match=r"."):
        check_strokes(strokes)
