"""`examroom rehearse` as a process: a scratch room with its `web`, simulated candidates, a kill, and what is left."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge.errors import Conflict
from edge.exam.readiness import need_rehearsal
from edge.ops.rehearsal.run import count
from edge.ops.rehearsal.tablet import Heard
from edge.store import ledger, rehearsals, sessions
from edge.store.db import open_answers, transaction
from support.rooms import make_desk_room
from support.serving import until, write_config

KEYS = {
    "clients", "saves", "lost_acks", "doubled", "fsyncs_per_save", "p50_ms", "p95_ms", "p99_ms", "handin_p99_ms",
    "server_cpu_s", "client_cpu_s", "rss_mb",
}  # fmt: skip


def command(config: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "edge.cli", "--config", str(config), "rehearse", *words]


def rehearse(config: Path, folder: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(command(config, *words, "--json"), cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout.startswith("{") else {}, done.stderr


def test_without_a_room_a_scratch_one_is_made_and_removed(tmp_path: Path) -> None:
    words = ("--candidates", "6", "--answers", "6", "--pace", "1", "--faults")
    _, figures, said = rehearse(tmp_path / "none.toml", tmp_path, *words)
    assert figures.keys() >= KEYS, said
    assert (figures["clients"], figures["saves"]) == (6, 36)
    assert (figures["lost_acks"], figures["doubled"], figures["changed"], figures["unfinished"]) == (0, 0, 0, 0)
    assert figures["web_starts"] == 2, "web was killed once and started again"
    assert figures["retries"] > 0
    assert figures["server_cpu_s"] > 0 and figures["rss_mb"] > 10
    assert list(tmp_path.iterdir()) == []


def test_in_a_room_it_is_remembered_and_touches_nothing_else(tmp_path: Path) -> None:
    room = make_desk_room(tmp_path, size=3)
    before = {row["name"]: row["name"] for row in room.db.execute("SELECT name FROM sqlite_master")}
    planned = sessions.find(room.db, room.session)
    config = write_config(room.config, tmp_path)
    code, figures, said = rehearse(config, tmp_path, "--candidates", "3", "--answers", "2", "--pace", "0.5")
    assert figures["lost_acks"] == 0, said
    assert [s.id for s in sessions.all_sessions(room.db)] == [room.session]
    assert sessions.find(room.db, room.session) == planned
    assert {row["name"]: row["name"] for row in room.db.execute("SELECT name FROM sqlite_master")} == before
    assert ledger.last(room.db, "rehearsal", 1)[0].body["candidates"] == 3
    assert code == 0 and figures["passed"], figures["reasons"]
    assert len(rehearsals.passed(room.db)) == 1
    assert not (room.config.paths.state / "scratch").exists()


def test_while_an_exam_is_on_it_refuses(tmp_path: Path) -> None:
    room = make_desk_room(tmp_path, size=3)
    with transaction(room.db):
        sessions.set_state(room.db, room.session, "checkin")
    code, _, said = rehearse(write_config(room.config, tmp_path), tmp_path, "--candidates", "2")
    assert code == 1
    assert room.session in said and "正在进行" in said
    assert ledger.last(room.db, "rehearsal", 1) == []


def test_killed_in_the_middle_it_leaves_no_process(tmp_path: Path) -> None:
    words = command(tmp_path / "none.toml", "--candidates", "2", "--answers", "50", "--pace", "2")
    running = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: _webs(tmp_path), 30, "its web runs")
    running.send_signal(signal.SIGTERM)
    running.wait(30)
    until(lambda: not _webs(tmp_path), 10, "its web has gone")
    assert list(tmp_path.iterdir()) == []


def _webs(folder: Path) -> list[int]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(folder) in words and "service" in words:
            found.append(int(process.name))
    return found


def test_other_machines_take_part_by_the_written_seats(tmp_path: Path) -> None:
    seats = tmp_path / "seats.txt"
    words = (
        "--candidates",
        "4",
        "--elsewhere",
        "2",
        "--seats-out",
        str(seats),
        "--answers",
        "3",
        "--pace",
        "1",
        "--json",
    )
    box = subprocess.Popen(
        command(tmp_path / "none.toml", *words), cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    until(lambda: seats.exists() and len(seats.read_text().split()) == 2, 30, "seats are written")
    config = next(tmp_path.rglob("rehearsal-*/examroom.toml")).read_text()
    port = config.split("port = ")[1].split()[0]
    join = ("--join", f"http://127.0.0.1:{port}", "--seats", str(seats), "--answers", "3", "--pace", "1")
    code, figures, said = rehearse(tmp_path / "none.toml", tmp_path, *join)
    out, _ = box.communicate(timeout=120)
    assert code == 0, said
    assert figures == {"clients": 2, "saves": 6, "finished": 2, "retries": figures["retries"]}
    assert json.loads(out)["clients"] == 2


@pytest.mark.parametrize("text", ["", "12345", "abcdef\n"])
def test_a_wrong_seats_file_is_told(text: str, tmp_path: Path) -> None:
    seats = tmp_path / "seats.txt"
    seats.write_text(text)
    code, _, said = rehearse(tmp_path / "none.toml", tmp_path, "--join", "http://127.0.0.1:9", "--seats", str(seats))
    assert code == 2
    assert "座位码" in said


def test_what_is_missing_or_changed_in_the_store_is_counted(tmp_path: Path) -> None:
    open_answers(tmp_path / "answers.db").close()
    heard = Heard(saves=[1.0], acknowledged={"op-1": "applied"}, standing={("a", "S1"): (1, ["A"])}, finished=1)
    measured = count(tmp_path / "answers.db", heard, 2)
    assert (measured.lost_acks, measured.changed, measured.unfinished) == (1, 1, 1)


def test_a_session_that_asks_for_a_rehearsal_waits_for_one(tmp_path: Path) -> None:
    room = make_desk_room(tmp_path, size=3)
    asked = sessions.find(room.db, room.session)
    need_rehearsal(room.db, asked)
    asked = asked.__class__(**{**asked.__dict__, "policy": {**asked.policy, "rehearsal_hours": 24}})
    with pytest.raises(Conflict, match="--candidates 3"):
        need_rehearsal(room.db, asked)
    from edge import __version__

    with transaction(room.db):
        rehearsals.add(room.db, 2, __version__, True, {})
        rehearsals.add(room.db, 3, __version__, False, {})
    with pytest.raises(Conflict):
        need_rehearsal(room.db, asked)
    with transaction(room.db):
        rehearsals.add(room.db, 3, __version__, True, {})
    need_rehearsal(room.db, asked)
