"""The exact-trim view: an MP4 file that shows a span to the picture, made of the recorded fragments as they are.

A fragmented file can only be cut between fragments. Here the same fragments, byte for byte, lie inside one `mdat` of an
ordinary file, whose `moov` has tables of their samples and an edit list (ISO/IEC 14496-12, 8.6.6) that begins and ends
the presentation within them. Nothing is encoded again; what a player decodes and does not show is the way from the key
frame to the first picture. Players that know no fragments, as those of older Windows, play it too.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

_FTYP = struct.pack(">I4s4sI4s4s4s", 28, b"ftyp", b"isom", 512, b"isom", b"iso2", b"mp41")
_NON_SYNC = 0x10000
_BASE_IS_MOOF = 0x20000
_MOST = 0xFFFF_FFFF


class Untrimmable(Exception):
    """These fragments are not what our recorder writes, so there is no view of them."""


@dataclass(frozen=True)
class _Sample:
    time: int
    duration: int
    size: int
    shift: int
    key: bool

    @property
    def shown(self) -> int:
        """When it is to be seen, in ticks of its track."""
        return self.time + self.shift


@dataclass(frozen=True)
class _Run:
    """Samples that follow one another in the file, the first at `at` of the fragments."""

    at: int
    samples: tuple[_Sample, ...]


@dataclass
class _Track:
    id: int
    timescale: int
    handler: bytes
    defaults: tuple[int, int, int, int]
    runs: list[_Run] = field(default_factory=list)

    @property
    def samples(self) -> list[_Sample]:
        return [sample for run in self.runs for sample in run.samples]

    @property
    def ends(self) -> int:
        return max(sample.shown + sample.duration for sample in self.samples)


def view_head(init: bytes, moofs: Sequence[tuple[bytes, int]], skip_ms: int, last_ms: int) -> bytes:
    """What stands before the fragments in the view of them: ftyp, moov and the header of their mdat.

    `init`: the segment's ftyp and moov; `moofs`: each fragment's moof with the length of the whole fragment. The view
    begins with the picture that is seen `skip_ms` after the first fragment has begun (players differ about a part of
    one), and ends `last_ms` after the last fragment has begun, or with it. Untrimmable where the bytes are not such
    fragments or nothing would be seen.
    """
    try:
        moov = next(body for kind, body in _boxes(init) if kind == b"moov")
        tracks = _tracks(moov)
        begins = _collect(tracks, moofs)
        video = next(track for track in tracks.values() if track.handler == b"vide" and track.runs)
        start = begins[0] + skip_ms * video.timescale // 1000
        end = min(begins[-1] + last_ms * video.timescale // 1000, video.ends)
        if end <= start:
            raise Untrimmable
        start = max(sample.shown for sample in video.samples if sample.shown <= start)
        edit = (start / video.timescale, (end - start) / video.timescale)
        payload = sum(length for _, length in moofs)
        size = len(_head(moov, tracks, edit, payload, 0))
        return _head(moov, tracks, edit, payload, size)
    except (struct.error, IndexError, KeyError, StopIteration, ValueError) as error:
        raise Untrimmable from error


# ---- reading


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        if length < 8 or at + length > len(content):
            raise Untrimmable
        yield kind, content[at + 8 : at + length]
        at += length


def _find(content: bytes, *path: bytes) -> bytes:
    for wanted in path:
        content = next(body for kind, body in _boxes(content) if kind == wanted)
    return content


def _tracks(moov: bytes) -> dict[int, _Track]:
    defaults = {}
    for kind, trex in _boxes(_find(moov, b"mvex")):
        if kind == b"trex":
            number, *rest = struct.unpack_from(">5I", trex, 4)
            defaults[number] = tuple(rest)
    found = {}
    for kind, trak in _boxes(moov):
        if kind == b"trak":
            tkhd, mdhd = _find(trak, b"tkhd"), _find(trak, b"mdia", b"mdhd")
            (number,) = struct.unpack_from(">I", tkhd, 20 if tkhd[0] == 1 else 12)
            (timescale,) = struct.unpack_from(">I", mdhd, 20 if mdhd[0] == 1 else 12)
            handler = _find(trak, b"mdia", b"hdlr")[8:12]
            found[number] = _Track(number, timescale, handler, defaults[number])
    return found


def _collect(tracks: dict[int, _Track], moofs: Sequence[tuple[bytes, int]]) -> list[int]:
    """Put each fragment's runs with their tracks; when each begins to be shown, in ticks of the video's track.

    What is decoded first need not be shown first. The first picture of all is a key frame: how much later than it is
    decoded it is shown, all are that late.
    """
    begins, at = list[_Sample](), 0
    for moof, length in moofs:
        first = None
        for kind, traf in _boxes(moof[8:]):
            if kind != b"traf":
                continue
            track = tracks[struct.unpack_from(">I", _find(traf, b"tfhd"), 4)[0]]
            runs = _runs(traf, track.defaults)
            track.runs += [_Run(at + offset, samples) for offset, samples in runs if samples]
            if track.handler == b"vide" and runs and runs[0][1]:
                first = runs[0][1][0]
        if first is None:
            raise Untrimmable
        begins.append(first)
        at += length
    return [sample.time + begins[0].shift for sample in begins]


def _runs(traf: bytes, defaults: tuple[int, int, int, int]) -> list[tuple[int, tuple[_Sample, ...]]]:
    """(where in the fragment it begins, its samples) of each run."""
    tfhd, tfdt = _find(traf, b"tfhd"), _find(traf, b"tfdt")
    (word,) = struct.unpack_from(">I", tfhd)
    if word & 0x1 or not word & _BASE_IS_MOOF:
        raise Untrimmable
    description, duration, size, flags = defaults
    at = 8
    if word & 0x2:
        (description,), at = struct.unpack_from(">I", tfhd, at), at + 4
    if word & 0x8:
        (duration,), at = struct.unpack_from(">I", tfhd, at), at + 4
    if word & 0x10:
        (size,), at = struct.unpack_from(">I", tfhd, at), at + 4
    if word & 0x20:
        (flags,) = struct.unpack_from(">I", tfhd, at)
    if description != 1:
        raise Untrimmable
    time = struct.unpack_from(">Q" if tfdt[0] == 1 else ">I", tfdt, 4)[0]
    found, offset = list[tuple[int, tuple[_Sample, ...]]](), 0
    for kind, trun in _boxes(traf):
        if kind == b"trun":
            given, samples = _samples(trun, time, duration, size, flags)
            offset = offset if given is None else given
            found.append((offset, samples))
            offset += sum(sample.size for sample in samples)
            time += sum(sample.duration for sample in samples)
    return found


def _samples(trun: bytes, time: int, duration: int, size: int, flags: int) -> tuple[int | None, tuple[_Sample, ...]]:
    word, count = struct.unpack_from(">II", trun)
    at, offset, first = 8, None, None
    if word & 0x1:
        (offset,), at = struct.unpack_from(">i", trun, at), at + 4
    if word & 0x4:
        (first,), at = struct.unpack_from(">I", trun, at), at + 4
    found = []
    for number in range(count):
        values = [duration, size, first if first is not None and number == 0 else flags, 0]
        for column, bit in enumerate((0x100, 0x200, 0x400, 0x800)):
            if word & bit:
                form = ">i" if bit == 0x800 and trun[0] else ">I"
                (values[column],), at = struct.unpack_from(form, trun, at), at + 4
        found.append(_Sample(time, values[0], values[1], values[3], not values[2] & _NON_SYNC))
        time += values[0]
    return offset, tuple(found)


# ---- writing


def _head(moov: bytes, tracks: dict[int, _Track], edit: tuple[float, float], payload: int, base: int) -> bytes:
    """`base`: where in the view its fragments begin."""
    mvhd = _find(moov, b"mvhd")
    (movie,) = struct.unpack_from(">I", mvhd, 20 if mvhd[0] == 1 else 12)
    length = round(edit[1] * movie)
    parts = list[bytes]()
    for kind, body in _boxes(moov):
        if kind == b"mvhd":
            parts.append(_box(kind, _lasting(body, 24 if body[0] == 1 else 16, length)))
        elif kind == b"trak":
            tkhd = _find(body, b"tkhd")
            track = tracks[struct.unpack_from(">I", tkhd, 20 if tkhd[0] == 1 else 12)[0]]
            if track.runs:
                parts.append(_trak(body, track, edit[0], (length, movie), base))
        elif kind != b"mvex":
            parts.append(_box(kind, body))
    return _FTYP + _box(b"moov", *parts) + struct.pack(">I4sQ", 1, b"mdat", 16 + payload)


def _trak(trak: bytes, track: _Track, starts: float, shown: tuple[int, int], base: int) -> bytes:
    """Nothing for sound of which the view has none. `shown`: how long it is, in so many ticks a second."""
    samples, (length, movie) = track.samples, shown
    ends = samples[-1].time + samples[-1].duration - samples[0].time
    media_time = round(starts * track.timescale) - samples[0].time
    late, heard = 0, length
    if track.handler == b"soun":  # it may begin later and end earlier than what is seen
        late = max(0, -media_time) * movie // track.timescale
        heard = min(length - late, (ends - max(0, media_time)) * movie // track.timescale)
        if heard <= 0:
            return b""
    edits = [(late, -1)] if late else []
    edits.append((heard, max(0, media_time) if late else media_time))
    edit = _table(b"elst", 1, ">QqHH", [(lasting, at, 1, 0) for lasting, at in edits])

    def change(kind: bytes, body: bytes) -> bytes:
        if kind == b"tkhd":
            lasts = _lasting(body, 28 if body[0] == 1 else 20, length)
            return _box(kind, lasts) + _box(b"edts", edit)
        if kind == b"mdhd":
            return _box(kind, _lasting(body, 24 if body[0] == 1 else 16, ends))
        if kind in (b"mdia", b"minf"):
            return _changed(kind, body, change)
        if kind == b"stbl":
            return _box(kind, _box(b"stsd", _find(body, b"stsd")), *_tables(track, samples, base))
        return b"" if kind == b"edts" else _box(kind, body)

    return _changed(b"trak", trak, change)


def _changed(kind: bytes, body: bytes, change: Callable[[bytes, bytes], bytes]) -> bytes:
    return _box(kind, *(change(name, inner) for name, inner in _boxes(body)))


def _tables(track: _Track, samples: list[_Sample], base: int) -> Iterator[bytes]:
    """Times, key frames, chunks (a run each), sizes and places of the samples (8.6.1, 8.6.2, 8.7)."""
    times = [sample.time for sample in samples] + [samples[-1].time + samples[-1].duration]
    steps = [after - before for before, after in itertools.pairwise(times)]
    yield _table(b"stts", 0, ">II", [(count, step) for step, count in _counted(steps)])
    shifts = [sample.shift for sample in samples]
    if any(shifts):
        signed = min(shifts) < 0
        pairs = [(count, shift) for shift, count in _counted(shifts)]
        yield _table(b"ctts", int(signed), ">Ii" if signed else ">II", pairs)
    keys = [number for number, sample in enumerate(samples, 1) if sample.key]
    if len(keys) < len(samples):
        yield _table(b"stss", 0, ">I", [(key,) for key in keys])
    chunks, number = list[tuple[int, int, int]](), 1
    for held, count in _counted(len(run.samples) for run in track.runs):
        chunks.append((number, held, 1))
        number += count
    yield _table(b"stsc", 0, ">III", chunks)
    sizes = struct.pack(f">{len(samples)}I", *(sample.size for sample in samples))
    yield _box(b"stsz", struct.pack(">III", 0, 0, len(samples)), sizes)
    yield _table(b"stco", 0, ">I", [(base + run.at,) for run in track.runs])


def _counted(values: Iterable[int]) -> list[tuple[int, int]]:
    return [(value, sum(1 for _ in group)) for value, group in itertools.groupby(values)]


def _table(kind: bytes, version: int, form: str, rows: Sequence[tuple[Any, ...]]) -> bytes:
    content = b"".join(struct.pack(form, *row) for row in rows)
    return _box(kind, struct.pack(">II", version << 24, len(rows)), content)


def _lasting(body: bytes, at: int, duration: int) -> bytes:
    """The header box with another duration, as wide as its version has it."""
    form = ">Q" if body[0] == 1 else ">I"
    return body[:at] + struct.pack(form, min(duration, _MOST)) + body[at + struct.calcsize(form) :]


def _box(kind: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", 8 + len(content), kind) + content
