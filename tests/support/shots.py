"""Pictures made of bytes: JPEG markers that say what a test needs, without an encoder."""

from __future__ import annotations


def _part(marker: int, body: bytes) -> bytes:
    return bytes((0xFF, marker)) + (len(body) + 2).to_bytes(2, "big") + body


def make_jpeg(width: int, height: int, pad: int = 0, exif: bool = False) -> bytes:
    """A JPEG of this size, `pad` bytes longer than need be."""
    frame = b"\x08" + height.to_bytes(2, "big") + width.to_bytes(2, "big") + b"\x01\x01\x11\x00"
    notes = _part(0xE1, b"Exif\x00\x00II*\x00") if exif else b""
    head = (
        b"\xff\xd8" + _part(0xE0, b"JFIF\x00") + notes + _part(0xC0, frame) + _part(0xDA, b"\x01\x01\x00\x00\x3f\x00")
    )
    return head + bytes(range(1, 200)) * (1 + pad // 199) + b"\xff\xd9"
