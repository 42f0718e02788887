"""The whole room under `examroom run`: what dies is started again, what hangs holds up no answer, SIGTERM is quick."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge import clock
from edge.demo.clip import write_clip
from edge.demo.tablets import Tally, questions
from edge.errors import Unavailable
from edge.hardware.badge.simulator import tap
from edge.ops.ports import free_port
from edge.services.supervisor import STOP_SECONDS, read_pids
from edge.store import segments
from edge.store.db import connect
from edge.store.ledger import check
from edge.store.status import read_statuses
from support.rooms import DeskRoom, make_desk_room
from support.serving import answers, claimed, open_exam, until, write_config

OTHERS = ("camera@door", "checkin", "uplink")


@pytest.fixture
def room(tmp_path: Path) -> Iterator[DeskRoom]:
    clip = tmp_path / "clip.mp4"
    noise = np.random.default_rng(1)
    write_clip(clip, (noise.integers(0, 255, (240, 320, 3), np.uint8) for _ in range(40)), 10)
    made = make_desk_room(
        tmp_path,
        web={"port": free_port(), "threads": 32},
        camera={"door": {"backend": "file", "source": str(clip), "width": 320, "height": 240, "fps": 10}},
        recording={"segment_seconds": 5},
        ledger={"checkpoint_seconds": 0.5},
        badge={"backend": "events", "device": str(tmp_path / "run" / "reader")},
    )
    yield made
    made.db.close()


@pytest.fixture
def running(room: DeskRoom, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    config = write_config(room.config, tmp_path)
    with (tmp_path / "run.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "edge.cli", "--config", str(config), "run", "--logs", str(tmp_path / "logs")],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        until(lambda: answers(f"http://127.0.0.1:{room.config.web.port}"), 40, "web answers")
        until(lambda: len(read_pids(room.config.paths.runtime)) == 4, 20, "four services")
        yield process
    finally:
        for pid in read_pids(room.config.paths.runtime).values():
            os.killpg(pid, signal.SIGKILL)
        process.kill()
        process.wait()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().split(")")[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def each_ends_by_itself(room: DeskRoom, log: Path) -> None:
    """On SIGTERM, within 5 s and with nothing left to salvage; the supervisor would kill what does not end in time."""
    for name, pid in read_pids(room.config.paths.runtime).items():
        os.kill(pid, signal.SIGTERM)
        until(lambda pid=pid: not alive(pid), 5, f"{name} ends")
        until(lambda name=name: f"{name}: died 0\n" in log.read_text(), 2, f"{name} ends well")
        if name == "camera@door":
            last = segments.before(room.db, "door", clock.wall_ms())
            assert last is not None and (last.cause, last.salvaged) == ("stopped", False)


def test_answers_go_on_while_each_other_process_is_stopped_and_then_each_ends_by_itself(
    room: DeskRoom, running: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    base = f"http://127.0.0.1:{room.config.web.port}"
    chance, tally, stop = random.Random(4), Tally(), threading.Event()
    proctor, codes = open_exam(base, room.session, admit=3)
    tablets = claimed(base, codes, tally)

    def keep_answering(tablet: object, versions: dict[str, int], items: list[dict[str, object]]) -> None:
        while not stop.is_set():
            for item in items:
                saved = tablet.answer(item["id"], tablet.guess(item), versions[item["id"]])  # type: ignore[attr-defined,index]
                if saved is not None:
                    versions[item["id"]] = saved["version"]  # type: ignore[index]
                if stop.wait(0.01):
                    return

    threads = []
    for tablet in tablets:
        items = questions(tablet.paper())
        versions = {item["id"]: 0 for item in items}
        threads.append(threading.Thread(target=keep_answering, args=(tablet, versions, items)))
    for thread in threads:
        thread.start()
    try:
        for _ in range(4):
            for name in OTHERS:
                pid = read_pids(room.config.paths.runtime)[name]
                time.sleep(chance.uniform(0.0, 0.4))
                os.killpg(pid, signal.SIGSTOP)
                try:
                    before = len(tally.acknowledged)
                    start = time.monotonic()
                    until(
                        lambda before=before: len(tally.acknowledged) >= before + 30, 5, f"answers while {name} stands"
                    )
                    assert time.monotonic() - start < 3
                finally:
                    os.killpg(pid, signal.SIGCONT)
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
        for person in (*tablets, proctor):
            person.close()
    assert not tally.problems
    connection = connect(room.config.paths.answers_db)
    stored = {row["op_id"] for row in connection.execute("SELECT op_id FROM journal")}
    connection.close()
    assert tally.acknowledged <= stored
    check(room.db)
    each_ends_by_itself(room, tmp_path / "run.log")


def inside_a_transaction(file: Path) -> bool:
    """Whether somebody holds the room store's write lock at this moment."""
    probe = connect(file)
    try:
        probe.execute("PRAGMA busy_timeout = 0")
        probe.execute("BEGIN IMMEDIATE")
        probe.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return True
    finally:
        probe.close()
    return False


def spaced(times: int, seconds: float) -> Iterator[int]:
    for at in range(times):
        yield at
        time.sleep(seconds)


@pytest.mark.parametrize("name", OTHERS)
def test_answers_go_on_while_each_stands_inside_its_own_transaction(
    room: DeskRoom, running: subprocess.Popen[bytes], name: str
) -> None:
    """Each service's own COMMIT is made slow from outside, so that it can be caught in the middle of one."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed; provisioning/test-packages.sh installs it where it may")
    base, store = f"http://127.0.0.1:{room.config.web.port}", room.config.paths.room_db
    tally = Tally()
    proctor, codes = open_exam(base, room.session, admit=1)
    tablet = claimed(base, codes, tally)[0]
    item = next(i for part in tablet.paper()["parts"] for i in part["items"])["id"]
    pid = read_pids(room.config.paths.runtime)[name]
    slow = ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(pid), "-e", "trace=fdatasync,fsync"]
    slow += ["-e", "inject=fdatasync,fsync:delay_enter=400000"]
    tracer = subprocess.Popen(slow, stderr=subprocess.DEVNULL)
    try:
        end, number, caught = time.monotonic() + 60, 0, False
        while not caught:
            assert time.monotonic() < end, f"{name} was never caught inside a transaction"
            number += 1
            if name != "camera@door" and number % 20 == 1:  # the camera writes by itself when a segment is full
                with contextlib.suppress(Unavailable):
                    tap(Path(room.config.badge["door"].device), f"{60_000_000 + number}")
            if inside_a_transaction(store):
                os.killpg(pid, signal.SIGSTOP)
                time.sleep(1.5)  # whoever else it was has let go by now, or does so in between two of these looks
                caught = all(inside_a_transaction(store) for _ in spaced(20, 0.05))
                if not caught:
                    os.killpg(pid, signal.SIGCONT)
            time.sleep(0.01)
        start = time.monotonic()
        for version in range(40):
            assert tablet.answer(item, ["A"], version) is not None
        assert time.monotonic() - start < 4
        assert inside_a_transaction(store), "it stood inside its transaction all the while"
    finally:
        tracer.kill()
        tracer.wait()
        os.killpg(pid, signal.SIGCONT)
        tablet.close()
        proctor.close()
    assert not tally.problems
    until(lambda: not inside_a_transaction(store), 20, "it goes on and lets go")
    check(room.db)


def test_what_dies_is_started_again_and_sigterm_ends_all(room: DeskRoom, running: subprocess.Popen[bytes]) -> None:
    runtime = room.config.paths.runtime
    before = read_pids(runtime)
    for pid in before.values():
        os.killpg(pid, signal.SIGKILL)

    def all_new() -> dict[str, int] | None:
        pids = read_pids(runtime)
        return pids if len(pids) == 4 and not set(pids.values()) & set(before.values()) else None

    after = until(all_new, 20, "all four started again")
    until(lambda: answers(f"http://127.0.0.1:{room.config.web.port}"), 30, "web answers again")
    until(lambda: read_statuses(room.config.paths.status).get("camera-door", {}).get("state"), 20, "camera is back")
    start = time.monotonic()
    running.terminate()
    running.wait(10)
    assert time.monotonic() - start < STOP_SECONDS, "nobody had to be killed"
    assert running.returncode == 0
    until(lambda: not any(alive(pid) for pid in after.values()), 2, "no process is left")
    assert read_pids(runtime) == {}
