"""Wi-Fi in its real rhythm: a line that drops every 20 s and loses replies in between, two tablets that answer on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from bench.measured import record
from edge.ops.ports import free_port
from support.lossy_front import LossyFront
from support.rooms import make_desk_room
from support.serving import open_exam, serving
from support.tablet_page import chromium, seat, tablet
from support.tls_front import NAME
from support.wifi import Candidate, drop_and_answer, nothing_lost

EVERY_S = 20.0
DOWN_S = 6.0
CYCLES = 9

pytestmark = pytest.mark.soak


def test_a_line_that_drops_every_20_seconds_loses_and_doubles_nothing(tmp_path: Path) -> None:
    room = make_desk_room(tmp_path, size=2, web={"port": free_port(), "threads": 24})
    room.db.execute("UPDATE sessions SET minutes = 60")
    with serving(room, tmp_path) as (_, base), sync_playwright() as running:
        browser = chromium(running, f"--host-resolver-rules=MAP {NAME} 127.0.0.1")
        proctor, codes = open_exam(base, room.session)
        front = LossyFront(room.config.web.port, every=5)
        began = time.monotonic()
        with tablet(browser, front.base) as one, tablet(browser, front.base) as two:
            for page, code in ((one, codes[0]), (two, codes[1])):
                seat(page, front.base, code)
            candidates = [Candidate(one), Candidate(two)]
            drop_and_answer(candidates, front, CYCLES, up_s=EVERY_S - DOWN_S, down_s=DOWN_S, pause_s=0.7)
            found = nothing_lost(room, candidates, 120)
        took = time.monotonic() - began
        front.cut()
        proctor.close()
        browser.close()
    room.db.close()
    figures = {"tablets": 2, "drops": CYCLES, "every_s": EVERY_S, "down_s": DOWN_S, "seconds": round(took)}
    record("wifi", {**figures, **found, "replies_lost": front.lost})
