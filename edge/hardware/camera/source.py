"""What every camera gives, whatever it is: encoded packets for the recorder, and now and then a picture for faces."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Protocol

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from edge.domain.sight import Look

TICKS = 90_000  # packet times are counted in 1/90000 s


@dataclass(frozen=True, slots=True)
class Packet:
    """One encoded H.264 picture; `pts`, `dts`, `duration` in TICKS, dts only grows. `mono_ms`: when it was taken."""

    data: bytes
    pts: int
    dts: int
    duration: int
    keyframe: bool
    mono_ms: int


@dataclass(frozen=True)
class VideoFormat:
    """What a muxer needs to know of the packets; `template` is a stream with their codec parameters."""

    width: int
    height: int
    template: VideoStream
    owner: InputContainer
    """The template lives as long as its container, which nobody closes: packets may wait for their disk longer than
    the camera is open."""


@dataclass(frozen=True)
class Picture:
    """One decoded picture: `bgr` is height x width x 3 bytes row by row, `jpeg` the same for previews.

    `source_ms` is the position within the clip for a file, -1 for a live camera; `look`: its statistics; `moved_ms`:
    when something in the picture last moved, on the monotonic clock.
    """

    mono_ms: int
    source_ms: int
    width: int
    height: int
    bgr: bytes
    jpeg: bytes
    look: Look
    moved_ms: int


FRAME = 1024
"""Samples in one frame of AAC-LC."""


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """AAC-LC of `rate` samples a second; `config` is its AudioSpecificConfig (ISO/IEC 14496-3)."""

    rate: int
    channels: int
    config: bytes


@dataclass(frozen=True, slots=True)
class Sound:
    """One frame of AAC; `mono_ms`: when its first sample was heard."""

    data: bytes
    mono_ms: int
    format: SoundFormat


class CameraSource(Protocol):
    """One open camera. Every method may raise Unavailable (`camera_failed`): then close it and open it again."""

    @property
    def coder(self) -> str:
        """Who makes its H.264: `camera` (it comes coded), `hardware` or `libx264`."""

    @property
    def format(self) -> VideoFormat | None:
        """None until the first packet has come."""

    @property
    def dropped(self) -> int:
        """Pictures lost before they could be recorded, those the sensor's times tell of too where it gives them."""

    @property
    def exact(self) -> bool:
        """Whether its pictures are the sensor's own; see `edge.domain.sight.Watch`."""

    @property
    def keyless_ms(self) -> int:
        """When a picture last came that cannot be recorded, since no key frame has come yet; 0 where none has."""

    @property
    def look_cpu_s(self) -> float:
        """Seconds of a core that pictures for faces have cost since it was opened, beside the recording itself."""

    def packets(self, wait_s: float) -> list[Packet]:
        """What came within the next `wait_s` seconds, in order; naps instead of waking for each packet."""

    def ease(self, share: float) -> bool:
        """Send this share of the configured bitrate from the next key frame on; False where it cannot be changed."""

    def picture(self) -> Picture | None:
        """The newest picture, once; None when there is none since the last call or pictures were not asked for."""

    def close(self) -> None: ...


def probe(keyframe: bytes) -> VideoFormat:
    """The format of an Annex B stream, from an access unit with its SPS and PPS. ValueError where it has none."""
    container = av.open(io.BytesIO(keyframe), "r", format="h264", metadata_errors="replace")
    stream = next(iter(container.streams.video), None)
    if stream is None or not stream.codec_context.extradata or not stream.width:
        container.close()
        raise ValueError("no parameter sets in the first key frame")
    return VideoFormat(stream.width, stream.height, stream, container)


def parameter_sets(data: bytes) -> bytes:
    """The SPS and PPS in front of an Annex B picture, each behind a start code; empty where it has none."""
    found, at = b"", data.find(b"\0\0\1")
    while at >= 0 and at + 3 < len(data) and data[at + 3] & 31 not in (1, 5):
        end = data.find(b"\0\0\1", at + 3)
        if data[at + 3] & 31 in (7, 8):
            found += b"\0" + data[at : len(data) if end < 0 else end].rstrip(b"\0")
        at = end
    return found
