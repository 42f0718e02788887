"""What the check-in service costs while somebody stands at the door: processor time, memory, frames a second.

    python tests/bench/busy.py [--pack yunet] [--visits 10] [--json] [--record]

Every service under `examroom run`, as in `idle.py`, but ten pictures a second and a portrait that sways before the
camera; the badge that is tapped is somebody else's, and the door compares twenty frames before it refuses. Where their
files are beside the checkout, policy asks the networks for liveness too. Processor time is the service's own, all of
its threads, from the first picture after the tap until the visit is settled; the share is of one core. Frames a second
are those that were compared over the whole of the visit, so the wait for the first picture counts against them. Memory
is the most seen of the service's processes together.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.report import report
from bench.room import SHARED, make_room, running, wedge
from edge.demo.clip import ASTRONAUT, HEIGHT, WIDTH, standing
from edge.demo.people import HOPPER, badge_of
from edge.hardware.badge.simulator import tap
from edge.ops.rehearsal.room import Usage, usage_of
from edge.store import checkins, people
from edge.store.ring import RingReader
from edge.store.status import read_statuses
from edge.vision.manifest import read_manifest
from support.rooms import DeskRoom
from support.serving import signed_in, until

NETWORKS = {"dlib": 1, "yunet": 2}
"""Of the face pack; dlib's detector and landmarks are its library's own."""
FRAMES, FACE_FPS, FPS = 20, 10, 20
POLL_S = 0.005
FULL_LOOK = ("face_other_person", "liveness_spoof")
"""Said only after all frames were compared."""


@dataclass(frozen=True)
class Look:
    """One visit: seconds of processor in so many seconds, from the first picture on; how long it took from the tap."""

    cpu_s: float
    seconds: float
    whole_s: float
    most: Usage


def shown(db: sqlite3.Connection) -> checkins.KioskState:
    found = checkins.shown(db)
    return found or checkins.KioskState("", "", {}, 0)


def look(room: DeskRoom, folder: Path, group: int) -> Look:
    """Tap, and be looked at until the door has decided."""
    ring = RingReader(room.config.paths.ring("door"))

    def newest() -> int:
        found = ring.motion()
        return found[0] if found else 0

    until(lambda: shown(room.db).state == "ready", 30, "the door is ready")
    tap(wedge(folder), badge_of(HOPPER))
    until(lambda: shown(room.db).state == "look", 10, "the door looks", POLL_S)
    began_ms, number = shown(room.db).at_ms, newest()
    until(lambda: newest() > number, 10, "a picture", POLL_S)
    began, before = time.monotonic(), usage_of(group)
    while shown(room.db).state == "look":
        if time.monotonic() - began > 60:
            raise click.ClickException("the door has not decided within a minute")
        time.sleep(POLL_S)
    seconds, after = time.monotonic() - began, usage_of(group)
    ring.close()
    ended = shown(room.db)
    if ended.reason not in FULL_LOOK:
        raise click.ClickException(f"not every frame was compared: {ended.reason}")
    most = max(before, after, key=lambda usage: usage.rss_mb)
    return Look(after.cpu_s - before.cpu_s, seconds, (ended.at_ms - began_ms) / 1000, most)


def enrolled(room: DeskRoom, pack: str) -> bool:
    """Whether the photograph of whose badge is tapped has become a template."""
    who = next(one for one in people.candidates(room.db, room.session) if one.number == HOPPER)
    return people.template(room.db, who.person, pack, read_manifest(pack).version) is not None


def measure(folder: Path, pack: str, visits: int) -> dict[str, Any]:
    room = make_room(
        folder,
        standing(ASTRONAUT, FPS),
        FPS,
        (WIDTH, HEIGHT),
        pack=pack,
        face={"liveness": "passive"} if SHARED.is_dir() else None,
        camera={"face_fps": FACE_FPS},
        checkin={"frames": FRAMES, "look_seconds": 20, "show_seconds": 0.5},
        debounce_ms=200,
        photos=True,
    )
    with running(room, folder) as groups:
        proctor = signed_in(f"http://127.0.0.1:{room.config.web.port}")
        proctor.post(f"/console/api/{room.session}/open-checkin", reason="开始签到")
        proctor.close()
        until(lambda: enrolled(room, pack), 60, "a template")
        looks = [look(room, folder, groups["checkin"]) for _ in range(visits)]
        said = read_statuses(room.config.paths.status)["checkin"]
    room.db.close()
    most = max((one.most for one in looks), key=lambda usage: usage.rss_mb)
    return {
        "visits": len(looks),
        "frames_per_s": round(FRAMES * len(looks) / sum(one.whole_s for one in looks), 1),
        "checkin_cpu_percent": round(100 * sum(one.cpu_s for one in looks) / sum(one.seconds for one in looks), 1),
        "checkin_mb": round(most.rss_mb),
        "checkin_pss_mb": None if most.pss_mb is None else round(most.pss_mb),
        "networks": NETWORKS[pack] + (2 if said["liveness"] else 0),
        "pack": said["pack"],
        "load_1min": round(os.getloadavg()[0], 1),
    }


@click.command()
@click.option("--pack", type=click.Choice(list(NETWORKS)), default="dlib", show_default=True)
@click.option("--visits", type=click.IntRange(min=1), default=10, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--record", "keep", is_flag=True, help="Write the figures to measured.json.")
def main(pack: str, visits: int, as_json: bool, keep: bool) -> None:
    """Benchmark the check-in service while somebody is looked at."""
    if pack != "dlib" and not SHARED.is_dir():
        raise click.ClickException("the pack's files are not beside this checkout: ../shared/models")
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), pack, visits)
    report("busy" if pack == "dlib" else f"busy-{pack}", figures, as_json, keep)


if __name__ == "__main__":
    main()
