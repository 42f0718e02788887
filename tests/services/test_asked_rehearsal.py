"""A rehearsal asked for at the console of a desk: `examroom run` holds it in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge import clock
from edge.config import to_toml
from edge.ops.desk import Person
from edge.ops.ports import free_port
from edge.ops.rehearsal import asking
from edge.services import supervisor
from edge.services.supervisor import Supervisor
from edge.store import ledger
from edge.store.status import read_status
from support.rooms import DeskRoom, make_config, make_desk_room
from support.serving import PROCTOR, answers, signed_in, until, write_config


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskRoom]:
    """A desk room under a supervisor of its `web` alone."""
    room = make_desk_room(tmp_path, size=3, web={"port": free_port(), "threads": 16})
    alone = (
        "import edge.services.supervisor as s, edge.cli; s.service_names = lambda config: ['web'];"
        f"edge.cli.main(['--config', {str(write_config(room.config, tmp_path))!r}, 'run'])"
    )
    with (tmp_path / "run.log").open("ab") as log:
        run = subprocess.Popen([sys.executable, "-c", alone], stdout=log, stderr=log, start_new_session=True)
    try:
        until(lambda: answers(f"http://127.0.0.1:{room.config.web.port}"), 40, "web answers")
        yield room
    finally:
        run.terminate()
        run.wait(10)
        room.db.close()


@pytest.mark.long
def test_it_is_held_beside_web_kept_with_who_asked_and_can_be_stopped(desk: DeskRoom, tmp_path: Path) -> None:
    runtime, status = desk.config.paths.runtime, desk.config.paths.status
    proctor = signed_in(f"http://127.0.0.1:{desk.config.web.port}")

    def board() -> dict[str, Any]:
        found: dict[str, Any] = proctor.get(f"/console/api/{desk.session}/board")["rehearsal"]
        return found

    def state() -> str | None:
        now = board()["now"]
        return None if now is None else str(now["state"])

    # as the console asks, but for a quicker pace
    asked = asking.Wanted(session=desk.session, candidates=2, by=PROCTOR.id, mono_ms=clock.mono_ms(), pace_ms=100)
    asking.ask(runtime, asked)
    until(lambda: state() == "running", 30, "it runs")
    rehearsing = int(read_status(status, "rehearse")["pid"])
    assert os.getpgid(rehearsing) == rehearsing, "a group of its own"
    last = until(lambda: board()["last"], 60, "it is kept")
    assert (last["passed"], last["candidates"], last["same_papers"]) == (True, 2, True), last
    assert all(value > 0 for value in last["figures"].values())
    [entry] = ledger.entries(desk.db, session=desk.session, kinds=("rehearsal",))
    assert entry.content["by"] == PROCTOR.id
    until(lambda: not asking.running(read_status(status, "rehearse")), 10, "it has ended")

    _stopped(proctor, desk.session, state)
    assert not desk.config.paths.scratch.exists()
    assert len(ledger.entries(desk.db, session=desk.session, kinds=("rehearsal",))) == 1
    assert (tmp_path / "run.log").read_text().count("rehearse: started") == 2
    proctor.close()


def _stopped(proctor: Person, session: str, state: Any) -> None:
    """Asked for at the console itself, and stopped there."""
    asked = proctor.post(f"/console/api/{session}/rehearsal", candidates=2)["rehearsal"]["now"]
    assert asked["state"] in ("asked", "running")
    with pytest.raises(RuntimeError, match="rehearsal_running"):
        proctor.post(f"/console/api/{session}/rehearsal", candidates=2)
    until(lambda: state() == "running", 30, "it runs again")
    proctor.post(f"/console/api/{session}/rehearsal/stop")
    until(lambda: state() == "stopped", 30, "it is stopped")


@pytest.mark.parametrize("command", ["sleep", "false"])
def test_it_is_started_once_however_it_ends_and_ends_with_the_room(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that cannot even take its request is not tried again and again."""
    config = make_config(tmp_path)
    file = tmp_path / "examroom.toml"
    file.write_text(to_toml(config))
    monkeypatch.setattr(supervisor, "service_names", lambda _config: [])
    started: list[int] = []
    real = subprocess.Popen

    def start(words: list[str], **options: Any) -> Any:
        assert words[-2:] == ["rehearse", "--requested"]
        process = real([command, *(["60"] if command == "sleep" else [])], start_new_session=True)
        started.append(process.pid)
        return process

    monkeypatch.setattr(subprocess, "Popen", start)
    said: list[str] = []
    stop = threading.Event()
    running = threading.Thread(target=lambda: Supervisor(config, file).run(stop, lambda *words: said.append(words[1])))
    running.start()
    asking.ask(config.paths.runtime, asking.Wanted(session="S-1", candidates=2, by="P-001", mono_ms=clock.mono_ms()))
    if command == "sleep":
        until(lambda: said == ["started"], 5, "it is started")
    else:
        until(lambda: said == ["started", "ended 1"], 5, "it has ended")
        until(lambda: asking.waiting(config.paths.runtime) is None, 5, "its request is gone")
    began = time.monotonic()
    stop.set()
    running.join(10)
    assert time.monotonic() - began < supervisor.STOP_SECONDS
    assert len(started) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(started[0], signal.SIGCONT)
