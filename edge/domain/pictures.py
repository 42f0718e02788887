"""The size an encoded picture claims, read from its header, before anything is decoded by it."""

from __future__ import annotations

import struct

LARGEST_PIXELS = 50_000_000
"""Decoded, 150 MB."""
LARGEST_SIDE = 8192
_PNG = b"\x89PNG\r\n\x1a\n"
_STANDALONE = {0x01, *range(0xD0, 0xD9)}
_NOT_FRAMES = {0xC4, 0xC8, 0xCC}


def picture_size(data: bytes) -> tuple[int, int] | None:
    """(columns, rows) of a PNG or JPEG, None for anything else or a header that is not whole."""
    if data.startswith(_PNG):
        return struct.unpack_from(">II", data, 16) if data[12:16] == b"IHDR" and len(data) >= 24 else None
    return _jpeg_size(data) if data.startswith(b"\xff\xd8") else None


def size_fits(size: tuple[int, int] | None) -> bool:
    """Whether a picture of this size may be decoded."""
    columns, rows = size or (0, 0)
    return 0 < columns * rows <= LARGEST_PIXELS and max(columns, rows) <= LARGEST_SIDE


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    """From the frame header (ITU-T T.81, B.2.2), which stands before any coded data."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        kind = data[at + 1]
        if kind == 0xFF:  # a fill byte
            at += 1
        elif kind in _STANDALONE:
            at += 2
        elif 0xC0 <= kind <= 0xCF and kind not in _NOT_FRAMES:
            if at + 9 > len(data):
                return None
            rows, columns = struct.unpack_from(">HH", data, at + 5)
            return columns, rows
        elif kind == 0xDA:
            return None
        else:
            at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return None
