"""The boxes of a fragmented MP4 file (ISO/IEC 14496-12), read without a codec and without trusting a byte of it.

A footage file is ftyp, moov, then fragments: each one moof directly followed by its mdat. The first track is the video;
what other tracks hold is counted and not looked at. Whatever does not continue
that way ends the file as far as we are concerned: a torn write, a zeroed tail or a flipped length looks the same.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from edge.errors import BadInput

_LARGEST_HEAD = 4 << 20  # a moov or moof of ours has under a few kilobytes
_TIME_LIMIT = 1 << 62
_NON_SYNC = 0x10000  # a sample that needs another to be decoded


class _Broken(Exception):
    """These bytes are not the box they claim to be."""


@dataclass(frozen=True)
class Started:
    """What the writer put in the file's comment before the first frame: where and when the segment began."""

    camera: str
    boot_id: str
    sequence: int
    wall_ms: int
    mono_ms: int
    quality: str
    room: str = ""


@dataclass(frozen=True)
class Piece:
    """One whole fragment: its bytes in the file, its first decode time and its length in ticks of the timescale.

    `key`: whether its first picture can be decoded without the one before; `frames`: how many pictures it holds.
    """

    offset: int
    length: int
    start: int
    duration: int
    key: bool
    frames: int


@dataclass(frozen=True)
class Track:
    """What of the moov is needed to read fragments: ticks a second, the default sample duration, size and flags."""

    timescale: int
    duration: int
    size: int
    flags: int


@dataclass(frozen=True)
class Layout:
    """A footage file: [0, init_length) is ftyp and moov, the pieces follow on without a hole, `whole` is their end."""

    init_length: int
    track: Track
    started: Started | None
    pieces: tuple[Piece, ...]

    @property
    def whole(self) -> int:
        return self.pieces[-1].offset + self.pieces[-1].length if self.pieces else self.init_length

    def ms(self, ticks: int) -> int:
        return ticks * 1000 // self.track.timescale


def read_layout(file: BinaryIO) -> Layout:
    """The layout of a seekable binary file. BadInput(`footage_not_mp4`) when it has no whole ftyp and moov."""
    try:
        size = file.seek(0, 2)
        kind, length, _ = _header(file, 0, size)
        if kind != b"ftyp":
            raise _Broken("no ftyp")
        kind, moov_length, head = _header(file, length, size)
        if kind != b"moov":
            raise _Broken("no moov")
        moov = _content(file, length, moov_length, head)
        track, started = _track(moov), _started(moov)
    except _Broken as error:
        raise BadInput("footage_not_mp4") from error
    pieces = list[Piece]()
    at = init = length + moov_length
    while at < size:
        try:
            piece = read_piece(file, at, size, track)
        except BadInput:
            break
        pieces.append(piece)
        at += piece.length
    if pieces and _ends_in_zero(file, at):
        pieces.pop()
    return Layout(init, track, started, tuple(pieces))


def _ends_in_zero(file: BinaryIO, end: int) -> bool:
    """Whether the file system kept the length of the last write and not its data.

    An H.264 NAL unit never ends in a zero byte (ITU-T H.264, 7.4.1), nor does a line of text, which comes last in a
    fragment; a frame of sound may.
    """
    file.seek(end - 1)
    return file.read(1) == b"\0"


def read_piece(file: BinaryIO, at: int, size: int, track: Track) -> Piece:
    """The fragment that begins at `at` of a file of `size` bytes. BadInput when it is not whole."""
    try:
        kind, length, head = _header(file, at, size)
        if kind != b"moof":
            raise _Broken("no moof")
        start, duration, samples, key, frames = _run(_content(file, at, length, head), track)
        kind, data_length, data_head = _header(file, at + length, size)
        if kind != b"mdat" or data_length - data_head != samples:
            raise _Broken("no mdat of the size its moof gives")
        return Piece(at, length + data_length, start, duration, key, frames)
    except _Broken as error:
        raise BadInput("footage_not_mp4") from error


def _header(file: BinaryIO, at: int, size: int) -> tuple[bytes, int, int]:
    """Type, whole length and header length of the box at `at`, which ends within `size` (clause 4.2)."""
    file.seek(at)
    head = file.read(16)
    if len(head) < 8:
        raise _Broken("cut short")
    length, kind = struct.unpack_from(">I4s", head)
    header = 8
    if length == 1:
        if len(head) < 16:
            raise _Broken("cut short")
        (length,), header = struct.unpack_from(">Q", head, 8), 16
    if length < header or at + length > size:
        raise _Broken("a box longer than the file")
    return kind, length, header


def _content(file: BinaryIO, at: int, length: int, head: int) -> bytes:
    if length > _LARGEST_HEAD:
        raise _Broken("a header box of more than 4 MiB")
    file.seek(at + head)
    content = file.read(length - head)
    if len(content) != length - head:
        raise _Broken("cut short")
    return content


def children(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Type and content of each box in a box; an error of this module's own where they do not fill it."""
    at = 0
    while at < len(content):
        if len(content) - at < 8:
            raise _Broken("a box cut short")
        length, kind = struct.unpack_from(">I4s", content, at)
        if length < 8 or at + length > len(content):
            raise _Broken("a box longer than its parent")
        yield kind, content[at + 8 : at + length]
        at += length


def _descend(content: bytes, *path: bytes) -> bytes:
    for kind in path:
        found = next((body for name, body in children(content) if name == kind), None)
        if found is None:
            raise _Broken(f"no {kind.decode('latin-1')}")
        content = found
    return content


def _numbers(form: str, content: bytes, at: int = 0) -> tuple[int, ...]:
    if at + struct.calcsize(form) > len(content):
        raise _Broken("a box cut short")
    return struct.unpack_from(form, content, at)


def _track(moov: bytes) -> Track:
    """Timescale (mdhd, 8.4.2) and fragment defaults (trex, 8.8.3) of the first track."""
    mdhd = _descend(moov, b"trak", b"mdia", b"mdhd")
    version, *_ = _numbers(">B", mdhd)
    (timescale,) = _numbers(">I", mdhd, 20 if version == 1 else 12)
    if timescale == 0:
        raise _Broken("a timescale of zero")
    *_, duration, size, flags = _numbers(">IIIIII", _descend(moov, b"mvex", b"trex"))
    return Track(timescale, duration, size, flags)


def _run(moof: bytes, track: Track) -> tuple[int, int, int, bool, int]:
    """First decode time and summed durations of the first track's samples in a moof, the summed sizes of all tracks'
    (8.8.7, 8.8.8, 8.8.12), whether the first sample is a sync sample (8.8.3.1), and the number of the first track's."""
    traf, *others = [body for kind, body in children(moof) if kind == b"traf"] or [_descend(moof, b"traf")]
    tfdt = _descend(traf, b"tfdt")
    (start,) = _numbers(">Q", tfdt, 4) if tfdt[:1] == b"\1" else _numbers(">I", tfdt, 4)
    defaults = _defaults(_descend(traf, b"tfhd"), track)
    ticks = length = frames = 0
    first: int | None = None
    for kind, trun in children(traf):
        if kind == b"trun":
            more = _samples(trun, defaults)
            ticks, length = ticks + more[0], length + more[1]
            first = more[2] if first is None else first
            frames += more[3]
    for other in others:
        theirs = _defaults(_descend(other, b"tfhd"), Track(track.timescale, 0, 0, 0))
        length += sum(_samples(trun, theirs)[1] for kind, trun in children(other) if kind == b"trun")
    if start + ticks > _TIME_LIMIT:
        raise _Broken("a time out of range")
    return start, ticks, length, first is not None and not first & _NON_SYNC, frames


def _defaults(tfhd: bytes, track: Track) -> Track:
    """What holds for the samples of this fragment unless they say otherwise."""
    flags, at = _numbers(">I", tfhd)[0] & 0xFFFFFF, 8
    at += 8 * bool(flags & 0x1) + 4 * bool(flags & 0x2)
    duration, size, sample_flags = track.duration, track.size, track.flags
    if flags & 0x8:
        (duration,), at = _numbers(">I", tfhd, at), at + 4
    if flags & 0x10:
        (size,), at = _numbers(">I", tfhd, at), at + 4
    if flags & 0x20:
        (sample_flags,) = _numbers(">I", tfhd, at)
    return Track(track.timescale, duration, size, sample_flags)


def _samples(trun: bytes, defaults: Track) -> tuple[int, int, int, int]:
    """Summed durations and sizes, the flags of the first sample, and the number of samples."""
    flags, count = _numbers(">II", trun)
    at = 8 + 4 * bool(flags & 0x1)
    first = defaults.flags
    if flags & 0x4:
        (first,), at = _numbers(">I", trun, at), at + 4
    columns = [bit for bit in (0x100, 0x200, 0x400, 0x800) if flags & bit]
    step = 4 * len(columns)
    if at + count * step > len(trun):
        raise _Broken("a run longer than its box")
    words = struct.unpack_from(f">{count * len(columns)}I", trun, at) if columns else ()
    ticks = sum(words[columns.index(0x100) :: len(columns)]) if 0x100 in columns else count * defaults.duration
    length = sum(words[columns.index(0x200) :: len(columns)]) if 0x200 in columns else count * defaults.size
    if count and 0x400 in columns:
        first = words[columns.index(0x400)]
    return ticks, length, first, count


def _started(moov: bytes) -> Started | None:
    """The comment tag (udta, meta, ilst, the copyright sign and `cmt`), if it is one of ours."""
    try:
        meta = _descend(moov, b"udta", b"meta")
        text = _descend(meta[4:], b"ilst", b"\xa9cmt", b"data")[8:]
        facts = json.loads(text)
        started = Started(**facts)
        numbers = (started.sequence, started.wall_ms, started.mono_ms)
        texts = (started.camera, started.boot_id, started.quality, started.room)
    except (_Broken, ValueError, TypeError, RecursionError):
        return None
    sound = all(type(n) is int and 0 <= n < 1 << 53 for n in numbers) and all(type(t) is str for t in texts)
    return started if sound else None
