"""What a desk room costs while nobody comes: processor time of the door and its page, memory of each service.

    python tests/bench/idle.py [--seconds 60] [--json] [--record]

Every service under `examroom run`: check-in open, a file camera on an empty wall with a sensor's noise, a wedge on a
pipe and a reader of tickets on that camera, the panel on mock pins, the face pack and, where its files are beside the
checkout, the networks for liveness; the kiosk's page open in Chromium. Shares are of one core; memory is the most seen
of a service's processes together, pages they share counted for each.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import sync_playwright

from bench.report import report
from bench.room import SERVICES, make_room, running
from edge.ops.rehearsal.room import Usage, usage_of
from edge.store.status import read_statuses
from edge.vision.face import Picture
from support.serving import signed_in
from support.tablet_page import chromium

WIDTH, HEIGHT, FPS = 1280, 720, 15
SETTLE_S = 15.0
"""Start-up is over, and no lamp or sentence of the opening lingers."""


def wall() -> Iterator[Picture]:
    """An empty wall with a sensor's noise."""
    flat, noise = np.full((HEIGHT, WIDTH, 3), 118, np.float32), np.random.default_rng(4)
    return (np.clip(flat + noise.normal(0, 2, flat.shape), 0, 255).astype(np.uint8) for _ in range(4 * FPS))


def group_with(word: str) -> int:
    """The process group of the browser that was started with this word."""
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if word.encode() in line.read_bytes().split(b"\0"):
                return os.getpgid(int(line.parent.name))
    raise click.ClickException("Chromium is not found among the processes")


def watch(groups: dict[str, int], seconds: float) -> tuple[dict[str, float], dict[str, Usage]]:
    """Of each group the seconds of processor used, and the most memory it held."""
    first = {name: usage_of(group) for name, group in groups.items()}
    most = dict(first)
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(2.0, left))
        for name, group in groups.items():
            now = usage_of(group)
            if now.rss_mb >= most[name].rss_mb:
                most[name] = now
    return {name: usage_of(group).cpu_s - first[name].cpu_s for name, group in groups.items()}, most


def measure(folder: Path, seconds: float) -> dict[str, Any]:
    room, mark = make_room(folder, wall(), FPS, (WIDTH, HEIGHT)), f"--examroom-idle={uuid.uuid4().hex}"
    base = f"http://127.0.0.1:{room.config.web.port}"
    with running(room, folder) as groups, sync_playwright() as playwright:
        proctor = signed_in(base)
        proctor.post(f"/console/api/{room.session}/open-checkin", reason="开始签到")
        proctor.close()
        browser = chromium(playwright, mark)
        try:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(f"{base}/kiosk/")
            page.wait_for_selector("body[data-state=ready]")
            time.sleep(SETTLE_S)
            began = time.monotonic()
            used, most = watch(groups | {"page": group_with(mark)}, seconds)
            took = time.monotonic() - began
            said = read_statuses(room.config.paths.status)["checkin"]
            if page.evaluate("document.body.dataset.state") != "ready" or said["pack"] is None:
                raise click.ClickException(f"the door was not idle: {said}")
        finally:
            browser.close()
    room.db.close()
    share = {name: round(100 * spent / took, 2) for name, spent in used.items()}
    figures: dict[str, Any] = {
        "seconds": round(took),
        "kiosk_cpu_percent": round(share["checkin"] + share["page"], 2),
        **{f"{name}_cpu_percent": share[name] for name in ("checkin", "page", "web", "camera", "uplink")},
        **{f"{name}_mb": round(most[name].rss_mb) for name in SERVICES},
    }
    figures |= {f"{name}_pss_mb": None if (pss := most[name].pss_mb) is None else round(pss) for name in most}
    return figures | {
        "networks": 3 if said["liveness"] else 1,
        "load_1min": round(os.getloadavg()[0], 1),
    }


@click.command()
@click.option("--seconds", type=click.FloatRange(min=1), default=60.0, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--record", "keep", is_flag=True, help="Write the figures to measured.json.")
def main(seconds: float, as_json: bool, keep: bool) -> None:
    """Benchmark a room in which nothing happens."""
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), seconds)
    report("idle", figures, as_json, keep)


if __name__ == "__main__":
    main()
