"""No 200 before the disk: every system call of `web` is traced, and each acknowledgement must follow its fdatasync."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

import support
from edge.demo.tablets import Tablet, Tally, questions
from edge.ops.ports import free_port
from support.rooms import DeskRoom, make_desk_room
from support.serving import answers, claimed, open_exam, until, write_config

LINE = re.compile(r"^(?P<at>\d+\.\d+) (?P<call>\w+)\((?P<rest>.*)<(?P<took>\d+\.\d+)>$")
TRACED = "pwrite64,write,pwritev,fdatasync,fsync,sendto,sendmsg,writev"


@dataclass(frozen=True)
class Call:
    """One system call: when it began and ended (seconds), what it was on and with."""

    start: float
    end: float
    name: str
    text: str


def read_trace(folder: Path) -> list[Call]:
    calls = []
    for file in folder.glob("trace.*"):
        for line in file.read_text(errors="replace").splitlines():
            found = LINE.match(line)
            if found:
                start = float(found["at"])
                calls.append(Call(start, start + float(found["took"]), found["call"], found["rest"]))
    return sorted(calls, key=lambda call: call.start)


def acknowledged_too_early(calls: list[Call], ops: set[str]) -> tuple[int, list[str]]:
    """(operations seen whole, those whose 200 did not follow an fdatasync that began after their journal write)."""
    journal = [c for c in calls if c.name in ("pwrite64", "write", "pwritev") and "answers.db" in c.text]
    syncs = [c for c in calls if c.name in ("fdatasync", "fsync") and "answers.db" in c.text]
    replies = [c for c in calls if c.name in ("sendto", "sendmsg", "write", "writev") and "answers.db" not in c.text]
    seen, early = 0, []
    for op in ops:
        written = next((c for c in journal if op in c.text), None)
        replied = next((c for c in replies if op in c.text and "applied" in c.text), None)
        assert written is not None, f"{op} was acknowledged and never written"
        assert replied is not None, f"the reply to {op} is not in the trace"
        seen += 1
        if not any(s.start >= written.end and s.end <= replied.start for s in syncs):
            early.append(op)
    return seen, early


def traced_exam(room: DeskRoom, folder: Path, *command: str) -> tuple[int, list[str]]:
    """A few tablets answering a traced `web`; what `acknowledged_too_early` says of it."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed; provisioning/test-packages.sh installs it where it may")
    config = write_config(room.config, folder)
    trace = ["strace", "-ff", "-qq", "-ttt", "-T", "-y", "-s", "8192", "-e", f"trace={TRACED}"]
    trace += ["-o", str(folder / "trace"), sys.executable, "-W", "ignore", *command, str(config)]
    base = f"http://127.0.0.1:{room.config.web.port}"
    with (folder / "web.log").open("ab") as log:
        web = subprocess.Popen(
            [*trace, *(["service", "web"] if "edge.cli" in command else [])],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    tally = Tally()
    try:
        until(lambda: answers(base), 60, "the traced web answers")
        proctor, codes = open_exam(base, room.session, admit=4)
        tablets = claimed(base, codes, tally)
        threads = [threading.Thread(target=answer_some, args=(tablet,)) for tablet in tablets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        for person in (*tablets, proctor):
            person.close()
    finally:
        os.killpg(web.pid, signal.SIGTERM)  # strace itself holds such signals back
        web.wait(20)
    assert not tally.problems
    return acknowledged_too_early(read_trace(folder), tally.acknowledged)


def answer_some(tablet: Tablet) -> None:
    items = questions(tablet.paper())
    for item in items[:8]:
        tablet.answer(item["id"], tablet.guess(item), 0)
        time.sleep(0.01)


@pytest.fixture
def room(tmp_path: Path) -> DeskRoom:
    return make_desk_room(tmp_path, web={"port": free_port(), "threads": 16})


def test_each_200_is_sent_after_an_fdatasync_that_began_after_its_write(room: DeskRoom, tmp_path: Path) -> None:
    seen, early = traced_exam(room, tmp_path, "-m", "edge.cli", "--config")
    assert seen == 4 * 8
    assert early == []
    room.db.close()


def test_without_synchronous_full_the_same_check_fails(room: DeskRoom, tmp_path: Path) -> None:
    unsafe = Path(next(iter(support.__path__))) / "unsafe_web.py"
    seen, early = traced_exam(room, tmp_path, str(unsafe))
    assert seen == 4 * 8
    assert len(early) == seen
    room.db.close()
