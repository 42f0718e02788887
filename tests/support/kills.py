"""The loops that kill: `web` under load, cameras while they record. The tests run them short, `make soak` long."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge import clock
from edge.config import Config
from edge.demo.tablets import Tablet, Tally, questions
from edge.ops.rehearsal.tally import Wrongs, hold_against
from edge.recording import clips
from edge.recording.salvage import on_disk
from edge.store import segments
from edge.store.db import connect
from edge.store.status import read_statuses
from support.cameras import FPS, decoded
from support.certified import certified
from support.rooms import DeskRoom
from support.serving import answers, claimed, open_exam, serving, until

RUN_CAMERA = """
import signal, sys, threading
from edge.config import Config
from edge.services import camera
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
camera.run(Config.model_validate_json(sys.argv[1]), sys.argv[2], stop)
"""


def journal_ops(desk: DeskRoom) -> list[str]:
    connection = connect(desk.config.paths.answers_db)
    try:
        return [row["op_id"] for row in connection.execute("SELECT op_id FROM journal")]
    finally:
        connection.close()


def wrongs(desk: DeskRoom, tally: Tally) -> Wrongs:
    """What the store lacks or has wrongly of all the tablets were told."""
    connection = connect(desk.config.paths.answers_db)
    try:
        return hold_against(connection, tally.told, tally.sent)
    finally:
        connection.close()


def keep_answering(tablet: Tablet, stop: threading.Event) -> None:
    """Change one answer after another, as fast as they are acknowledged."""
    items = questions(tablet.paper())
    versions = dict.fromkeys((item["id"] for item in items), 0)
    while not stop.is_set():
        for item in items:
            if stop.is_set():
                return
            saved = tablet.answer(item["id"], tablet.guess(item), versions[item["id"]])
            if saved is not None:
                versions[item["id"]] = saved["version"]


def kill_web(room: DeskRoom, folder: Path, kills: int, chance: random.Random) -> Tally:
    """SIGKILL `web` at `kills` random moments while every tablet answers; what the tablets were told.

    After each kill the next begins only once `web` is back and has acknowledged something more.
    """
    tally, stop = Tally(), threading.Event()
    with serving(room, folder) as (web, base):
        _, codes = open_exam(base, room.session)
        tablets = claimed(base, codes, tally)
        threads = [threading.Thread(target=keep_answering, args=(t, stop), daemon=True) for t in tablets]
        for thread in threads:
            thread.start()
        try:
            for _ in range(kills):
                before = len(tally.acknowledged)
                time.sleep(chance.uniform(0.05, 0.4))
                web.kill()
                web.start()
                until(lambda: answers(base), 20, "web is back")
                until(lambda before=before: len(tally.acknowledged) > before, 20, "answers go on")
        finally:
            stop.set()
            for thread in threads:
                thread.join(20)
            for tablet in tablets:
                tablet.close()
    return tally


@dataclass
class Life:
    """One camera's processes, one after another: each killed at a random moment."""

    config: Config
    name: str
    random: random.Random
    spans: list[tuple[int, int]] = field(default_factory=list)  # recording for certain, monotonic ms
    seen: set[str] = field(default_factory=set)
    failure: BaseException | None = None

    def live(self, kills: int) -> None:
        child: subprocess.Popen[bytes] | None = None
        try:
            for _ in range(kills):
                child = self._spawn()
                until(lambda c=child: self._records(c.pid))
                since = clock.mono_ms()
                time.sleep(self.random.uniform(2.2, 4.8))
                child.kill()
                killed = clock.mono_ms()
                child.wait()
                self.spans.append((since, killed))
                self.seen |= self.files()
            child = self._spawn()
            until(lambda: self._records(child.pid) and camera_status(self.config, self.name)["salvaged"] >= 1)
            began = time.monotonic()
            child.send_signal(signal.SIGTERM)
            assert child.wait(10) == 0
            assert time.monotonic() - began < 5
        except BaseException as error:
            self.failure = error
            if child is not None and child.poll() is None:
                child.kill()
                child.wait()

    def files(self) -> set[str]:
        return {f.name for f in (self.config.paths.recordings / self.name).glob("*.mp4")}

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-W", "error", "-c", RUN_CAMERA, self.config.model_dump_json(), self.name]
        return subprocess.Popen(command)

    def _records(self, pid: int) -> bool:
        said = camera_status(self.config, self.name)
        return said.get("pid") == pid and said["state"] == "recording"


def camera_status(config: Config, name: str) -> dict[str, Any]:
    return read_statuses(config.paths.status).get(f"camera-{name}", {})


def kill_cameras(config: Config, kills_each: int) -> list[Life]:
    """Every camera of the configuration lives `kills_each` deaths, all at once; asserts that each went as planned."""
    lives = [Life(config, name, random.Random(n)) for n, name in enumerate(config.camera)]
    threads = [threading.Thread(target=life.live, args=(kills_each,), daemon=True) for life in lives]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60 + 15 * kills_each)
        assert not thread.is_alive(), "a camera does not come back"
    for life in lives:
        assert life.failure is None, life.failure
    return lives


def lost_footage(db: sqlite3.Connection, life: Life) -> list[int]:
    """Milliseconds lost at each kill; asserts that all before it is there, whole, hashed, and nothing was deleted, and
    that the certificate of all of it has a gap for each kill, of that cause and no longer than the camera was away.
    """
    config = life.config
    found = segments.between(db, life.name, 0, 1 << 52)
    assert {Path(s.path).name for s in found} <= life.files()
    assert life.seen <= life.files()
    assert segments.known(db, life.name) == {
        (p.boot_id, p.sequence) for p in on_disk(config.paths.recordings, life.name)
    }
    for _, killed in life.spans:
        last = max((s for s in found if s.started_mono_ms < killed), key=lambda s: s.started_mono_ms)
        # or nothing of the next segment was written yet
        assert (last.salvaged and last.cause == "killed") or killed - last.started_mono_ms - last.duration_ms < 2000
    for segment in found:
        whole = list(clips.read_fragments(config.paths.recordings, segment, 0, 1 << 52))
        assert len(whole) == len(segment.fragments) > 0
        pictures = decoded(config.paths.recordings / segment.path)
        assert pictures == round(segment.duration_ms * FPS / 1000)
    lost = list[int]()
    for since, killed in life.spans:
        reached = since
        for s in found:
            start, end = s.started_mono_ms, s.started_mono_ms + s.duration_ms
            if start <= reached + 250 and end > reached and start < killed:
                reached = end
        lost.append(max(0, killed - reached))
    fact = certified(config, life.name, found[0].started_ms, found[-1].ended_ms)
    assert [gap.cause for gap in fact.gaps] == ["killed"] * len(life.spans)
    away = fact.expected_ms - sum(s.duration_ms for s in found)
    assert abs(sum(gap.ms for gap in fact.gaps) - away) < 250 * len(life.spans)
    assert (fact.segments, fact.salvaged) == (len(found), sum(s.salvaged for s in found))
    return lost
