"""`examroom rehearse` as a process: a scratch room with its `web`, simulated candidates, a kill, and what is left."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from edge import __version__, clock
from edge.bank.build import content_of, sample_bank
from edge.bank.outline import outline
from edge.demo import people as cast
from edge.demo.people import STAFF
from edge.domain.canonical import canonical, canonical_text
from edge.domain.rehearsal import Held, Limits
from edge.errors import Conflict, Unavailable
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.exam.readiness import drawn_from, need_rehearsal
from edge.ops.ports import free_port
from edge.ops.rehearsal import asking, commands, joining
from edge.ops.rehearsal.fitness import chosen, exam_of, planned
from edge.ops.rehearsal.making import sweep
from edge.ops.rehearsal.progress import Progress
from edge.ops.rehearsal.room import can_trace
from edge.ops.rehearsal.run import Crowd, Plan, count
from edge.ops.rehearsal.shell import Shell
from edge.ops.rehearsal.tablet import Heard
from edge.ops.rehearsal.tally import Told
from edge.ops.rehearsal.wire import Answer, Wire
from edge.ops.stages import Stages
from edge.store import ledger, rehearsals, sessions
from edge.store.db import open_answers, transaction
from edge.store.status import read_status
from edge.trust.seal import seal_bundle
from edge.trust.signer import Ed25519Signer
from edge.web.app import create_app
from support.rooms import DAY_MS, DeskRoom, make_desk_room
from support.serving import serving, signed_in, until, write_config

KEYS = {
    "clients", "saves", "lost_acks", "doubled", "fsyncs_per_save", "p50_ms", "p95_ms", "p99_ms", "handin_p99_ms",
    "server_cpu_s", "client_cpu_s", "rss_mb", "changed", "fsyncs_counted_by", "open_p99_ms", "load_p99_ms", "page_kb",
    "page_requests", "checks", "pss_mb", "mirror", "not_covered", "faults", "clients_elsewhere",
}  # fmt: skip


def command(config: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "edge.cli", "--config", str(config), "rehearse", *words]


def rehearse(config: Path, folder: Path, *words: str) -> tuple[int, dict[str, Any], str]:
    done = subprocess.run(command(config, *words, "--json"), cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout) if done.stdout.startswith("{") else {}, done.stderr


@pytest.mark.long
def test_without_a_room_a_scratch_one_is_made_and_removed(tmp_path: Path) -> None:
    words = ("--candidates", "6", "--answers", "6", "--pace", "1", "--faults")
    _, figures, said = rehearse(tmp_path / "none.toml", tmp_path, *words)
    assert figures.keys() >= KEYS, said
    assert (figures["clients"], figures["saves"]) == (6, 36)
    assert (figures["lost_acks"], figures["doubled"], figures["changed"], figures["unfinished"]) == (0, 0, 0, 0)
    assert figures["web_starts"] == 2, "web was killed once and started again"
    assert figures["retries"] > 0 and figures["replies_lost"] > 0 and figures["faults"]
    assert 40 < figures["page_kb"] <= 120, "what a tablet loads up to its first question"
    assert figures["server_cpu_s"] > 0 and figures["rss_mb"] > 10
    assert figures["pss_mb"] is None or figures["pss_mb"] < figures["rss_mb"]
    checks = figures["checks"]
    assert checks["disk"]["free"] > 0 and checks["disk"]["needed"] == 500
    assert checks["memory"]["free"] > 0
    assert checks["clock"]["quality"] in ("synchronised", "rtc", "floor", "unknown")
    assert list(tmp_path.iterdir()) == []


def test_in_a_room_it_is_remembered_and_touches_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "usb").mkdir()
    room = make_desk_room(tmp_path, size=3, store={"mirror": str(tmp_path / "usb")})
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
    [held] = rehearsals.passed(room.db)
    assert (held.candidates, held.answers, held.pace_ms) == (3, 2, 500)
    assert held.drawn_from == drawn_from(room.identity, room.config.paths.bundles, planned) == figures["drawn_from"]
    assert not figures["checks"]["door"]["ok"], "two answers each open no door"
    assert figures["mirror"] == "mirror_same_disk", "the second medium was written to, and is no disk of its own here"
    assert list((tmp_path / "usb").iterdir()) == []
    assert not (room.config.paths.state / "scratch").exists()


def test_while_an_exam_is_on_it_refuses(tmp_path: Path) -> None:
    room = make_desk_room(tmp_path, size=3)
    with transaction(room.db):
        sessions.set_state(room.db, room.session, "checkin")
    code, _, said = rehearse(write_config(room.config, tmp_path), tmp_path, "--candidates", "2")
    assert code == 1
    assert room.session in said and "正在进行" in said
    assert ledger.last(room.db, "rehearsal", 1) == []


def test_ended_in_the_middle_it_leaves_no_process(tmp_path: Path) -> None:
    folders = {number: tmp_path / number.name for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)}
    running = {}
    for number, folder in folders.items():
        folder.mkdir()
        words = command(folder / "none.toml", "--candidates", "2", "--answers", "50", "--pace", "2")
        running[number] = subprocess.Popen(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    until(lambda: all(_webs(folder) for folder in folders.values()), 60, "their webs run")
    for number, one in running.items():
        one.send_signal(number)
    for one in running.values():
        one.wait(60)
    until(lambda: not _webs(tmp_path), 20, "their webs have gone")
    assert [list(folders[number].iterdir()) for number in (signal.SIGTERM, signal.SIGHUP)] == [[], []]
    left = folders[signal.SIGKILL] / ".examroom-rehearsal"
    sweep(left, None)
    assert list(left.iterdir()) == []


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
    assert (figures["clients"], figures["saves"], figures["finished"], figures["passed"]) == (2, 6, 2, True)
    assert figures["p99_ms"] > 0 and figures["handin_p99_ms"] > 0
    told = json.loads(out)
    assert (told["clients"], told["clients_elsewhere"], told["unfinished"], told["saves_elsewhere"]) == (2, 2, 0, 6)


@pytest.mark.parametrize("text", ["", "12345", "abcdef\n"])
def test_a_wrong_seats_file_is_told(text: str, tmp_path: Path) -> None:
    seats = tmp_path / "seats.txt"
    seats.write_text(text)
    code, _, said = rehearse(tmp_path / "none.toml", tmp_path, "--join", "http://127.0.0.1:9", "--seats", str(seats))
    assert code == 2
    assert "座位码" in said


def test_what_is_missing_or_changed_in_the_store_is_counted(tmp_path: Path) -> None:
    connection = open_answers(tmp_path / "answers.db")
    told = {"op-1": Told("a", "S1", ("A",), "applied", 1)}
    heard = Heard(saves=[1.0], told=told, sent={"op-1"}, finished=1)
    measured = count(connection, heard, 2)
    assert (measured.lost_acks, measured.changed, measured.unfinished) == (1, 1, 2), "a hand-in is one that is stored"
    connection.close()


def test_a_box_that_does_not_answer_or_never_calls_ends_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "REACH_S", 0.0)
    with pytest.raises(Unavailable, match=r"http://127.0.0.1:9"):
        joining.take_part("http://127.0.0.1:9", ["123456"], Plan(1, 1, 1.0, False), Limits(1, 1, 1), Stages())
    crowd = Crowd("http://127.0.0.1:9", ["123456"], Plan(1, 1, 1.0, False))
    crowd.start()
    with pytest.raises(Unavailable) as error:
        joining._await_sign("http://127.0.0.1:9", crowd, 0.0, lambda: None)
    crowd.stop()
    assert error.value.code == "rehearsal_no_signal"
    assert crowd.working() == 0


def test_a_door_opened_meanwhile_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    room = make_desk_room(tmp_path, size=3)
    monkeypatch.setattr(commands, "LOOK_S", 0.0)
    look = commands._look(room.config)
    look()
    with transaction(room.db):
        sessions.set_state(room.db, room.session, "checkin")
    with pytest.raises(Conflict, match=room.session) as error:
        look()
    assert error.value.code == "rehearsal_interrupted"
    room.db.close()


def test_what_was_asked_for_is_taken_once_and_a_refusal_is_told(tmp_path: Path) -> None:
    room = make_desk_room(tmp_path, size=3)
    paths, console = room.config.paths, Console(quiet=True)
    assert commands._requested(room.config, console) is None and commands._requested(None, console) is None
    wanted = asking.Wanted(session=room.session, candidates=2, by=STAFF[0].id, mono_ms=clock.mono_ms())
    asking.ask(paths.runtime, wanted.model_copy(update={"mono_ms": clock.mono_ms() - asking.STALE_MS}))
    assert commands._requested(room.config, console) is None, "whoever asked has gone"
    assert asking.waiting(paths.runtime) is None
    assert read_status(paths.status, "rehearse") == {}
    with transaction(room.db):
        sessions.set_state(room.db, room.session, "checkin")
    asking.ask(paths.runtime, wanted)
    with pytest.raises(Conflict, match="正在进行"):
        commands._requested(room.config, console)
    status = read_status(paths.status, "rehearse")
    assert (status["state"], status["session"], status["candidates"]) == ("refused", room.session, 2)
    assert [one["reason"] for one in status["reasons"]] == ["rehearsal_busy"]
    [entry] = ledger.last(room.db, "act_refused", 1)
    assert (entry.body, entry.content["by"]) == ({"act": "rehearse", "reason": "rehearsal_busy"}, STAFF[0].id)
    context = SimpleNamespace(config=lambda: room.config, config_file=tmp_path)
    with pytest.raises(Conflict, match="正在进行"):
        commands._by_command(context, Plan(2, 2, 0.1, False), None, console, 0, None)
    both = ledger.last(room.db, "act_refused", 2)
    assert [one.body for one in both] == [entry.body] * 2, "asked for by command it is entered once, too"
    assert sorted(file.name for file in paths.runtime.iterdir()) == ["rehearse.lock", "status"]
    room.db.close()


def test_a_second_one_is_refused_and_does_not_speak_for_the_first(tmp_path: Path) -> None:
    room = make_desk_room(tmp_path, size=3)
    runtime = room.config.paths.runtime
    with asking.hold(runtime) or pytest.fail(), pytest.raises(Conflict) as error:
        commands._hold(room.config, Plan(2, 2, 0.1, False), None, Console(quiet=True))
    assert error.value.code == "rehearsal_running"
    assert read_status(room.config.paths.status, "rehearse") == {}
    asking.stop(runtime, os.getpid())
    with pytest.raises(Conflict) as error:
        commands._look(room.config)()
    assert error.value.code == "rehearsal_stopped"
    with asking.hold(runtime) or pytest.fail():
        commands._look(room.config)()
    room.db.close()


@pytest.mark.parametrize(
    ("error", "state", "word"),
    [
        (None, "done", None),
        (Conflict("rehearsal_stopped"), "stopped", "rehearsal_stopped"),
        (SystemExit(1), "stopped", "rehearsal_stopped"),
        (OSError(28, "No space left on device"), "failed", "rehearsal_failed"),
    ],
)
def test_how_it_ended_is_what_it_says_last(
    error: BaseException | None, state: str, word: str | None, tmp_path: Path
) -> None:
    with suppress(BaseException), Progress(Stages(Console(quiet=True)), tmp_path, session="S-1") as progress:
        with progress("seats") as tick:
            tick(0.5, "1/2")
        if error is not None:
            raise error
    status = read_status(tmp_path, "rehearse")
    assert (status["state"], status["stage"], status["step"], status["share"]) == (state, "seats", 3, 0.5)
    assert [one["reason"] for one in status["reasons"]] == ([word] if word else [])


def test_strace_that_may_not_trace_is_not_relied_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "strace"
    tool.write_text("#!/bin/sh\necho 'PTRACE_TRACEME: Operation not permitted' >&2\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert not can_trace()
    code, _, said = rehearse(tmp_path / "none.toml", tmp_path, "--strace")
    assert code == 2 and "--strace" in said


def test_the_page_is_asked_for_once_and_at_the_start_only_what_a_paper_needs(tmp_path: Path) -> None:
    room = make_desk_room(tmp_path, size=3)
    app = create_app(room.config)
    asked: list[str] = []

    class Browser(Wire):
        def ask(self, method: str, path: str, *_: Any, **__: Any) -> Answer:
            asked.append(path)
            with closing(app.test_client().open(path, method=method)) as answer:
                return Answer(answer.status_code, {}, answer.data, len(answer.data))

    shell = Shell(Browser(""))
    shell.open()
    opened = [url.rpartition("/static/")[2] for url in asked]
    assert {"js/main.js", "js/queue.js", "js/kinds/choice.js", "exam.css"} <= set(opened)
    assert not {"js/sitting.js", "js/kinds/fill.js"} & set(opened)
    asked.clear()
    shell.start({"single", "fill"}, pictures=False)
    started = [url.rpartition("/static/")[2] for url in asked]
    assert {"js/sitting.js", "js/view.js", "js/kinds/fill.js"} <= set(started)
    assert not {"js/media.js", "js/kinds/match.js"} & set(started)
    assert not set(opened) & set(started)
    assert len(started) == len(set(started))
    app.extensions["examroom"].journal.close()
    room.db.close()


def test_a_session_that_asks_for_a_rehearsal_waits_for_one(tmp_path: Path) -> None:
    room = make_desk_room(tmp_path, size=3)
    asked = sessions.find(room.db, room.session)
    bundles, identity = room.config.paths.bundles, room.identity
    need_rehearsal(room.db, asked, bundles, identity)
    asked = asked.__class__(**{**asked.__dict__, "policy": {**asked.policy, "rehearsal_hours": 24}})
    papers = drawn_from(identity, bundles, asked)
    with pytest.raises(Conflict, match=f"--candidates 3 --session {room.session}"):
        need_rehearsal(room.db, asked, bundles, identity)
    good = Held(clock.wall_ms(), 3, __version__, papers, 10, 5000)
    with transaction(room.db):
        rehearsals.add(room.db, replace(good, candidates=2), True, room.session, {})
        rehearsals.add(room.db, good, False, room.session, {})
    with pytest.raises(Conflict):
        need_rehearsal(room.db, asked, bundles, identity)
    with transaction(room.db):
        rehearsals.add(room.db, good, True, room.session, {})
    need_rehearsal(room.db, asked, bundles, identity)
    changed = asked.__class__(**{**asked.__dict__, "policy": {**asked.policy, "local_bank_share": 7}})
    with pytest.raises(Conflict):
        need_rehearsal(room.db, changed, bundles, identity)


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
    assert figures["bank"] == sample_bank().bank, "what cannot be drawn is not rehearsed; the sample is"
    assert [one["reason"] for one in figures["reasons"] if "check" in one and one["check"].startswith("papers")] == [
        "bank_short"
    ]


def test_a_bank_that_is_missing_or_past_its_time_is_found_beforehand(tmp_path: Path) -> None:
    room = make_desk_room(tmp_path, size=3)
    bundle = room.config.paths.bundles / "bank-1.bundle"
    assert [check.reason for check in planned(room.db, room.config, room.identity)] == [None, None]
    bundle.write_bytes(_sealed(room, -3, -1))
    assert planned(room.db, room.config, room.identity)[0].reason == "bundle_expired"
    bundle.write_bytes(_sealed(room, 1, 2))
    early = planned(room.db, room.config, room.identity)[0]
    assert early.reason == "rehearsal_bank_early" and re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d", early.sentences()["en"])
    bundle.write_bytes(_sealed(room, 1, 2, outline(sample_bank())))
    assert planned(room.db, room.config, room.identity)[0].reason is None, "its signed facts count the items"
    session = sessions.find(room.db, room.session)
    exam = exam_of(room.config, room.identity, session)
    assert exam.drawn_from == drawn_from(room.identity, room.config.paths.bundles, session)
    bundle.unlink()
    assert planned(room.db, room.config, room.identity)[0].reason == "bank_missing"


def _sealed(room: DeskRoom, first_day: int, last_day: int, facts: dict[str, Any] | None = None) -> bytes:
    """The sample bank, to be opened between two days counted from now."""
    here, now = room.identity, clock.wall_ms()
    return seal_bundle(
        "bank",
        sample_bank().bank,
        1,
        content_of(sample_bank()),
        {here.certificate.room: here.certificate.seal_public},
        [Ed25519Signer.load(room.config.paths.keys / "root.key")],
        not_before_ms=now + first_day * DAY_MS,
        expires_ms=now + last_day * DAY_MS,
        facts=facts or {},
    )


def test_what_is_wrong_with_another_session_is_only_said(tmp_path: Path) -> None:
    room = make_desk_room(tmp_path, size=3)
    for name, days, bank in (("S-2", 5, "lost.bundle"), ("S-0", -2, "lost.bundle"), ("S-3", 3, "bank-1.bundle")):
        roster = parse_roster(canonical(cast.roster(name, clock.wall_ms() + days * DAY_MS, size=2, photos=False)))
        policy, key = parse_policy(canonical(cast.POLICY)), room.identity.keys.data
        take_in(room.db, roster, policy, room="room-1", bank_file=bank, data_key=key)
    session = chosen(room.db, None)
    assert session is not None and session.id == room.session, "the next, not the one forgotten two days ago"
    found = {one.name: (one.reason, one.grave) for one in planned(room.db, room.config, room.identity, session)}
    assert found[f"papers:{room.session}"] == (None, True)
    assert found["papers:S-2"] == found["papers:S-0"] == ("bank_missing", False)
    named = chosen(room.db, "S-2")
    assert planned(room.db, room.config, room.identity, named)[0].grave
    room.db.close()


@pytest.mark.parametrize("by", [pytest.param("web", marks=pytest.mark.long), "strace"])
def test_flushes_are_counted_by_the_journal_or_from_outside(tmp_path: Path, by: str) -> None:
    if by == "strace" and not can_trace():
        pytest.skip("strace is not here, or may not trace; see provisioning/test-packages.sh")
    words = ("--candidates", "3", "--answers", "4", "--pace", "0.5", *(["--strace"] if by == "strace" else []))
    _, figures, _ = rehearse(tmp_path / "none.toml", tmp_path, *words)
    assert figures["fsyncs_counted_by"] == by
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
            code, figures, said = rehearse(config, tmp_path, "--candidates", "3", "--answers", "10", "--pace", "0.1")
            assert code == 0, (said, figures)
            done = proctor.post(f"/console/api/{room.session}/open-checkin", reason="开考")
            assert done["board"]["session"]["state"] == "checkin"
        finally:
            proctor.close()
    room.db.close()
