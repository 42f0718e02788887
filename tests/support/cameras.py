"""Small real video for camera and recording tests: a clip of numbered noise, and encoded packets without a camera."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from edge.config import Camera, Config, parse_config
from edge.demo.clip import write_clip
from edge.hardware.camera.capture import h264_encoder
from edge.hardware.camera.source import TICKS, Packet, VideoFormat, probe

WIDTH, HEIGHT, FPS = 320, 240, 10


def noise(count: int, seed: int = 1) -> Iterator[NDArray[np.uint8]]:
    """Pictures that differ, on a wall that is dark on the left and bright on the right."""
    random = np.random.default_rng(seed)
    wall = np.tile(np.linspace(30, 200, WIDTH, dtype=np.uint8)[None, :, None], (HEIGHT, 1, 3))
    for _ in range(count):
        yield wall + random.integers(0, 12, wall.shape, dtype=np.uint8)


def make_clip(path: Path, seconds: int = 4, seed: int = 1) -> Path:
    write_clip(path, noise(seconds * FPS, seed), FPS, bitrate=300_000)
    return path


def make_packets(
    seconds: float, began_mono_ms: int = 0, seed: int = 1, pictures: Iterable[NDArray[np.uint8]] | None = None
) -> tuple[VideoFormat, list[Packet]]:
    """H.264 as a live camera's encoder gives it, a key frame a second, taken from `began_mono_ms` on."""
    encoder = h264_encoder(WIDTH, HEIGHT, Camera(fps=FPS, bitrate=300_000))
    found = list[Packet]()
    step = TICKS // FPS
    for n, picture in enumerate(pictures or noise(round(seconds * FPS), seed)):
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        frame.pts, frame.time_base = n * step, encoder.time_base
        for packet in encoder.encode(frame):
            taken = began_mono_ms + n * 1000 // FPS
            found.append(Packet(bytes(packet), n * step, n * step, step, bool(packet.is_keyframe), taken))
    return probe(found[0].data), found


def make_rare_packets(seconds: int, gop_s: int) -> tuple[VideoFormat, list[Packet]]:
    """H.264 as somebody else's clip has it: x264's own B pictures and look-ahead, a key frame each `gop_s` seconds."""
    file, tick = io.BytesIO(), Fraction(1, TICKS)
    write_rare_clip(file, seconds, gop_s)
    container = av.open(io.BytesIO(file.getvalue()))
    template, found, step = container.streams.video[0], list[Packet](), TICKS // FPS
    for packet in container.demux(template):
        if packet.dts is not None and packet.pts is not None and packet.time_base is not None:
            pts, dts = (round(t * packet.time_base / tick) for t in (packet.pts, packet.dts))
            found.append(Packet(bytes(packet), pts, dts, step, packet.is_keyframe, len(found) * 1000 // FPS))
    return VideoFormat(WIDTH, HEIGHT, template, container), found


def write_rare_clip(file: io.BytesIO | str, seconds: int, gop_s: int) -> None:
    """An MP4 as somebody else's encoder makes it; see `make_rare_packets`."""
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=FPS, options={"x264-params": "scenecut=0", "preset": "superfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.gop_size = gop_s * FPS
        for picture in noise(seconds * FPS):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        out.mux(stream.encode(None))


def camera_config(root: Path, sources: dict[str, Path], **recording: object) -> Config:
    """A room in `root` whose cameras play these files."""
    return parse_config(
        {
            "paths": {
                "state": str(root / "state"),
                "runtime": str(root / "run"),
                "recordings": str(root / "recordings"),
            },
            "camera": {n: {"backend": "file", "source": str(s), "fps": FPS} for n, s in sources.items()},
            "recording": {"reserve_mb": 0, **recording},
        }
    )


def decoded(data: bytes | Path) -> int:
    """How many pictures PyAV decodes of a file."""
    with av.open(str(data) if isinstance(data, Path) else io.BytesIO(data), "r") as container:
        return sum(1 for _ in container.decode(video=0))
