"""A disk that another process fills in the middle of an exam: real small file systems, a real `web`, real tablets."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge import clock
from edge.clock import Instant, TimeQuality
from edge.config import parse_config
from edge.demo.clip import write_clip
from edge.demo.tablets import Tally
from edge.domain.footage import Cause
from edge.errors import Conflict
from edge.ops.ports import free_port
from edge.ops.preflight import need_footage_room
from edge.recording.retention import rules_of, sweep
from edge.recording.writer import Place, segment_of
from edge.store import ledger, segments, sessions
from edge.store.reserve import LOG_MB, MB, NAME, free_bytes
from edge.store.segments import segment_id
from edge.store.status import read_statuses
from support.cameras import FPS, noise
from support.disks import small_disk
from support.kills import camera_status, keep_answering, wrongs
from support.rooms import DeskRoom, make_desk_room
from support.serving import Service, claimed, open_exam, serving, signed_in, until, write_config

SIZE_MB, RESERVE_MB = 112, 24
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")

FILL = """
import os, sys, time
out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
size = 1 << 20
while True:
    try:
        os.write(out, bytes(size))
    except OSError:
        if size == 4096:
            if sys.argv[2] == "once":
                break
            time.sleep(0.005)
        size = 4096
"""


@contextmanager
def filled(file: Path, how: str) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that takes all the space there is: "once", or "always" again."""
    process = subprocess.Popen([sys.executable, "-c", FILL, str(file), how])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Exam:
    """Six tablets that answer without a pause until told to stop."""

    def __init__(self, base: str, room: DeskRoom) -> None:
        self.tally, self._stop = Tally(), threading.Event()
        proctor, codes = open_exam(base, room.session)
        proctor.close()
        self._tablets = claimed(base, codes, self.tally)
        self._threads = [
            threading.Thread(target=keep_answering, args=(t, self._stop), daemon=True) for t in self._tablets
        ]
        for thread in self._threads:
            thread.start()

    def more(self, count: int, seconds: float = 60) -> None:
        """Wait for so many further answers to be acknowledged."""
        before = len(self.tally.acknowledged)
        until(lambda: len(self.tally.acknowledged) >= before + count, seconds, f"{count} more answers")

    def end(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)
        for tablet in self._tablets:
            tablet.close()


def disk_of(room: DeskRoom) -> dict[str, Any]:
    return read_statuses(room.config.paths.status).get("disk", {})


def kinds(room: DeskRoom) -> list[str]:
    return [entry.kind for kind in ("reserve_used", "reserve_whole") for entry in ledger.last(room.db, kind, 5)]


@pytest.mark.parametrize("kind", ["tmpfs", pytest.param("ext4", marks=pytest.mark.long)])
def test_a_full_disk_starves_no_answer(kind: str, tmp_path: Path) -> None:
    state, junk = tmp_path / "state", tmp_path / "state" / "footage"
    with small_disk(kind, state, tmp_path / "image", SIZE_MB):
        room = make_desk_room(tmp_path, web={"port": free_port(), "threads": 32}, store={"reserve_mb": RESERVE_MB})
        with serving(room, tmp_path) as (_, base):
            assert (state / NAME).stat().st_blocks * 512 >= RESERVE_MB * MB
            exam = Exam(base, room)
            try:
                exam.more(50)
                with filled(junk, "once") as filler:
                    assert filler.wait(60) == 0
                exam.more(3000, 120)
                assert exam.tally.retries == 0, "every answer was taken at once"
                until(lambda: disk_of(room).get("reason") == "disk_reserve_used", 20, "the console is told")
                until(lambda: "reserve_used" in kinds(room), 20, "the ledger has it")
                junk.unlink()
                until(lambda: disk_of(room).get("state") == "ok", 20, "the reserve is whole again")
                until(lambda: "reserve_whole" in kinds(room), 20, "the ledger has that too")
                exam.more(50)
            finally:
                exam.end()
        assert not exam.tally.problems
        assert not wrongs(room, exam.tally), "nothing lost, doubled or changed"
        room.db.close()


def test_when_even_the_reserve_is_gone_the_refusal_is_honest_and_all_arrives_later(tmp_path: Path) -> None:
    state, junk = tmp_path / "state", tmp_path / "state" / "log"
    with small_disk("tmpfs", state, tmp_path / "image", SIZE_MB):
        room = make_desk_room(tmp_path, web={"port": free_port(), "threads": 32}, store={"reserve_mb": 8})
        with serving(room, tmp_path) as (_, base):
            exam = Exam(base, room)
            try:
                exam.more(50)
                with filled(junk, "always"):
                    until(lambda: exam.tally.retries > 20, 180, "answers are refused")
                    assert exam.tally.refused <= {"journal_failed"}
                    assert exam.tally.refused, "the tablets are told why"
                    kept = len(exam.tally.acknowledged)
                junk.unlink()
                exam.more(200)
                assert len(exam.tally.acknowledged) > kept
                until(lambda: disk_of(room).get("state") == "ok", 20, "the reserve is whole again")
            finally:
                exam.end()
        assert not exam.tally.problems
        assert not wrongs(room, exam.tally)
        room.db.close()


def test_footage_has_room_by_what_a_real_disk_says_and_room_is_made_on_it(tmp_path: Path) -> None:
    recordings = tmp_path / "recordings"
    with small_disk("tmpfs", recordings, tmp_path / "image", 64):
        desk = make_desk_room(tmp_path, camera={"door": {"bitrate": 100_000}}, recording={"reserve_mb": 20})
        config, session = desk.config, sessions.find(desk.db, desk.session)
        with pytest.raises(Conflict) as caught:
            need_footage_room(desk.db, config, session)
        assert (caught.value.code, caught.value.facts["free"], caught.value.facts["needed"]) == (
            "footage_too_full", 0.0, 0.1,
        )  # fmt: skip
        boot, now = "0123456789abcdef" * 2, Instant(clock.wall_ms(), 0, "", TimeQuality.SYNCHRONISED)
        (recordings / "door").mkdir()
        for n in range(1, 55):
            place = Place(recordings, "door", boot, n)
            place.path.write_bytes(bytes(MB))
            at = Instant(now.wall_ms - (90 - n) * 86_400_000, 0, boot, TimeQuality.SYNCHRONISED)
            segments.index(desk.db, segment_of(place, at, 4, "00" * 32, [], MB, Cause.ROTATED))
        rules = rules_of(config)
        assert free_bytes(recordings) < rules.reserve, "recording has stopped"
        gone = sweep(desk.db, recordings, rules, now)
        assert gone == [segment_id("door", boot, n) for n in range(1, len(gone) + 1)], "the oldest first"
        assert rules.wanted_free <= free_bytes(recordings) < rules.wanted_free + 2 * MB, "and no more than that"
        left = range(len(gone) + 1, 55)
        assert segments.known(desk.db, "door") == {(boot, n) for n in left}
        assert {f for f in (recordings / "door").iterdir()} == {Place(recordings, "door", boot, n).path for n in left}
        desk.db.close()


@pytest.mark.long
def test_a_camera_that_fills_the_answers_own_disk_stops_at_its_reserve_and_no_answer_waits(tmp_path: Path) -> None:
    root, reserve = tmp_path / "disk", 30_000_000
    clip = tmp_path / "clip.mp4"
    write_clip(clip, noise(40), FPS, bitrate=6_000_000)
    with small_disk("tmpfs", root, tmp_path / "image", SIZE_MB):
        room = make_desk_room(root, web={"port": free_port(), "threads": 32}, store={"reserve_mb": RESERVE_MB})
        cameras = {"door": {"backend": "file", "source": str(clip), "fps": FPS}}
        recording = {"reserve_mb": reserve // 1_000_000, "segment_seconds": 5}
        config = room.config.model_dump(mode="json", exclude_defaults=True)
        (tmp_path / "camera").mkdir()
        file = write_config(parse_config(config | {"camera": cameras, "recording": recording}), tmp_path / "camera")
        camera = Service(file, "camera@door", tmp_path / "camera.log")
        with serving(room, tmp_path) as (_, base):
            exam = Exam(base, room)
            try:
                exam.more(50)
                (root / "junk").write_bytes(bytes(shutil.disk_usage(root).free - reserve - 4_000_000))
                camera.start()
                until(lambda: camera_status(room.config, "door").get("state") == "reserve", 90, "recording stops")
                assert shutil.disk_usage(root).free > reserve - 4_000_000, "and leaves what is not its own"
                exam.more(2000, 120)
                assert exam.tally.retries == 0, "every answer was taken at once"
                assert (root / "state" / NAME).stat().st_size == RESERVE_MB * MB, "the answers' own reserve is whole"
                assert kinds(room) == [], "and was never touched"
            finally:
                camera.stop()
                exam.end()
        assert not exam.tally.problems
        assert not wrongs(room, exam.tally), "nothing lost, doubled or changed"
        assert [entry.body["state"] for entry in ledger.last(room.db, "recording", 5)] == ["reserve"]
        assert segments.cameras(room.db) == ["door"], "what was recorded until then is there"
        room.db.close()


def test_without_headroom_the_door_stays_shut_and_says_the_figures(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with small_disk("tmpfs", state, tmp_path / "image", 72):
        room = make_desk_room(tmp_path, web={"port": free_port(), "threads": 8}, store={"reserve_mb": 32})
        with serving(room, tmp_path) as (_, base):
            proctor = signed_in(base)
            try:
                until(lambda: (state / "room.db-wal").stat().st_size >= LOG_MB * MB, 20, "the logs have their room")
                (state / "old-footage").write_bytes(bytes(shutil.disk_usage(state).free - 5 * MB))
                with pytest.raises(RuntimeError, match=r"disk_too_full.*[45] MB"):
                    proctor.post(f"/console/api/{room.session}/open-checkin", reason="开考")
                (state / "old-footage").unlink()
                proctor.post(f"/console/api/{room.session}/open-checkin", reason="开考")
            finally:
                proctor.close()
        room.db.close()
