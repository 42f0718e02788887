"""Whether bytes are a plain JPEG, and how large its picture is, read from its markers without decoding it."""

from __future__ import annotations

from dataclasses import dataclass

from edge.errors import Wrong

_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
"""Baseline, extended and progressive: what cameras and browsers write."""
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})


@dataclass(frozen=True)
class Jpeg:
    """Width and height in pixels; `exif` when it carries a camera's notes (place, time, device)."""

    width: int
    height: int
    exif: bool


def read_jpeg(data: bytes) -> Jpeg:
    """ValueError when it does not begin, go on and end as a JPEG does, or has no picture in it."""
    if data[:3] != b"\xff\xd8\xff":
        raise Wrong("jpeg_start")
    if data.rstrip(b"\x00")[-2:] != b"\xff\xd9":
        raise Wrong("jpeg_end")
    at, exif, size = 2, False, None
    while True:
        marker, at = _marker(data, at)
        if marker in _BARE:
            continue
        if marker == 0xD9:
            raise Wrong("jpeg_empty")
        length = int.from_bytes(data[at : at + 2], "big")
        if length < 2 or at + length > len(data):
            raise Wrong("jpeg_broken")
        body = data[at + 2 : at + length]
        if marker == 0xE1:
            exif = True  # Exif and XMP alike
        if marker in _FRAMES:
            if size is not None or len(body) < 6:
                raise Wrong("jpeg_broken")
            size = int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big")
        if marker == 0xDA:
            break
        at += length
    if size is None or not size[0] or not size[1]:
        raise Wrong("jpeg_empty")
    return Jpeg(size[0], size[1], exif)


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """The marker at `at` and where its part begins; 0xFF may be repeated before it."""
    if at >= len(data) or data[at] != 0xFF:
        raise Wrong("jpeg_broken")
    while at < len(data) and data[at] == 0xFF:
        at += 1
    if at >= len(data) or data[at] == 0x00:
        raise Wrong("jpeg_broken")
    return data[at], at + 1
