"""Reading footage: which fragments a span is, their bytes, and playable clips of them. No codec is imported here.

A clip is a segment's own initialisation part and whole fragments, byte for byte as they were recorded and hashed: its
first frame may lie before the span, by up to a fragment or, where those are rarer, back to the last key frame. A span
over several segments is several clips.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge.domain import footage
from edge.domain.footage import Completeness, Fragment
from edge.errors import BadInput, NotFound, VerificationFailed
from edge.recording.coverage import explained
from edge.recording.files import open_footage
from edge.store import segments
from edge.store.segments import Segment

_BLOCK = 256 * 1024
_READY = 2 << 20
"""So much of an answer is read before it begins, more than a player asks for at once: a disk that fails in it is then
said, and no line that was cut."""


@dataclass(frozen=True)
class Clip:
    """Some consecutive fragments of one segment, as a file by itself."""

    segment: Segment
    fragments: tuple[Fragment, ...]

    @property
    def length(self) -> int:
        return self.segment.init_length + sum(f.length for f in self.fragments)

    @property
    def from_ms(self) -> int:
        return self.fragments[0].wall_ms

    @property
    def until_ms(self) -> int:
        return self.fragments[-1].ended_ms

    @property
    def name(self) -> str:
        """A file name that says which fragments it holds."""
        return f"{self.segment.id}-{self.fragments[0].n}-{self.fragments[-1].n}.mp4"

    @property
    def etag(self) -> str:
        """Changes with any byte of the clip; of what is not hashed yet, with its place."""
        digests = [self.segment.id, self.segment.init_sha256]
        digests += [f.sha256 or f"{f.offset}+{f.length}" for f in self.fragments]
        return hashlib.sha256("".join(digests).encode()).hexdigest()


def segments_between(connection: sqlite3.Connection, camera: str, from_ms: int, until_ms: int) -> list[Segment]:
    """The camera's segments that touch [from_ms, until_ms) of wall time, in order."""
    return segments.between(connection, camera, from_ms, until_ms)


def clips_between(connection: sqlite3.Connection, camera: str, from_ms: int, until_ms: int) -> list[Clip]:
    """The whole fragments that cover [from_ms, until_ms), as one clip a segment, in order."""
    found = (clip_of(s, from_ms, until_ms) for s in segments_between(connection, camera, from_ms, until_ms))
    return [clip for clip in found if clip is not None]


def clip_of(segment: Segment, from_ms: int, until_ms: int) -> Clip | None:
    """What of one segment covers [from_ms, until_ms); None for nothing."""
    fragments = footage.covering(segment.fragments, from_ms, until_ms)
    return Clip(segment, fragments) if fragments else None


def completeness_between(connection: sqlite3.Connection, camera: str, from_ms: int, until_ms: int) -> Completeness:
    """How much of the span is in the index, and each gap with its cause. `coverage` counts what is not there yet."""
    before = segments.before(connection, camera, from_ms)
    within = segments.spans(connection, camera, from_ms, until_ms)
    whole = footage.completeness([*([before] if before else []), *within], from_ms, until_ms)
    return explained(connection, camera, whole)


def read_init(recordings: Path, segment: Segment) -> bytes:
    """The segment's ftyp and moov, checked against the index. Errors as `read_fragments`, with n `init`."""
    with _open(recordings, segment) as file:
        return _checked(file, segment, 0, segment.init_length, segment.init_sha256, "init")


def read_fragments(recordings: Path, segment: Segment, from_ms: int, until_ms: int) -> Iterator[tuple[Fragment, bytes]]:
    """The whole fragments that touch [from_ms, until_ms), each with its bytes, checked against the index.

    NotFound (`footage_missing`) where the file is gone or short, VerificationFailed (`footage_altered`) where a
    fragment's bytes do not have the recorded hash.
    """
    with _open(recordings, segment) as file:
        for fragment in footage.covering(segment.fragments, from_ms, until_ms):
            yield (
                fragment,
                _checked(file, segment, fragment.offset, fragment.length, fragment.sha256, fragment.n),
            )


def clip_bytes(recordings: Path, segment: Segment, fragments: tuple[Fragment, ...] | list[Fragment]) -> Iterator[bytes]:
    """A playable file of these fragments, piece by piece, checked. Errors as `read_fragments`."""
    with _open(recordings, segment) as file:
        yield _checked(file, segment, 0, segment.init_length, segment.init_sha256, "init")
        for fragment in fragments:
            yield _checked(file, segment, fragment.offset, fragment.length, fragment.sha256, fragment.n)


def stream(recordings: Path, clip: Clip, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """Bytes [start, end) of the clip in blocks, for an HTTP answer with or without a range; not checked.

    BadInput (`footage_range`) and NotFound (`footage_missing`) are raised at the call, before the first block; beyond
    _READY bytes NotFound where the file turns out to end there.
    """
    stop = clip.length if end is None else end
    if not 0 <= start <= stop <= clip.length:
        raise BadInput("footage_range", start=start, end=stop, length=clip.length)
    return _ready(_blocks(_open(recordings, clip.segment), clip, start, stop))


def file_blocks(path: Path, start: int, end: int) -> Iterator[bytes]:
    """Bytes [start, end) of an export in the same blocks. NotFound (`export_gone`) at the call where it cannot be
    opened, and where it ends before.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise NotFound("export_gone") from error
    return _run(file, start, end)


def _run(file: BinaryIO, at: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(at)
        while at < end:
            try:
                block = file.read(min(_BLOCK, end - at))
            except OSError as error:
                raise NotFound("export_gone") from error
            if not block:
                raise NotFound("export_gone")
            at += len(block)
            yield block


def _ready(blocks: Generator[bytes]) -> Iterator[bytes]:
    """The same, the first _READY bytes of it being read now."""
    first, size = list[bytes](), 0
    for block in blocks:
        first.append(block)
        size += len(block)
        if size >= _READY:
            break
    return _after(first, blocks)


def _after(first: list[bytes], blocks: Generator[bytes]) -> Iterator[bytes]:
    with closing(blocks):
        yield from first
        yield from blocks


def _blocks(file: BinaryIO, clip: Clip, start: int, stop: int) -> Generator[bytes]:
    parts = [(0, clip.segment.init_length), *((f.offset, f.length) for f in clip.fragments)]
    at = 0
    with file:
        for offset, length in parts:
            low, high = max(start - at, 0), min(stop - at, length)
            for position in range(low, high, _BLOCK):
                wanted = min(_BLOCK, high - position)
                yield _read(file, clip.segment, offset + position, wanted)
            at += length


def _open(recordings: Path, segment: Segment) -> BinaryIO:
    try:
        return open_footage(recordings / segment.path)
    except OSError as error:
        raise NotFound("footage_missing", segment=segment.id) from error


def _read(file: BinaryIO, segment: Segment, offset: int, length: int) -> bytes:
    """NotFound (`footage_missing`) where the file ends before, or the disk cannot read it."""
    try:
        file.seek(offset)
        data = file.read(length)
    except OSError as error:
        raise NotFound("footage_missing", segment=segment.id) from error
    if len(data) != length:
        raise NotFound("footage_missing", segment=segment.id)
    return data


def _checked(file: BinaryIO, segment: Segment, offset: int, length: int, sha256: str, n: int | str) -> bytes:
    data = _read(file, segment, offset, length)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise VerificationFailed("footage_altered", segment=segment.id, n=n)
    return data
