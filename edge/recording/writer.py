"""One segment file: fragments through PyAV's muxer, each hashed and on the disk before the next begins.

The muxer hands over a fragment when the next key frame comes (movflags frag_keyframe) or, where a source's key frames
lie farther apart, after an even part of the way to it (`edge.recording.cuts`). So what a kill or a power cut can take
is the open fragment, a nap and an fdatasync, whatever the source. Measured with PyAV 18.1: with `flush_packets` the
muxer keeps nothing back once a fragment is complete, and calls `write` with whole boxes or 32 KiB runs of them; `Sink`
gathers those, so that the file itself is only ever extended by whole fragments. Only behind a disk that is late, with
more waiting in memory, is a fragment synced together with the next.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import av

from edge.clock import Instant, iso
from edge.domain.canonical import canonical_text
from edge.domain.footage import Cause, Fragment, fragments_root
from edge.hardware.camera.source import TICKS, Packet, SoundFormat, VideoFormat
from edge.recording.boxes import Layout, Piece, Started, read_layout, read_piece
from edge.recording.captions import Captions, text_trak
from edge.recording.cuts import cuts
from edge.recording.files import sync_folder
from edge.recording.soundtrack import SoundTrack
from edge.recording.tracks import Bytes, with_samples, with_tracks
from edge.store.segments import Segment, segment_id

_MOVFLAGS = "frag_keyframe+empty_moov+default_base_moof+skip_trailer"


def file_name(boot_id: str, sequence: int) -> str:
    return f"{boot_id}-{sequence:06d}.mp4"


class Sink:
    """Where the muxer writes: memory that is used again for each fragment, since to get as much anew each second costs
    more than to write it. It has no `seek`, so the muxer never goes back."""

    def __init__(self) -> None:
        self._buffer = bytearray(1 << 16)
        self.length = 0

    def write(self, data: bytes) -> int:
        end = self.length + len(data)
        if end > len(self._buffer):
            self._buffer.extend(bytes(end))
        self._buffer[self.length : end] = data
        self.length = end
        return len(data)

    @contextmanager
    def taken(self) -> Iterator[memoryview]:
        """What has been written, to be gone afterwards."""
        with memoryview(self._buffer) as whole, whole[: self.length] as part:
            yield part
        self.length = 0


@dataclass(frozen=True)
class Place:
    """Where a segment belongs: the recordings folder, and the three parts of its name."""

    recordings: Path
    camera: str
    boot_id: str
    sequence: int

    @property
    def relative(self) -> str:
        return f"{self.camera}/{file_name(self.boot_id, self.sequence)}"

    @property
    def path(self) -> Path:
        return self.recordings / self.relative


class SegmentWriter:
    """An open segment. OSError from any method means the disk: then `abandon`, and salvage what is there.

    FileExistsError when the name is taken. `at` is the instant of the first packet; `room` stands in the file's
    metadata and, with camera and time, in its captions; `sound` is the segment's, where it has any. `gop_ms`: how far
    apart the source's key frames lie, as far as is known; `frame_ms`: its pictures.
    """

    def __init__(
        self,
        place: Place,
        video: VideoFormat,
        at: Instant,
        fragment_seconds: int,
        *,
        room: str = "",
        sound: SoundTrack | None = None,
        gop_ms: int | None = None,
        frame_ms: float = 40,
    ) -> None:
        self.place, self.at, self._sound = place, at, sound
        self.fragments: list[Fragment] = []
        self.frames = 0
        self._base: int | None = None
        self._sink = Sink()
        _make_folder(place.path.parent)
        self._file = place.path.open("xb", buffering=0)
        try:
            least_ms, most_ms = cuts(fragment_seconds, gop_ms, frame_ms)
            options = {
                "movflags": _MOVFLAGS,
                "flush_packets": "1",
                "video_track_timescale": str(TICKS),
                "min_frag_duration": str(round(least_ms * 1000)),
                "frag_duration": str(round(most_ms * 1000)),
            }
            self._container = av.open(self._sink, "w", format="mp4", options=options)
            quality, label = at.quality.value, f"{room} {place.camera}".strip()
            started = Started(place.camera, place.boot_id, place.sequence, at.wall_ms, at.mono_ms, quality, room)
            self._container.metadata["comment"] = canonical_text(asdict(started))
            self._container.metadata.update(title=label, creation_time=iso(at.wall_ms))
            self._stream = self._container.add_stream_from_template(video.template)
            self._container.start_encoding()
            self._tick = self._stream.time_base or Fraction(1, TICKS)
            with self._sink.taken() as made:
                init, numbers = with_tracks(bytes(made), [text_trak, *([sound.trak] if sound else [])])
            self._captions = Captions(numbers[0], label, at)
            self._layout: Layout = read_layout(io.BytesIO(init))
            self._init_sha256 = hashlib.sha256(init).hexdigest()
            self.bytes = 0
            self._append((init,))
            os.fsync(self._file.fileno())
            sync_folder(place.path.parent)
        except BaseException:
            self._file.close()
            place.path.unlink(missing_ok=True)  # made just now, and without a picture in it
            raise

    @property
    def id(self) -> str:
        return segment_id(self.place.camera, self.place.boot_id, self.place.sequence)

    @property
    def sound(self) -> SoundFormat | None:
        return self._sound.format if self._sound else None

    def elapsed_ticks(self, packet: Packet) -> int:
        """How far into the segment the packet is."""
        return 0 if self._base is None else packet.dts - self._base

    def write(self, packet: Packet, *, sync: bool = True) -> Fragment | None:
        """Add one packet; returns the fragment this completed, which with `sync` is on the disk by then."""
        if self._base is None:
            self._base = packet.dts
        muxed = av.Packet(packet.data)
        muxed.stream = self._stream
        muxed.time_base = self._tick
        muxed.pts, muxed.dts = packet.pts - self._base, packet.dts - self._base
        muxed.duration, muxed.is_keyframe = packet.duration, packet.keyframe
        self._container.mux(muxed)
        self.frames += 1
        return self._keep(sync) if self._sink.length else None

    def close(self, cause: Cause) -> Segment:
        """Write the open fragment, sync file and folder, and return what the index is to say."""
        self._container.close()
        if self._sink.length:
            self._keep(sync=False)
        os.fsync(self._file.fileno())
        self._file.close()
        sync_folder(self.place.path.parent)
        return segment_of(
            self.place,
            self.at,
            self._layout.init_length,
            self._init_sha256,
            self.fragments,
            self.bytes,
            cause,
            frames=self.frames,
        )

    def abandon(self) -> None:
        """Let go of the file as it is."""
        self._file.close()
        self._container.close()

    def _keep(self, sync: bool) -> Fragment:
        with self._sink.taken() as data:
            head = bytes(data[: int.from_bytes(data[:4], "big") + 16])  # the moof, and how long its mdat is
            piece = read_piece(io.BytesIO(head), 0, len(data), self._layout.track)
            more = self._captions.samples(piece.start, piece.duration)
            if self._sound is not None:  # before the text, whose last byte is never nought (`boxes`)
                ends_ms = self.at.mono_ms + self._layout.ms(piece.start + piece.duration)
                more = self._sound.samples(ends_ms) + more
            with with_samples(data, more) as parts:
                fragment = fragment_of(len(self.fragments), self.bytes, parts, piece, self.at, self._layout)
                self._append(parts)
        if sync:
            os.fdatasync(self._file.fileno())
        self.fragments.append(fragment)
        return fragment

    def _append(self, parts: Sequence[Bytes]) -> None:
        length = sum(len(part) for part in parts)
        done = os.writev(self._file.fileno(), parts)
        if done < length:
            rest = memoryview(b"".join(parts))[done:]
            while rest:
                rest = rest[self._file.write(rest) :]
        self.bytes += length


def fragment_of(n: int, offset: int, parts: Sequence[Bytes], piece: Piece, at: Instant, layout: Layout) -> Fragment:
    """A fragment's entry; its times count from the segment's first picture, so that live and salvaged agree.

    `parts`: its bytes, one behind the other.
    """
    since, until = layout.ms(piece.start), layout.ms(piece.start + piece.duration)
    digest, length = hashlib.sha256(), 0
    for part in parts:
        digest.update(part)
        length += len(part)
    found = digest.hexdigest()
    return Fragment(n, offset, length, found, at.wall_ms + since, at.mono_ms + since, until - since, piece.key)


def segment_of(
    place: Place,
    at: Instant,
    init_length: int,
    init_sha256: str,
    fragments: list[Fragment],
    size: int,
    cause: Cause,
    *,
    salvaged: bool = False,
    frames: int | None = None,
) -> Segment:
    ended = fragments[-1].ended_ms if fragments else at.wall_ms
    return Segment(
        id=segment_id(place.camera, place.boot_id, place.sequence),
        camera=place.camera,
        boot_id=place.boot_id,
        sequence=place.sequence,
        path=place.relative,
        started_ms=at.wall_ms,
        ended_ms=ended,
        started_mono_ms=at.mono_ms,
        duration_ms=ended - at.wall_ms,
        bytes=size,
        quality=at.quality.value,
        salvaged=salvaged,
        cause=cause.value,
        init_length=init_length,
        init_sha256=init_sha256,
        fragments=tuple(fragments),
        digest=fragments_root([f.sha256 for f in fragments]),
        frames=frames,
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:  # a file of that name: not to be taken for a segment's name in use
        raise NotADirectoryError(errno.ENOTDIR, "not a folder", str(folder)) from error
