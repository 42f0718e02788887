"""Answers and the recorder while footage is downloaded under the cap, beside the same without downloads.

    python tests/bench/footage_load.py [--clients 200] [--streams 8] [--seconds 30] [--json] [--record]

An exam at its pace (each tablet saves once in five seconds, by wrk as in saves.py) in a room whose camera process
records; then again while `--streams` supervisors' browsers fetch clips of it one after another, as many as the room
sends at once. Counted: how long saves take (`p50_added_ms`: how much longer than alone), how far the recorder ever was
behind its disk, and how much of the cap during exams (`web.footage_mbit_exam`) the downloads took: too little would
mean that they were no load, and more than it that there is no cap. Exit 1 when a figure misses its limit. That of p99
is one that a person at a tablet would notice, since without any download it is another in each run.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.report import report
from bench.saves import WARM_SECONDS, Bench, Seen, bench, needs
from edge import clock
from edge.config import Config
from edge.demo.clip import write_clip
from edge.ops.desk import Person
from support.kills import RUN_CAMERA, camera_status
from support.serving import SUPERVISOR, until

WIDTH, HEIGHT, FPS, BITRATE = 1280, 720, 15, 2_000_000
CAMERA = "door"
FILMED_S = 15.0
PACE_S = 5.0


def film(file: Path) -> None:
    wall, noise = np.full((HEIGHT, WIDTH, 3), 118, np.float32), np.random.default_rng(4)
    pictures = (np.clip(wall + noise.normal(0, 12, wall.shape), 0, 255).astype(np.uint8) for _ in range(4 * FPS))
    write_clip(file, pictures, FPS, bitrate=BITRATE)


@contextmanager
def recording(config: Config) -> Iterator[None]:
    """The camera's process, once it has filmed for a while."""
    command = [sys.executable, "-W", "ignore", "-c", RUN_CAMERA, config.model_dump_json(), CAMERA]
    process = subprocess.Popen(command)
    try:
        until(lambda: camera_status(config, CAMERA).get("state") == "recording", 30, "the camera records")
        time.sleep(FILMED_S)
        yield
    finally:
        process.terminate()
        process.wait(15)


@dataclass
class Behind:
    """The most that the recorder was seen to be behind, while this is open."""

    config: Config
    ms: int = 0
    lost_ms: int = 0

    def __enter__(self) -> Behind:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.2):
            said = camera_status(self.config, CAMERA)
            self.ms, self.lost_ms = max(self.ms, int(said["behind_ms"])), int(said["lost_ms"])


class Downloads:
    """Clips of one view, each fetched again and again by `streams` browsers, while this is open."""

    def __init__(self, base: str, session: str, streams: int) -> None:
        self.bytes, self.failed = 0, list[str]()
        self._person, now = Person(base, SUPERVISOR), clock.wall_ms()
        self._person.sign_in("/spotcheck/")
        asked = {"cameras": [CAMERA], "from": now - round(1000 * FILMED_S), "until": now, "why": "footage_load"}
        view = self._person.post(f"/spotcheck/api/{session}/views", **asked)["view"]
        self._path = f"/spotcheck/{session}/clip/{CAMERA}?view={view}"
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._fetch) for _ in range(streams)]

    def __enter__(self) -> Downloads:
        self._began = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self._began
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._person.close()

    @property
    def mbit(self) -> float:
        return self.bytes * 8 / self.seconds / 1e6

    def _fetch(self) -> None:
        while not self._stop.is_set():
            with self._person.stream(self._path) as answer:
                if answer.status_code != 200:
                    self.failed.append(f"{answer.status_code} {answer.text[:200]}")
                    return
                for block in answer.iter_content(1 << 16):
                    if self._stop.is_set():
                        return
                    with self._lock:
                        self.bytes += len(block)


def paced(room: Bench, clients: int, seconds: int) -> tuple[Seen, Behind]:
    seen = Seen()
    with Behind(room.desk.config) as behind:
        room.run("save", room.web, seconds, seen, clients, PACE_S)
    return seen, behind


def measure(folder: Path, clients: int, streams: int, seconds: int) -> dict[str, Any]:
    film(folder / "film.mp4")
    source = {"backend": "file", "source": str(folder / "film.mp4"), "width": WIDTH, "height": HEIGHT, "fps": FPS}
    camera, options = {CAMERA: {**source, "bitrate": BITRATE}}, {"segment_seconds": 10}
    with bench(folder, clients, camera=camera, recording=options) as room, recording(room.desk.config):
        room.run("save", room.web, WARM_SECONDS, Seen(), clients)
        alone, quiet = paced(room, clients, seconds)
        with Downloads(room.web.base, room.desk.session, streams) as downloads:
            beside, behind = paced(room, clients, seconds)
        if downloads.failed:
            raise click.ClickException(f"a download failed: {downloads.failed[0]}")
        lost, cap = room.lost(), room.desk.config.web.footage_mbit_exam
    return {
        "clients": clients,
        "streams": streams,
        "seconds": seconds,
        "cap_mbit": cap,
        "sent_mbit": round(downloads.mbit, 1),
        "sent_to_cap": round(downloads.mbit / cap, 2),
        "p99_alone_ms": round(max(alone.p99), 1),
        "p99_ms": round(max(beside.p99), 1),
        "p50_added_ms": round(max(0.0, max(beside.p50) - max(alone.p50)), 1),
        "behind_alone_ms": quiet.ms,
        "behind_ms": behind.ms,
        "lost_ms": behind.lost_ms,
        "lost": lost,
    }


@click.command()
@click.option("--clients", type=click.IntRange(min=1), default=200, show_default=True)
@click.option("--streams", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--seconds", type=click.IntRange(min=5), default=30, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--record", "keep", is_flag=True, help="Write the figures to measured.json.")
def main(clients: int, streams: int, seconds: int, as_json: bool, keep: bool) -> None:
    """Benchmark answers and the recorder while footage is downloaded."""
    needs()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), clients, streams, seconds)
    report("footage-load", figures, as_json, keep)


if __name__ == "__main__":
    main()
