"""What recording a 1080p25 H.264 stream as it comes costs, beside `ffmpeg -c copy`; and four streams beside one.

    python tests/bench/recording.py [--seconds 300] [--json] [--record]

A network camera on loopback (RTSP over TCP, each RTP packet sent by itself) is recorded by the camera process, with its
hashes and an fdatasync a fragment, and in the same time by ffmpeg into segments of the same kind; then by four camera
processes. Processor time is user and system, of the whole process, from when it has recorded for a while. What the
pictures for faces and previews cost besides (every picture decoded, five a second scaled and shown) is not in it: it
is measured in a run of its own and said apart. What was recorded is counted: nothing may be missing.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import click
import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.report import report
from edge.config import Camera, Config
from edge.ops.rehearsal.room import usage_of
from edge.store import segments
from edge.store.db import open_room
from edge.store.status import read_status
from support.cameras import camera_config
from support.rtsp import FPS, coded, network_camera
from support.scenes import person, room
from support.serving import until

WIDTH, HEIGHT, BITRATE, GOP_S = 1920, 1080, 4_000_000, 2
CAMERAS = ("door", "hall", "left", "right")
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
SETTLE_S = 5.0
PREVIEW_S = 30.0
RECORD = """
import signal, sys, threading
from edge.config import Config
from edge.services import camera
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
camera.run(Config.model_validate_json(sys.argv[1]), sys.argv[2], stop, pictures=sys.argv[3] == "pictures")
"""
FFMPEG = (
    *("ffmpeg", "-nostdin", "-loglevel", "error", "-rtsp_transport", "tcp", "-i", "{url}", "-an", "-c", "copy"),
    *("-f", "segment", "-segment_time", "60", "-reset_timestamps", "1", "-segment_format", "mp4"),
    *("-segment_format_options", "movflags=+frag_keyframe+empty_moov+default_base_moof:flush_packets=1"),
    "{folder}/%03d.mp4",
)


def stream() -> list[list[bytes]]:
    """Somebody walks through a room before a sensor with noise."""
    scene, noise = room(WIDTH, HEIGHT), np.random.default_rng(4)

    def pictures() -> Iterator[NDArray[np.uint8]]:
        for n in range(GOP_S * FPS):
            grain = noise.integers(-4, 5, scene.shape, np.int16)
            yield np.clip(person(scene, 0.2 + 0.6 * n / GOP_S / FPS) + grain, 0, 255).astype(np.uint8)

    return coded(pictures(), WIDTH, HEIGHT, BITRATE)


@contextmanager
def recorder(config: Config, name: str, pictures: bool) -> Iterator[int]:
    """A camera process that records, its process group."""
    words = [config.model_dump_json(), name, "pictures" if pictures else "no"]
    process = subprocess.Popen([sys.executable, "-c", RECORD, *words], start_new_session=True)
    try:
        until(lambda: read_status(config.paths.status, f"camera-{name}").get("bytes", 0) > BITRATE // 8, 30, name)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@contextmanager
def ffmpeg(url: str, folder: Path) -> Iterator[int]:
    folder.mkdir()
    words = [word.format(url=url, folder=folder) for word in FFMPEG]
    process = subprocess.Popen(words, start_new_session=True)
    try:
        until(lambda: sum(f.stat().st_size for f in folder.glob("*.mp4")) > BITRATE // 8, 30, "ffmpeg records")
        yield process.pid
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


def watch(groups: list[int], seconds: float) -> list[float]:
    """The share of a core that each process group used in this time."""
    time.sleep(SETTLE_S)
    began, before = time.monotonic(), [usage_of(group).cpu_s for group in groups]
    time.sleep(seconds)
    after, took = [usage_of(group).cpu_s for group in groups], time.monotonic() - began
    return [(now - then) / took for now, then in zip(after, before, strict=True)]


def run(folder: Path, url: str, names: tuple[str, ...], seconds: float, *, pictures: bool, beside: bool) -> list[float]:
    """Record with these cameras, and with ffmpeg `beside` them; the share of a core of each, ffmpeg last."""
    config = camera_config(folder, {name: Path("x") for name in names})
    cameras = {  # of one server, which gives each the same
        name: Camera(backend="rtsp", source=f"{url}?{name}", width=WIDTH, height=HEIGHT, fps=FPS) for name in names
    }
    with ExitStack() as stack:
        runtime = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY)))  # as on the box
        paths = config.paths.model_copy(update={"runtime": runtime})
        config = config.model_copy(update={"camera": cameras, "paths": paths})
        groups = [stack.enter_context(recorder(config, name, pictures)) for name in names]
        if beside:
            groups.append(stack.enter_context(ffmpeg(url, folder / "ffmpeg")))
        shares = watch(groups, seconds)
    least = round((seconds + SETTLE_S) * FPS)
    db = open_room(config.paths.room_db)
    try:
        counts = {name: _recorded(segments.between(db, name, 0, 1 << 52)) for name in names}
    finally:
        db.close()
    if beside:
        counts["ffmpeg"] = sum(_pictures(file) for file in (folder / "ffmpeg").glob("*.mp4"))
    short = {name: count for name, count in counts.items() if count < least}
    if short:
        raise click.ClickException(f"of at least {least} pictures were recorded only {short}")
    return shares


def _recorded(found: list[segments.Segment]) -> int:
    """Pictures in these segments; 0 where there is a hole between two."""
    holes = any(b.started_ms - a.ended_ms > 250 for a, b in pairwise(found))
    return 0 if holes else sum(segment.frames or 0 for segment in found)


def _pictures(file: Path) -> int:
    with av.open(str(file)) as container:
        return sum(packet.size > 0 for packet in container.demux(video=0))


def recording_figures(seconds: float) -> dict[str, Any]:
    if shutil.which("ffmpeg") is None:
        raise click.ClickException("ffmpeg is missing: run provisioning/test-packages.sh")
    units = stream()
    with tempfile.TemporaryDirectory() as name, network_camera(units) as server:
        folder = Path(name)
        one, theirs = run(folder / "one", server.url, CAMERAS[:1], seconds, pictures=False, beside=True)
        four = run(folder / "four", server.url, CAMERAS, seconds, pictures=False, beside=False)
        shown = run(folder / "shown", server.url, CAMERAS[:1], min(PREVIEW_S, seconds), pictures=True, beside=False)
    return {
        "seconds": round(seconds),
        "mbit": round(sum(len(u) for picture in units for u in picture) * 8 / GOP_S / 1e6, 1),
        "to_ffmpeg": round(one / theirs, 2),
        "four_to_one": round(sum(four) / one, 2),
        "cpu_percent": round(100 * one, 2),
        "ffmpeg_cpu_percent": round(100 * theirs, 2),
        "four_cpu_percent": round(100 * sum(four), 2),
        "previews_cpu_percent": round(100 * (shown[0] - one), 1),
    }


@click.command()
@click.option("--seconds", type=click.FloatRange(min=5), default=300.0, show_default=True, help="Of each run.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--record", "keep", is_flag=True, help="Write the figures to measured.json.")
def main(seconds: float, as_json: bool, keep: bool) -> None:
    """Benchmark recording a stream that comes coded."""
    report("recording", recording_figures(seconds), as_json, keep)


if __name__ == "__main__":
    main()
