"""Where and when footage was taken, as a track of text beside the video: nothing is burnt in, so that the pictures stay
as the camera coded them.

Timed text of ISO/IEC 14496-12 and 3GPP TS 26.245 (`tx3g`): a line for each second of the wall clock. It is put into the
parts that the muxer has made, since the muxer would hold pictures back until it knows the next line.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from edge.clock import Instant, TimeQuality
from edge.hardware.camera.source import TICKS
from edge.recording.boxes import children

_UNITY = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_LINE = 40  # height of a line in pixels


@dataclass(frozen=True)
class Captions:
    """The text track of one segment: its id in the file, what each line begins with, and when the segment began."""

    track_id: int
    label: str
    at: Instant

    def lines(self, start: int, duration: int) -> list[tuple[int, str]]:
        """The lines of a fragment that begins `start` ticks into the segment: (ticks it stands, text), in order."""
        now, found = self.at.wall_ms * TICKS // 1000 + start, list[tuple[int, str]]()
        end = now + duration
        while now < end:
            until = min(end, (now // TICKS + 1) * TICKS)
            found.append((until - now, self._line(now // TICKS)))
            now = until
        return found

    def _line(self, second: int) -> str:
        local = datetime.fromtimestamp(second, UTC).astimezone()
        words = [self.label, local.isoformat(sep=" ", timespec="seconds")]
        if self.at.quality != TimeQuality.SYNCHRONISED:
            words.append(f"({self.at.quality.value})")
        return " ".join(words)


def with_track(init: bytes, label: str, at: Instant) -> tuple[bytes, Captions]:
    """The initialisation part (`ftyp`, `moov`) with the text track in it as the last one."""
    length, number, width = struct.unpack_from(">I", init)[0], 0, 0
    parts = list[bytes]()
    for kind, found in children(init[length + 8 :]):
        body = found
        if kind == b"mvhd":
            (number,) = struct.unpack(">I", body[-4:])
            body = body[:-4] + struct.pack(">I", number + 1)
        elif kind == b"trak":
            width = next(struct.unpack(">I", tkhd[-8:-4])[0] for name, tkhd in children(body) if name == b"tkhd")
        elif kind == b"mvex":
            parts.append(_trak(number, width))
            body += _full(b"trex", 0, struct.pack(">5I", number, 1, 0, 0, 0))
        parts.append(_box(kind, body))
    return init[:length] + _box(b"moov", *parts), Captions(number, label, at)


@contextmanager
def with_lines(
    fragment: memoryview, captions: Captions, start: int, duration: int
) -> Iterator[tuple[bytes | memoryview, ...]]:
    """The parts of a fragment (`moof`, `mdat`) with its lines behind its pictures, which are not copied for it;
    `start` and `duration` in ticks are theirs."""
    lines = captions.lines(start, duration)
    if not lines:
        yield (fragment,)
        return
    (length,) = struct.unpack_from(">I", fragment)
    mdat, kind = struct.unpack_from(">I4s", fragment, length)
    if kind != b"mdat" or mdat != len(fragment) - length:
        raise ValueError("a fragment is one moof and one mdat")
    samples = [struct.pack(">H", len(text)) + text for text in (line.encode() for _, line in lines)]
    table = b"".join(struct.pack(">2I", ticks, len(one)) for (ticks, _), one in zip(lines, samples, strict=True))

    def traf(offset: int) -> bytes:
        return _box(
            b"traf",
            _full(b"tfhd", 0x20000, struct.pack(">I", captions.track_id)),
            _full(b"tfdt", 1 << 24, struct.pack(">Q", start)),
            _full(b"trun", 0x301, struct.pack(">Ii", len(lines), offset), table),
        )

    more = len(traf(0))
    moof = b"".join(
        _box(kind, _moved(body, more) if kind == b"traf" else body)
        for kind, body in children(bytes(fragment[8:length]))
    )
    text = b"".join(samples)
    head = _box(b"moof", moof, traf(length + more + mdat)) + struct.pack(">I4s", mdat + len(text), b"mdat")
    with fragment[length + 8 :] as pictures:
        yield head, pictures, text


def _moved(traf: bytes, more: int) -> bytes:
    """The track's runs where their data lies `more` bytes later, since the boxes before it have grown."""
    parts = list[bytes]()
    for kind, found in children(traf):
        body = found
        if kind == b"trun" and body[3] & 1:
            (offset,) = struct.unpack_from(">i", body, 8)
            body = body[:8] + struct.pack(">i", offset + more) + body[12:]
        parts.append(_box(kind, body))
    return b"".join(parts)


def _trak(number: int, width: int) -> bytes:
    """The track's description, of the video's width (16.16) and one line high; it has no samples outside fragments."""
    none = struct.pack(">I", 0)
    tkhd = struct.pack(">5I8x2hH2x", 0, 0, number, 0, 0, 0, 0, 0) + _UNITY + struct.pack(">2I", width, _LINE << 16)
    box = struct.pack(">4h", 0, 0, _LINE, min(width >> 16, 0x7FFF))
    style = struct.pack(">3H2B4B", 0, 0, 1, 0, _LINE * 2 // 3, 255, 255, 255, 255)
    font = _box(b"ftab", struct.pack(">2HB", 1, 1, 5), b"Serif")
    entry = _box(b"tx3g", struct.pack(">6xHI2b4B", 1, 0, 0, 0, 0, 0, 0, 128), box, style, font)
    return _box(
        b"trak",
        _full(b"tkhd", 3, tkhd),
        _box(
            b"mdia",
            _full(b"mdhd", 0, struct.pack(">4I2H", 0, 0, TICKS, 0, 0x55C4, 0)),  # of no language
            _full(b"hdlr", 0, none, b"sbtl", bytes(12), b"time and place\0"),
            _box(
                b"minf",
                _full(b"nmhd", 0),
                _box(b"dinf", _full(b"dref", 0, struct.pack(">I", 1), _full(b"url ", 1))),
                _box(
                    b"stbl",
                    _full(b"stsd", 0, struct.pack(">I", 1), entry),
                    _full(b"stts", 0, none),
                    _full(b"stsc", 0, none),
                    _full(b"stsz", 0, none, none),
                    _full(b"stco", 0, none),
                ),
            ),
        ),
    )


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def _full(kind: bytes, flags: int, *parts: bytes) -> bytes:
    """A box with a version (the highest byte of `flags`) and flags."""
    return _box(kind, struct.pack(">I", flags), *parts)
