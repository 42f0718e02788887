"""Further tracks beside the video, of text and of sound: put into the parts that the muxer has made, since the muxer
would hold pictures back until it knows what comes next on each of its tracks.

What has come when a fragment is complete goes into it as one more `traf` (ISO/IEC 14496-12, 8.8.6) with its own time;
what comes later goes with the next. The pictures' bytes are not copied for it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from edge.recording.boxes import children

UNITY = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
Bytes = bytes | memoryview


@dataclass(frozen=True)
class Samples:
    """What one track has in a fragment, one behind the other: `start` in the track's ticks, (ticks it lasts, bytes)."""

    track: int
    start: int
    each: Sequence[tuple[int, bytes]]

    @property
    def data(self) -> bytes:
        return b"".join(data for _, data in self.each)


def with_tracks(init: bytes, traks: Sequence[Callable[[int, int], bytes]]) -> tuple[bytes, list[int]]:
    """The initialisation part (`ftyp`, `moov`) with these tracks behind its own, and their numbers.

    Each is given its number and the video's width (16.16), and returns its `trak`.
    """
    length, number, width = struct.unpack_from(">I", init)[0], 0, 0
    parts = list[bytes]()
    for kind, found in children(init[length + 8 :]):
        body = found
        if kind == b"mvhd":
            (number,) = struct.unpack(">I", body[-4:])
            body = body[:-4] + struct.pack(">I", number + len(traks))
        elif kind == b"trak":
            width = next(struct.unpack(">I", tkhd[-8:-4])[0] for name, tkhd in children(body) if name == b"tkhd")
        elif kind == b"mvex":
            parts += [trak(number + n, width) for n, trak in enumerate(traks)]
            body += b"".join(full(b"trex", 0, struct.pack(">5I", number + n, 1, 0, 0, 0)) for n in range(len(traks)))
        parts.append(box(kind, body))
    return init[:length] + box(b"moov", *parts), [number + n for n in range(len(traks))]


@contextmanager
def with_samples(fragment: memoryview, more: Sequence[Samples]) -> Iterator[tuple[Bytes, ...]]:
    """The parts of a fragment (`moof`, `mdat`) with these behind its pictures, which are not copied for it."""
    if not more:
        yield (fragment,)
        return
    (length,) = struct.unpack_from(">I", fragment)
    mdat, kind = struct.unpack_from(">I4s", fragment, length)
    if kind != b"mdat" or mdat != len(fragment) - length:
        raise ValueError("a fragment is one moof and one mdat")
    grown = sum(len(_traf(one, 0)) for one in more)
    moof = [
        box(kind, _moved(body, grown) if kind == b"traf" else body)
        for kind, body in children(bytes(fragment[8:length]))
    ]
    payload = list[bytes]()
    at = length + grown + mdat
    for one in more:
        moof.append(_traf(one, at))
        payload.append(one.data)
        at += len(payload[-1])
    size = mdat + sum(len(data) for data in payload)
    head = box(b"moof", *moof) + struct.pack(">I4s", size, b"mdat")
    with fragment[length + 8 :] as pictures:
        yield head, pictures, *payload


def trak(number: int, handler: bytes, name: bytes, timescale: int, head: bytes, kind: bytes, entry: bytes) -> bytes:
    """A track's description without samples outside fragments.

    `head`: the end of its `tkhd` from the layer on; `kind`: its media header (`nmhd`, `smhd`); `entry`: its one sample
    entry.
    """
    none = struct.pack(">I", 0)
    return box(
        b"trak",
        full(b"tkhd", 3, struct.pack(">5I8x", 0, 0, number, 0, 0), head),
        box(
            b"mdia",
            full(b"mdhd", 0, struct.pack(">4I2H", 0, 0, timescale, 0, 0x55C4, 0)),  # of no language
            full(b"hdlr", 0, none, handler, bytes(12), name + b"\0"),
            box(
                b"minf",
                kind,
                box(b"dinf", full(b"dref", 0, struct.pack(">I", 1), full(b"url ", 1))),
                box(
                    b"stbl",
                    full(b"stsd", 0, struct.pack(">I", 1), entry),
                    full(b"stts", 0, none),
                    full(b"stsc", 0, none),
                    full(b"stsz", 0, none, none),
                    full(b"stco", 0, none),
                ),
            ),
        ),
    )


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def full(kind: bytes, flags: int, *parts: bytes) -> bytes:
    """A box with a version (the highest byte of `flags`) and flags."""
    return box(kind, struct.pack(">I", flags), *parts)


def _traf(samples: Samples, offset: int) -> bytes:
    table = b"".join(struct.pack(">2I", ticks, len(data)) for ticks, data in samples.each)
    return box(
        b"traf",
        full(b"tfhd", 0x20000, struct.pack(">I", samples.track)),
        full(b"tfdt", 1 << 24, struct.pack(">Q", samples.start)),
        full(b"trun", 0x301, struct.pack(">Ii", len(samples.each), offset), table),
    )


def _moved(traf: bytes, more: int) -> bytes:
    """The track's runs where their data lies `more` bytes later, since the boxes before it have grown."""
    parts = list[bytes]()
    for kind, found in children(traf):
        body = found
        if kind == b"trun" and body[3] & 1:
            (offset,) = struct.unpack_from(">i", body, 8)
            body = body[:8] + struct.pack(">i", offset + more) + body[12:]
        parts.append(box(kind, body))
    return b"".join(parts)
