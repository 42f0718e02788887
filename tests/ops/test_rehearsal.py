"""`examroom rehearse` as a process: a scratch room with its `web`, simulated candidates, a kill, and what is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edge import clock
from edge.bank.build import content_of, sample_bank
from edge.domain.canonical import canonical, canonical_text
from edge.errors import Conflict
from edge.exam.documents import parse_policy
from edge.exam.readiness import need_rehearsal
from edge.ops.ports import free_port
from edge.ops.rehearsal.fitness import planned
from edge.ops.rehearsal.run import count
from edge.ops.rehearsal.tablet import Heard
from edge.ops.rehearsal.tally import Told
from edge.store import ledger, rehearsals, sessions
from edge.store.db import open_answers, transaction
from edge.trust.seal import seal_bundle
from edge.trust.signer import Ed25519Signer
from support.rooms import DAY_MS, DeskRoom, make_desk_room
from support.serving import serving, signed_in, until, write_config

KEYS = {
    "clients", "saves", "lost_acks", "doubled", "fsyncs_per_save", "p50_ms", "p95_ms", "p99_ms", "handin_p99_ms",
    "server_cpu_s", "client_cpu_s", "rss_mb", "changed", "fsyncs_counted_by", "open_p99_ms", "load_p99_ms", "page_kb",
    "page_requests", "checks",
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
    assert 40 < figures["page_kb"] <= 120, "what a tablet loads up to its first question"
    assert figures["server_cpu_s"] > 0 and figures["rss_mb"] > 10
    checks = figures["checks"]
    assert checks["disk"]["free"] > 0 and checks["disk"]["needed"] == 500
    assert checks["memory"]["free"] > 0
    assert checks["clock"]["quality"] in ("synchronised", "rtc", "unknown")
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
    told = {"op-1": Told("a", "S1", ("A",), "applied", 1)}
    heard = Heard(saves=[1.0], told=told, sent={"op-1"}, finished=1)
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


def test_a_planned_session_is_rehearsed_with_its_own_bank_and_its_shortage_is_found(tmp_path: Path) -> None:
    room = make_desk_room(tmp_path, size=3)
    config = write_config(room.config, tmp_path)
    words = ("--candidates", "2", "--answers", "2", "--pace", "0.5")
    code, figures, said = rehearse(config, tmp_path, *words, "--session", room.session)
    assert code == 0, said
    assert (figures["session"], figures["bank"]) == (room.session, sessions.find(room.db, room.session).bank_id)
    assert figures["checks"][f"papers:{room.session}"] == {"ok": True, "items": len(sample_bank().items)}
    assert figures["checks"][f"disk:{room.session}"]["needed"] > 16

    blueprint = json.loads(json.dumps(dict(sessions.find(room.db, room.session).blueprint)))
    blueprint["parts"][0]["draw"][0]["count"] = 300
    with transaction(room.db):
        room.db.execute("UPDATE sessions SET blueprint = ? WHERE id = ?", (canonical_text(blueprint), room.session))
    code, figures, said = rehearse(config, tmp_path, *words)
    assert code == 1, said
    assert figures["session"] is None, "what cannot be drawn is not rehearsed; the sample is"
    assert [one["reason"] for one in figures["reasons"] if "check" in one and one["check"].startswith("papers")] == [
        "bank_short"
    ]


def test_a_bank_that_is_missing_or_past_its_time_is_found_beforehand(tmp_path: Path) -> None:
    room = make_desk_room(tmp_path, size=3)
    bundle = room.config.paths.bundles / "bank-1.bundle"
    assert [check.reason for check in planned(room.db, room.config, room.identity)] == [None, None]
    bundle.write_bytes(_expired(room))
    assert planned(room.db, room.config, room.identity)[0].reason == "bundle_expired"
    bundle.unlink()
    assert planned(room.db, room.config, room.identity)[0].reason == "bank_missing"


def _expired(room: DeskRoom) -> bytes:
    here, now = room.identity, clock.wall_ms()
    return seal_bundle(
        "bank",
        sample_bank().bank,
        1,
        content_of(sample_bank()),
        {here.certificate.room: here.certificate.seal_public},
        [Ed25519Signer.load(room.config.paths.keys / "root.key")],
        not_before_ms=now - 3 * DAY_MS,
        expires_ms=now - DAY_MS,
        facts={},
    )


def test_without_strace_the_journal_counts_its_own_flushes(tmp_path: Path) -> None:
    words = command(tmp_path / "none.toml", "--candidates", "3", "--answers", "4", "--pace", "0.5", "--json")
    quiet = os.environ | {"EXAMROOM_NO_STRACE": "1"}
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False, env=quiet)
    figures = json.loads(done.stdout)
    assert figures["fsyncs_counted_by"] == "web"
    assert 0 < figures["fsyncs_per_save"] < 5


def test_the_door_opens_only_after_a_real_rehearsal_was_passed(tmp_path: Path) -> None:
    """Over HTTP: refused with the sentence, rehearsed by the command itself in this room, then open."""
    room = make_desk_room(tmp_path, size=3, web={"port": free_port(), "threads": 8})
    policy = {**sessions.find(room.db, room.session).policy, "rehearsal_hours": 24}
    parse_policy(canonical(policy))
    with transaction(room.db):
        room.db.execute("UPDATE sessions SET policy = ? WHERE id = ?", (canonical_text(policy), room.session))
    with serving(room, tmp_path) as (_, base):
        proctor = signed_in(base)
        try:
            with pytest.raises(RuntimeError, match=r"rehearsal_wanted.*examroom rehearse --candidates 3"):
                proctor.post(f"/console/api/{room.session}/open-checkin", reason="开考")
            config = write_config(room.config, tmp_path)
            code, figures, said = rehearse(config, tmp_path, "--candidates", "3", "--answers", "2", "--pace", "0.5")
            assert code == 0, (said, figures)
            done = proctor.post(f"/console/api/{room.session}/open-checkin", reason="开考")
            assert done["board"]["session"]["state"] == "checkin"
        finally:
            proctor.close()
    room.db.close()
