"""A desk room for the benchmarks: every service under `examroom run`, before its door's camera whatever is given."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from edge.demo.clip import write_clip
from edge.demo.people import POLICY
from edge.ops.ports import free_port
from edge.services.supervisor import read_pids
from edge.vision import packs
from edge.vision.face import Picture
from support.rooms import DeskRoom, make_desk_room
from support.serving import answers, until, write_config

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "models"
SERVICES = ("camera", "checkin", "web", "uplink")


def make_room(
    folder: Path,
    film: Iterable[Picture],
    fps: int,
    size: tuple[int, int],
    *,
    pack: str = "dlib",
    face: Mapping[str, Any] | None = None,
    camera: Mapping[str, Any] | None = None,
    checkin: Mapping[str, Any] | None = None,
    debounce_ms: int = 1500,
    photos: bool = False,
) -> DeskRoom:
    """A room with a wedge on a pipe and a reader of tickets on its camera, the panel on mock pins, the face pack and,
    where its files are beside the checkout, the networks for liveness.

    film: what stands before the camera, over and over, width and height as in `size`; face: what its policy asks of
    faces besides; camera, checkin: options besides; photos: two candidates have one.
    """
    write_clip(folder / "film.mp4", film, fps)
    door = {"backend": "file", "source": str(folder / "film.mp4"), "width": size[0], "height": size[1], "fps": fps}
    room = make_desk_room(
        folder,
        photos=photos,
        policy=POLICY | {"face": POLICY["face"] | dict(face or {})},
        web={"port": free_port(), "threads": 64},
        camera={"door": door | dict(camera or {})},
        checkin={"pack": pack} | dict(checkin or {}),
        badge={
            "card": {"backend": "events", "device": str(wedge(folder)), "debounce_ms": debounce_ms},
            "ticket": {"backend": "qr"},
        },
        panel={"backend": "gpio", "pin_factory": "mock", "control": str(folder / "run" / "button")},
    )
    (folder / "run").mkdir(exist_ok=True)
    packs.install(pack, room.config.paths.models, origin=None if pack == "dlib" else str(SHARED))
    if SHARED.is_dir():
        packs.install("liveness", room.config.paths.models, origin=str(SHARED))
    return room


def wedge(folder: Path) -> Path:
    """The pipe of the room's badge reader."""
    return folder / "run" / "reader"


@contextmanager
def running(room: DeskRoom, folder: Path) -> Iterator[dict[str, int]]:
    """The room under its supervisor; the process group of each service."""
    words = ["--config", str(write_config(room.config, folder)), "run", "--logs", str(folder / "logs")]
    with (folder / "run.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "edge.cli", *words], stdout=log, stderr=log, start_new_session=True
        )
    runtime = room.config.paths.runtime
    try:
        until(lambda: answers(f"http://127.0.0.1:{room.config.web.port}"), 60, "web answers")
        until(lambda: len(read_pids(runtime)) == len(SERVICES), 30, "all services")
        yield {name.partition("@")[0]: pid for name, pid in read_pids(runtime).items()}
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            for pid in read_pids(runtime).values():
                with suppress(ProcessLookupError):
                    os.killpg(pid, signal.SIGKILL)
            process.kill()
            process.wait()
