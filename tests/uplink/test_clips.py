"""Footage the province asks for: a real gateway, a real room with real footage, in parts, through a kill."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from edge import clock
from edge.cli import main
from edge.clock import Instant, TimeQuality
from edge.config import Camera
from edge.demo import people as cast
from edge.domain.canonical import canonical
from edge.domain.footage import Cause
from edge.errors import NotFound, TooMany, Unavailable, VerificationFailed
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.gateway import clips as asked
from edge.gateway.places import Places
from edge.gateway.settings import Province
from edge.recording.writer import Place, SegmentWriter
from edge.services import clipping
from edge.store import clips, ledger, segments
from edge.store.clips import KEEP_MS
from edge.store.db import transaction
from edge.trust.remote import ClipFile, ClipPlan, ClipRequest, ClipState, PartAddress, sign_request
from edge.trust.signer import Ed25519Signer
from edge.trust.verifier import verify_file
from edge.uplink import clipfiles
from edge.uplink.client import GatewayClient
from edge.uplink.clipfiles import Clips, tidy
from edge.uplink.clips import hear, send_part
from edge.uplink.pace import Pace, Paced
from edge.uplink.rests import Rests
from support.cameras import make_packets
from support.gateways import GatewayProcess, RealRoom
from support.serving import until, write_config

PART = 64 * 1024
AGO_MS = 600_000
# the service itself, with parts small enough for a little film
SERVICE = """
import sys
from edge.trust import remote
remote.PART_BYTES = 65536
from edge.cli import main
main(sys.argv[1:])
"""


@pytest.fixture
def filmed(make_room: Callable[..., RealRoom]) -> RealRoom:
    room = make_room(upload_mbit=1000)
    film(room)
    return room


def film(room: RealRoom, ago_ms: int = AGO_MS) -> None:
    """Eight seconds of the door, ten minutes ago."""
    video, packets = make_packets(4)
    start = clock.wall_ms() - ago_ms
    for sequence in (1, 2):
        at = Instant(start + (sequence - 1) * 4000, 1000, "0" * 32, TimeQuality.RTC)
        writer = SegmentWriter(Place(room.config.paths.recordings, "door", "0" * 32, sequence), video, at, 1)
        for packet in packets:
            writer.write(packet)
        segments.index(room.db, writer.close(Cause.ROTATED))
    video.owner.close()


def ask(province: Province, room: RealRoom, **changes: object) -> ClipRequest:
    wanted: dict[str, object] = {"camera": "door", "why": "复核拒绝入场", "by": "质量处 李", "days": 1}
    wanted |= {"from_ms": clock.wall_ms() - AGO_MS - 1000, "until_ms": clock.wall_ms() - AGO_MS + 9000, **changes}
    return asked.ask(province, room.name, **wanted)  # type: ignore[arg-type]


def memory(room: RealRoom) -> Clips:
    return Clips(room.config, threading.Event(), part_bytes=PART)


def listen(room: RealRoom, mine: Clips) -> str | None:
    return hear(mine, room.db, room.client, room.identity)


def send_all(room: RealRoom, mine: Clips) -> int:
    """Turns until there is nothing more to do."""
    turns = 0
    while send_part(mine, room.db, room.client):
        turns += 1
        assert turns < 50
    return turns


def state(province: Province, request: ClipRequest) -> dict[str, object]:
    return next(one for one in asked.listed(province) if one["id"] == request.id)


def entries(room: RealRoom, *kinds: str) -> list[ledger.Entry]:
    return ledger.entries(room.db, kinds=kinds)


def test_footage_is_asked_for_sent_and_verified(province: Province, filmed: RealRoom, tmp_path: Path) -> None:
    request = ask(province, filmed)
    mine = memory(filmed)
    assert listen(filmed, mine) is None
    [requested] = entries(filmed, "clip_requested")
    assert requested.body["clip"] == request.id and "李" not in requested.entry.decode()
    assert requested.content["by"] == f"gateway:{province.settings.name}"
    assert send_all(filmed, mine) >= 4
    assert listen(filmed, mine) is None and send_all(filmed, mine) == 0
    assert state(province, request)["state"] == "received"
    out = tmp_path / "evidence.zip"
    asked.save(province, request.id, out)
    verdict = verify_file(out, [province.root.public])
    assert verdict.ok, verdict
    assert (verdict.facts["camera"], verdict.facts["by"]) == ("door", f"gateway:{province.settings.name}")
    assert verdict.facts["why"] == "复核拒绝入场 (质量处 李)" and float(str(verdict.facts["covered_s"])) == 8
    [sent] = entries(filmed, "clip_sent")
    assert sent.body["sha256"] == state(province, request)["sha256"]
    assert not list(mine.folder.iterdir()), "what was sent does not stay"
    asked.forget(province, request.id)
    assert not (province.folder / "clips" / request.id).exists()


def test_a_long_segment_and_one_that_waits_for_the_store_are_waited_for(
    province: Province, make_room: Callable[..., RealRoom], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Segments of ten minutes: of the span's end nothing is in the index long after it, and no part of it is sent."""
    room = make_room(upload_mbit=1000)
    camera = {"door": Camera(backend="file", source="none.mp4")}
    recording = room.config.recording.model_copy(update={"segment_seconds": 600})
    room.config = room.config.model_copy(update={"camera": camera, "recording": recording})
    video, packets = make_packets(8)
    now, real = clock.now(), clock.wall_ms
    at = Instant(now.wall_ms - 200_000, max(1, now.mono_ms - 200_000), now.boot_id, TimeQuality.RTC)
    early = SegmentWriter(Place(room.config.paths.recordings, "door", now.boot_id, 1), video, at, 1)
    for packet in packets[:40]:
        early.write(packet)
    segments.index(room.db, early.close(Cause.ROTATED))
    at = Instant(at.wall_ms + 4000, at.mono_ms + 4000, now.boot_id, TimeQuality.RTC)
    open_still = SegmentWriter(Place(room.config.paths.recordings, "door", now.boot_id, 2), video, at, 1)
    for packet in packets[40:]:
        open_still.write(packet)
    wanted = {"from_ms": at.wall_ms - 2000, "until_ms": at.wall_ms + 3000}
    request, mine = ask(province, room, **wanted), memory(room)
    second = ask(province, room, from_ms=at.wall_ms + 1000, until_ms=at.wall_ms + 2000)
    monkeypatch.setattr(clock, "wall_ms", lambda: real() + ahead)
    for ahead in (0, 600_000, 1_200_000):  # its segment is open; it must be closed by now, and waits for the store
        assert listen(room, mine) is None
        assert not entries(room, "export", "clip_refused"), ahead
    ahead = 3_600_000
    assert listen(room, mine) is None and len(entries(room, "export")) == 1, "after an hour what there is goes"
    assert listen(room, mine) == "evidence_no_footage"
    assert not entries(room, "clip_refused"), "there is footage, if not in the index yet"
    segments.index(room.db, open_still.close(Cause.ROTATED))
    monkeypatch.undo()
    video.owner.close()
    assert listen(room, mine) is None
    send_all(room, mine)
    assert {state(province, one)["state"] for one in (request, second)} == {"received"}


def test_a_clip_is_made_as_soon_as_later_footage_is_in_the_index(
    province: Province, make_room: Callable[..., RealRoom]
) -> None:
    room = make_room(upload_mbit=1000)
    room.config = room.config.model_copy(update={"camera": {"door": Camera(backend="file", source="none.mp4")}})
    film(room, ago_ms=8000)
    at = clock.wall_ms() - 8000
    ask(province, room, from_ms=at, until_ms=at + 6000)
    assert listen(room, memory(room)) is None
    assert len(entries(room, "export")) == 1


def test_what_is_there_already_is_not_sent_again(
    province: Province, filmed: RealRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, mine, sent = ask(province, filmed), memory(filmed), list[int]()
    put = type(filmed.client).put_part

    def spied(client: object, part: PartAddress, data: bytes, pace: Pace) -> None:
        put(filmed.client, part, data, pace)
        sent.append(part.number)

    monkeypatch.setattr(type(filmed.client), "put_part", spied)
    listen(filmed, mine)
    for _ in range(2):
        assert send_part(mine, filmed.db, filmed.client)
    (mine.folder / "left.part").write_bytes(b"of a killed export")
    again = memory(filmed)
    listen(filmed, again)
    assert len(list(again.folder.iterdir())) == 1
    send_all(filmed, again)
    assert sorted(sent) == list(range(1, len(sent) + 1)) and len(sent) >= 4, "each part once"
    assert state(province, request)["state"] == "received"
    assert len(entries(filmed, "export")) == 1


def test_a_file_that_is_gone_is_made_again(province: Province, filmed: RealRoom, tmp_path: Path) -> None:
    request, mine = ask(province, filmed), memory(filmed)
    listen(filmed, mine)
    send_part(mine, filmed.db, filmed.client)
    [file] = mine.folder.iterdir()
    file.write_bytes(file.read_bytes()[:-1])
    assert not send_part(mine, filmed.db, filmed.client)
    listen(filmed, mine)
    send_part(mine, filmed.db, filmed.client)
    data = bytearray(file.read_bytes())
    data[-5] ^= 1
    file.write_bytes(data)  # as large as it was, but not what it was
    with pytest.raises(VerificationFailed) as caught:
        send_all(filmed, mine)
    assert caught.value.code == "clip_part_wrong"
    listen(filmed, mine)
    while not send_all(filmed, mine):
        listen(filmed, mine)
    asked.save(province, request.id, tmp_path / "out.zip")
    assert verify_file(tmp_path / "out.zip", [province.root.public]).ok
    assert len(entries(filmed, "export")) == 3


def test_the_process_goes_on_after_a_kill(
    province: Province, make_room: Callable[..., RealRoom], tmp_path: Path
) -> None:
    room = make_room(upload_mbit=1.2)
    film(room)
    request = ask(province, room)
    file = write_config(room.config, tmp_path)
    command = [sys.executable, "-W", "ignore", "-c", SERVICE, "--config", str(file), "service", "uplink"]
    folder = province.folder / "clips" / request.id

    def parts() -> int:
        return len([one for one in folder.glob("0*")])

    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(lambda: parts() >= 1, 30, "a part is there")
        process.send_signal(signal.SIGKILL)
    held = {one.name: one.stat().st_mtime_ns for one in folder.glob("0*")}
    assert state(province, request)["state"] == "sending"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        until(lambda: parts() > len(held), 30, "the rest comes")
        assert {n: (folder / n).stat().st_mtime_ns for n in held} == held, "none came twice"
        until(lambda: state(province, request)["state"] == "received", 30, "all is there")
        until(lambda: entries(room, "clip_sent"), 10, "entered")
        process.terminate()
    assert len(entries(room, "export")) == len(entries(room, "clip_requested")) == 1
    asked.save(province, request.id, tmp_path / "out.zip")
    assert verify_file(tmp_path / "out.zip", [province.root.public]).ok


def session(room: RealRoom, name: str, **policy: object) -> None:
    roster = parse_roster(canonical(cast.roster(name, clock.wall_ms(), size=1, photos=False)))
    rules = parse_policy(canonical({**cast.POLICY, **policy}))
    take_in(room.db, roster, rules, room=room.name, bank_file="bank", data_key=room.identity.keys.data)
    with transaction(room.db):
        room.db.execute("UPDATE sessions SET state = 'running', opened_ms = 1, started_ms = 2 WHERE id = ?", (name,))


def end_session(room: RealRoom, name: str) -> None:
    with transaction(room.db):
        room.db.execute("UPDATE sessions SET state = 'closed', closed_ms = 3 WHERE id = ?", (name,))


def test_nothing_is_exported_or_sent_while_an_exam_is_on(province: Province, filmed: RealRoom) -> None:
    request, mine = ask(province, filmed), memory(filmed)
    session(filmed, "S-1")
    assert listen(filmed, mine) is None and entries(filmed, "clip_requested") and not entries(filmed, "export")
    end_session(filmed, "S-1")
    listen(filmed, mine)
    assert send_part(mine, filmed.db, filmed.client)
    session(filmed, "S-2")
    assert send_all(filmed, mine) == 0 and state(province, request)["state"] == "sending"
    end_session(filmed, "S-2")
    session(filmed, "S-3", remote_clips="always")
    assert send_all(filmed, mine) and state(province, request)["state"] == "received"
    assert entries(filmed, "export")[0].session_id is None


def test_a_request_of_somebody_elses_is_refused_and_entered(
    province: Province, filmed: RealRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = ask(province, filmed)
    now = clock.wall_ms()
    told = list[str]()
    forged = [
        (sign_request(good, Ed25519Signer.generate()), "signature_wrong"),
        (sign_request(good.model_copy(update={"id": "1" * 32, "room": "room-x"}), province.key), "clip_other_room"),
        (sign_request(good.model_copy(update={"id": "2" * 32, "epoch": 9}), province.key), "clip_other_room"),
        (
            sign_request(good.model_copy(update={"id": "3" * 32, "made_ms": 1, "not_after_ms": now - 1}), province.key),
            "clip_expired",
        ),
        (
            sign_request(
                good.model_copy(update={"id": "4" * 32, "from_ms": now + 10**8, "until_ms": now + 10**8 + 1}),
                province.key,
            ),
            "clip_early",
        ),
        (b'{"no":"envelope"}', "envelope_broken"),
        (sign_request(good.model_copy(update={"id": "5" * 32, "camera": "roof"}), province.key), None),
        (sign_request(good.model_copy(update={"why": "another"}), province.key), "clip_twice"),
    ]
    listed = [one.decode() for one, _ in forged]
    listed.insert(-1, sign_request(good, province.key).decode())

    class Answer:
        requests = listed

    monkeypatch.setattr(type(filmed.client), "clips", lambda _self: Answer)
    monkeypatch.setattr(type(filmed.client), "refuse_clip", lambda _self, clip, reason: told.append(f"{clip} {reason}"))
    mine = memory(filmed)
    for _ in range(4):
        listen(filmed, mine)
    reasons = [entry.body["reason"] for entry in entries(filmed, "clip_refused")]
    assert sorted(reasons) == sorted([code for _, code in forged if code] + ["evidence_no_footage"])
    assert set(told) >= {f"{'1' * 32} clip_other_room", f"{'5' * 32} evidence_no_footage"}
    assert not any(one.startswith(good.id) for one in told), "the good request is not taken down with its double"
    assert not any(" signature_wrong" in one for one in told), "whose id it is nobody knows"
    assert [entry.body["camera"] for entry in entries(filmed, "export")] == ["door"]


def test_a_gateway_that_asks_without_end_fills_no_ledger(
    province: Province, filmed: RealRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, now = ask(province, filmed), clock.wall_ms()
    monkeypatch.setattr("edge.uplink.clips.REFUSED_A_DAY", 3)
    monkeypatch.setattr("edge.uplink.clips.A_DAY", 5)
    late = {"made_ms": 1, "not_after_ms": now - 1}
    old = [good.model_copy(update={"id": f"{n:032x}", **late}) for n in range(20)]
    forged = [sign_request(good.model_copy(update={"id": f"{n:032x}"}), Ed25519Signer.generate()) for n in range(5)]
    told = list[str]()

    listed = [one.decode() for one in (*(sign_request(o, province.key) for o in old), *forged)]
    answer = SimpleNamespace(requests=listed)
    monkeypatch.setattr(type(filmed.client), "clips", lambda _self: answer)
    monkeypatch.setattr(type(filmed.client), "refuse_clip", lambda _self, clip, reason: told.append(f"{clip} {reason}"))
    mine = memory(filmed)
    listen(filmed, mine)
    assert (len(entries(filmed, "clip_refused")), len(mine.left_out)) == (3, 22)
    assert [one.split()[1] for one in told] == ["clip_expired"] * 3 + ["clip_too_many"] * 17, (
        "forged ones get no answer"
    )
    listed.append(sign_request(good, province.key).decode())
    assert listen(filmed, mine) == "clip_expired"
    [taken] = entries(filmed, "clip_requested")
    assert taken.body["left_out"] == 22, "counted once, however often they are listed, and said in the next entry"
    assert len(entries(filmed, "export")) == 1, "a good one is answered all the same"
    answer.requests = [
        sign_request(good.model_copy(update={"id": f"{n:032x}", "camera": "roof"}), province.key).decode()
        for n in range(30, 40)
    ]
    for _ in range(3):
        listen(filmed, mine)
    assert len(entries(filmed, "clip_requested")) == 2 and clips.lately(filmed.db)[0] == 5
    with transaction(filmed.db):
        filmed.db.execute("UPDATE clip_requests SET heard_ms = heard_ms - ?", (clips.DAY_MS + 1000,))
    listen(filmed, memory(filmed))
    assert len(entries(filmed, "clip_requested")) == 7, "another day"


def test_the_gateway_hears_of_a_refusal_and_the_room_of_a_request_taken_back(
    province: Province, filmed: RealRoom
) -> None:
    nothing = ask(province, filmed, camera="roof")
    mine = memory(filmed)
    assert listen(filmed, mine) == "evidence_no_footage"
    listen(filmed, mine)
    told = state(province, nothing)
    assert (told["state"], told["reason"]) == ("refused", "evidence_no_footage")
    wanted = ask(province, filmed)
    listen(filmed, mine)
    send_part(mine, filmed.db, filmed.client)
    asked.forget(province, wanted.id)
    mine.plans.clear()
    assert send_all(filmed, mine) == 0 and not list(mine.folder.iterdir())
    assert [e.body["reason"] for e in entries(filmed, "clip_refused")] == ["evidence_no_footage", "clip_withdrawn"]
    with transaction(filmed.db):
        filmed.db.execute("UPDATE clip_requests SET done_ms = ?", (clock.wall_ms() - KEEP_MS - 1,))
    listen(filmed, memory(filmed))
    assert clips.counts(filmed.db) == {}, "its words go on their date"


def test_without_space_it_waits_and_says_so(province: Province, filmed: RealRoom) -> None:
    ask(province, filmed)
    recording = filmed.config.recording.model_copy(update={"reserve_mb": 10**9})
    full = memory(filmed)
    full.config = filmed.config.model_copy(update={"recording": recording})
    assert listen(filmed, full) == "clip_no_space" and not entries(filmed, "export")
    assert listen(filmed, memory(filmed)) is None and entries(filmed, "export")


def later(monkeypatch: pytest.MonkeyPatch, ms: int) -> None:
    now = clock.wall_ms()
    monkeypatch.setattr(clock, "wall_ms", lambda: now + ms)


def test_footage_that_cannot_be_read_is_tried_a_few_times_and_holds_up_no_other_request(
    province: Province, filmed: RealRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = ask(province, filmed, until_ms=clock.wall_ms() - AGO_MS + 2000, days=7)
    good = ask(province, filmed, from_ms=clock.wall_ms() - AGO_MS + 5000, days=7)
    (filmed.config.paths.recordings / "door" / f"{'0' * 32}-000001.mp4").unlink()
    mine = memory(filmed)
    for _ in range(20):
        assert listen(filmed, mine) == "footage_missing"
    assert len(entries(filmed, "export")) == 2, "one of each"
    send_all(filmed, mine)
    assert state(province, good)["state"] == "received"
    for _ in range(8):
        later(monkeypatch, 6 * 3_600_000)
        listen(filmed, memory(filmed))
    assert len(entries(filmed, "export")) == 6
    assert [e.body["reason"] for e in entries(filmed, "clip_refused")] == ["clip_unreadable"]
    assert state(province, broken)["reason"] == "clip_unreadable"


def test_a_file_that_waits_gives_way_and_what_a_kill_left_goes_without_a_gateway(
    province: Province, filmed: RealRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(province, filmed)
    mine = memory(filmed)
    listen(filmed, mine)
    [file] = mine.folder.iterdir()
    (mine.folder / f".{file.name}.9.part").write_bytes(b"of a killed export")
    alone = memory(filmed)
    tidy(alone, filmed.db)
    assert list(mine.folder.iterdir()) == [file]
    monkeypatch.setattr(clipfiles, "free_bytes", lambda _: clipfiles._reserve(mine, filmed.db) - 1)
    tidy(alone, filmed.db)
    assert file.exists(), "once a minute"
    alone.next_tidy = 0
    tidy(alone, filmed.db)
    assert not list(mine.folder.iterdir())
    [row] = clips.standing(filmed.db, "waiting")
    assert row.why_not == "clip_no_space" and row.next_ms > clock.wall_ms()
    assert listen(filmed, mine) == "clip_no_space" and len(entries(filmed, "export")) == 1
    monkeypatch.undo()
    later(monkeypatch, 120_000)
    assert listen(filmed, mine) is None and len(entries(filmed, "export")) == 2


def test_an_export_stops_as_an_exam_begins_and_as_the_process_ends(
    province: Province, filmed: RealRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(province, filmed)
    mine, real = memory(filmed), clipfiles.export_evidence
    monkeypatch.setattr(clipfiles, "_LOOK_S", 0)

    def begun(*args: Any, told: Callable[[int, int], None], **more: Any) -> Path:
        def late(done: int, total: int) -> None:
            if not clipfiles.sessions.all_sessions(filmed.db, "running") and not mine.stop.is_set():
                session(filmed, "S-1")
            told(done, total)

        return real(*args, told=late, **more)

    monkeypatch.setattr(clipfiles, "export_evidence", begun)
    assert listen(filmed, mine) == "clip_exam" and not list(mine.folder.iterdir())
    assert listen(filmed, mine) is None and len(entries(filmed, "export")) == 1
    end_session(filmed, "S-1")
    mine.stop.set()
    with pytest.raises(Unavailable) as caught:
        listen(filmed, mine)
    assert caught.value.code == "uplink_stopping" and not list(mine.folder.iterdir())
    monkeypatch.setattr(clipfiles, "export_evidence", real)
    mine.stop.clear()
    assert listen(filmed, mine) is None and clips.counts(filmed.db) == {"ready": 1}


def test_the_thread_outlives_what_nobody_foresaw(
    filmed: RealRoom, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stop, turns = threading.Event(), list[int]()
    errors = iter([ValueError("unforeseen"), None])

    def heard(*_: object) -> str | None:
        turns.append(1)
        if (error := next(errors, None)) is not None:
            raise error
        return "clip_no_space"

    monkeypatch.setattr(clipping, "hear", heard)
    monkeypatch.setattr(clipping, "LOOK_SECONDS", 0.01)
    config = filmed.config.model_copy(
        update={"gateway": filmed.config.gateway.model_copy(update={"poll_seconds": 0.01})}
    )
    worker = clipping.ClipWorker(config, stop)
    left = config.paths.recordings / ".clips" / "left.part"
    left.parent.mkdir()
    left.write_bytes(b"of a killed export")
    worker.tell(None)
    until(lambda: not left.exists(), 10, "it is swept without a gateway")
    worker.tell(clipping.Link(filmed.client.endpoint, filmed.identity, 0))
    until(lambda: worker.error == "clip_no_space", 10, "it goes on")
    stop.set()
    worker.join()
    assert len(turns) >= 2 and "unforeseen" in caplog.text


def test_what_runs_out_while_it_is_sent_goes_no_further(
    province: Province, filmed: RealRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, mine = ask(province, filmed), memory(filmed)
    listen(filmed, mine)
    assert send_part(mine, filmed.db, filmed.client)
    monkeypatch.setattr(type(filmed.client), "now_ms", lambda _self: request.not_after_ms)
    put = list[int]()
    monkeypatch.setattr(type(filmed.client), "put_part", lambda _self, part, *_: put.append(part.number))
    assert send_part(mine, filmed.db, filmed.client)
    assert put == [] and not list(mine.folder.iterdir())
    assert [e.body["reason"] for e in entries(filmed, "clip_refused")] == ["clip_expired"]
    monkeypatch.undo()
    listen(filmed, mine)
    assert state(province, request)["state"] == "refused"


def test_while_a_large_file_is_sent_the_province_is_heard(
    province: Province, make_room: Callable[..., RealRoom], monkeypatch: pytest.MonkeyPatch
) -> None:
    room, stop = make_room(upload_mbit=0.4, poll_seconds=0.2), threading.Event()
    film(room)
    monkeypatch.setattr(clipping, "Clips", partial(Clips, part_bytes=PART))
    first, folder = ask(province, room), province.folder / "clips"
    worker = clipping.ClipWorker(room.config, stop)
    worker.tell(clipping.Link(room.client.endpoint, room.identity, 0))
    try:
        until(lambda: list((folder / first.id).glob("0*")), 10, "a part is there")
        ask(province, room)
        until(lambda: len(entries(room, "clip_requested")) == 2, 10, "the second is heard")
        assert state(province, first)["state"] == "sending"
    finally:
        stop.set()
        worker.join()


def test_one_file_that_fails_holds_up_no_other(
    province: Province, filmed: RealRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = ask(province, filmed), ask(province, filmed)
    mine, asked_for, codes = memory(filmed), list[str](), {"code": "clip_store"}
    announce = type(filmed.client).clip_file

    def failing(client: GatewayClient, clip: str, file: ClipFile) -> ClipPlan:
        if clip == bad.id:
            asked_for.append(clip)
            raise Unavailable(codes["code"], detail="HTTP 404")
        return announce(client, clip, file)

    monkeypatch.setattr(type(filmed.client), "clip_file", failing)
    for _ in range(2):
        listen(filmed, mine)
    mine.rests = Rests(60.0)
    assert send_all(filmed, mine) >= 4 and state(province, good)["state"] == "received"
    assert (len(asked_for), mine.rests.code) == (1, "clip_store"), "asked once, not with each part of the other"
    mine.rests = Rests(0.0)
    with pytest.raises(Unavailable):
        send_part(mine, filmed.db, filmed.client)
    codes["code"] = "gateway_unreachable"
    another = ask(province, filmed)
    listen(filmed, mine)
    with pytest.raises(Unavailable):
        send_all(filmed, mine)
    assert state(province, another)["state"] == "asked", "without a line nothing else is tried"
    monkeypatch.undo()
    send_all(filmed, mine)
    assert state(province, bad)["state"] == "received" and mine.rests.code is None


def test_a_file_stays_until_the_gateway_has_put_it_together(
    province: Province, filmed: RealRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ask(province, filmed), ask(province, filmed)
    mine, end = memory(filmed), type(filmed.client).end_clip
    held: list[str] = []

    def slow(client: GatewayClient, clip: str, sha256: str) -> ClipState:
        said = end(client, clip, sha256)
        if clip == first.id and not held:
            held.append(clip)
            return said.model_copy(update={"state": "joining"})
        return said

    monkeypatch.setattr(type(filmed.client), "end_clip", slow)
    for _ in range(2):
        listen(filmed, mine)
    mine.rests = Rests(60.0)
    send_all(filmed, mine)
    assert [e.body["clip"] for e in entries(filmed, "clip_sent")] == [second.id] and held == [first.id]
    assert len(list(mine.folder.iterdir())) == 1 and mine.rests.code is None
    mine.rests = Rests(0.0)
    assert send_all(filmed, mine) == 1
    assert len(entries(filmed, "clip_sent")) == 2 and not list(mine.folder.iterdir())


def test_rooms_that_send_footage_leave_the_gateway_to_the_others(
    province: Province, filmed: RealRoom, make_room: Callable[..., RealRoom], gateway: GatewayProcess
) -> None:
    film(other := make_room(upload_mbit=1000))
    first, request = ask(province, filmed), ask(province, other)
    mine, its = memory(filmed), memory(other)
    listen(filmed, mine)
    listen(other, its)
    send_part(mine, filmed.db, filmed.client)
    [plan] = mine.plans.values()
    head = f"PUT {plan.missing[0].url} HTTP/1.1\r\nHost: x\r\nContent-Length: 8000000\r\n\r\n".encode()
    announced = ClipFile(size=1, sha256="0" * 64, part_bytes=PART, parts=["0" * 64])

    def is_busy() -> bool:
        try:
            other.client.clip_file(request.id, announced)
        except TooMany:
            return True
        return False

    def is_sent() -> bool:
        its.busy_until = 0.0
        with suppress(Unavailable):  # until the places of the broken lines are free
            send_part(its, other.db, other.client)
        return state(province, request)["state"] == "received"

    with ExitStack() as slow:
        context = ssl.create_default_context(cafile=gateway.ca)
        for _ in range(8):
            line = slow.enter_context(socket.create_connection(("127.0.0.1", gateway.port), 5))
            line = slow.enter_context(context.wrap_socket(line, server_hostname="127.0.0.1"))
            line.sendall(head + b"x" * 1000)
        until(is_busy, 10, "no place is left")
        assert not send_part(its, other.db, other.client)
        assert its.busy_until > time.monotonic() + 10, "it is left in peace"
        assert other.client.status().room == other.name and listen(other, its) is None
        with pytest.raises(Unavailable) as caught:
            filmed.client.put_part(plan.missing[0], bytes(8 << 20), Pace(500_000, threading.Event()))
        assert caught.value.code == "gateway_unreachable", "what is not read to its end breaks the line"
    until(is_sent, 20, "it goes on")
    send_all(filmed, mine)
    assert state(province, first)["state"] == "received"


def test_places_are_kept_from_part_to_part_and_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    places = Places(2)
    places.keep("a")
    with places.reading("a"), places.reading("b"):
        for refused in ("a", "c"):
            with pytest.raises(TooMany), places.reading(refused):
                pass
        now[0] += 60
        places.keep("a")
        with pytest.raises(TooMany):
            places.keep("c")
    now[0] += 4
    with pytest.raises(TooMany):
        places.keep("c")
    places.keep("b")
    now[0] += 2
    places.keep("c")
    places.give_back("b")
    places.keep("b")
    with places.reading("c"), pytest.raises(TooMany):
        places.keep("a")


def test_rests_grow_and_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    rests = Rests(10.0)
    for pause in (10, 20, 40):
        rests.add("a", "clip_store")
        now[0] += pause - 1
        assert rests.has("a") and not rests.has("b")
        now[0] += 1
        assert not rests.has("a") and rests.code == "clip_store"
    for _ in range(3):
        rests.add("b", None)
        now[0] += 10
        assert not rests.has("b")
    rests.keep(["b"])
    assert rests.code is None


def test_sending_is_paced_and_stops_when_told() -> None:
    stop = threading.Event()
    body, begun = Paced(bytes(400_000), Pace(1_000_000, stop)), time.monotonic()
    while body.read(16_384):
        pass
    assert 0.25 < time.monotonic() - begun < 2
    stop.set()
    with pytest.raises(Unavailable):
        Paced(b"x", Pace(1, stop)).read(1)


def test_a_part_goes_to_no_address_in_the_clear(filmed: RealRoom) -> None:
    for url in ("http://127.0.0.1/x", "ftp://x/", "evil.example/x"):
        with pytest.raises(Unavailable) as caught:
            filmed.client.put_part(PartAddress(number=1, url=url), b"x", Pace(1e9, threading.Event()))
        assert caught.value.code == "clip_store"
    with pytest.raises(Unavailable) as nobody:
        address = PartAddress(number=1, url="https://127.0.0.1:9/x")
        filmed.client.put_part(address, b"x", Pace(1e9, threading.Event()))
    assert nobody.value.code == "clip_store", "the gateway is not taken for unreachable"


def test_the_provinces_commands(province: Province, filmed: RealRoom, tmp_path: Path) -> None:
    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(main, ["gateway", "clip", *words, "--dir", str(province.folder)])
        assert done.exit_code == code, done.output
        return done.output

    span = ["--from", str(clock.wall_ms() - AGO_MS), "--until", str(clock.wall_ms() - AGO_MS + 5000)]
    who = ["--why", "复核", "--by", "李"]
    asking = ["ask", "--room", filmed.name, "--camera", "door", *span, *who, "--json"]
    made = json.loads(run(*asking))
    for wrong in (
        ["ask", "--room", "nobody", "--camera", "door", *span, *who],
        ["ask", "--room", filmed.name, "--camera", "No!", *span, *who],
        ["ask", "--room", filmed.name, "--camera", "door", "--from", "5", "--until", "3", *who],
        ["ask", "--room", filmed.name, "--camera", "door", "--from", "yesterday", "--until", "3", *who],
        ["save", made["id"], "--out", str(tmp_path / "early.zip")],
        ["delete", "0" * 32],
    ):
        assert "。" in run(*wrong, code=2)
    mine = memory(filmed)
    listen(filmed, mine)
    send_part(mine, filmed.db, filmed.client)
    assert "正在接收" in run("list")
    send_all(filmed, mine)
    assert "已收到" in run("list")
    assert next(one for one in json.loads(run("list", "--json")) if one["id"] == made["id"])["share"] == 100
    out = tmp_path / "evidence.zip"
    run("save", made["id"], "--out", str(out))
    run("save", made["id"], "--out", str(out), code=2)
    verified = CliRunner().invoke(main, ["verify", str(out), "--root", str(province.folder / "root.pub")])
    assert verified.exit_code == 0, verified.output
    run("delete", made["id"])
    assert made["id"] not in run("list")


def test_the_other_rooms_requests_are_not_shown(province: Province, make_room: Callable[..., RealRoom]) -> None:
    one, other = make_room(), make_room()
    request = ask(province, one)
    assert other.client.clips().requests == [] and len(one.client.clips().requests) == 1
    with pytest.raises(NotFound) as caught:
        other.client.refuse_clip(request.id, "no_footage")
    assert caught.value.code == "clip_unknown"
