"""A camera process that hangs, is dead or is stopped cannot say so: `web` does, within five seconds, and the lamp."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge import clock
from edge.exam.board import services
from edge.services import checkin
from edge.services.checkin import _said, _unrecorded
from edge.store import ledger, recorders
from edge.store.status import read_statuses, write_status
from edge.web.app import create_app
from edge.web.recorders import RecorderWatch
from support.rooms import DeskRoom, make_desk_room
from support.serving import until


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskRoom]:
    panel = {"backend": "gpio", "pin_factory": "mock"}
    cameras = {name: {"backend": "file", "source": "clip.mp4"} for name in ("door", "hall")}
    made = make_desk_room(tmp_path, size=2, camera=cameras, panel=panel)
    yield made
    made.db.close()


@pytest.mark.parametrize(
    ("said", "age_ms", "code"),
    [
        ({"state": "recording", "reason": "recording_on"}, 3900, None),
        ({"state": "recording", "reason": "recording_on"}, 4000, "camera_silent"),
        ({"state": "recording", "reason": "recording_on"}, -1, "camera_silent"),  # from before a reboot
        ({"state": "starting", "reason": "recording_starting"}, 14_000, None),
        ({"state": "starting", "reason": "recording_starting"}, 15_000, "camera_silent"),
        ({"state": "blind", "reason": "camera_covered"}, 500, "camera_covered"),
        ({"state": "blind", "reason": "camera_covered"}, 4000, "camera_silent"),
        ({"state": "camera_missing", "reason": "camera_unreachable"}, 9000, "camera_unreachable"),
        ({"state": "behind", "reason": "recording_behind"}, 0, "recording_behind"),
        ({"state": "losing", "reason": "recording_losing"}, 0, "recording_losing"),
        ({"state": "recording", "reason": "recording_sound"}, 500, None),
        ({"state": "soundless", "reason": "recording_soundless"}, 3900, "recording_soundless"),
        ({"state": "soundless", "reason": "recording_soundless"}, 4000, "camera_silent"),
        ({"state": "disk_error", "reason": "recording_write_failed"}, 900, "recording_write_failed"),
        ({"state": "stopped", "reason": "recording_stopped"}, 3000, None),
        ({"state": "stopped", "reason": "recording_stopped"}, 5000, "recording_stopped"),
        ({}, 0, "camera_silent"),
    ],
)
def test_what_a_status_amounts_to(said: dict[str, object], age_ms: int, code: str | None) -> None:
    now = 50_000
    status = said and {**said, "mono_ms": now - age_ms, "facts": {"lost": 3}}
    found = recorders.fault("door", {"camera-door": status}, now)
    assert (found and found[0]) == code
    assert found is None or found[1]["camera"] == "door"


def test_a_camera_that_falls_silent_is_on_the_console_and_in_the_ledger(
    desk: DeskRoom, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, start = desk.config.paths, clock.mono_ms()
    now = [start]
    monkeypatch.setattr(clock, "mono_ms", lambda: now[0])
    write_status(paths.status, "camera-door", state="recording", reason="recording_on")  # left by an earlier run
    now[0] += 10
    room = create_app(desk.config).extensions["examroom"]
    watch, shown = RecorderWatch(room), dict[str, str | None]()

    def on(seconds: int, *speaking: str) -> list[tuple[str, str, str]]:
        for _ in range(seconds):
            now[0] += 1000
            for name in speaking:
                write_status(paths.status, f"camera-{name}", state="recording", reason="recording_on")
            watch()
        while not room.later.empty():
            room.later.get()(desk.db)
        said = services(recorders.judged(desk.config.camera, read_statuses(paths.status), now[0]))
        shown.update({name: said[f"camera-{name}"]["reason"] for name in ("door", "hall")})
        return [
            (e.body["camera"], e.body["state"], e.body["reason"]) for e in ledger.entries(desk.db, kinds=("camera",))
        ]

    try:
        assert on(10) == [], "while the box starts, nobody is late"
        assert shown == {"door": "camera_silent", "hall": "camera_silent"}, "and it does not record"
        assert on(30, "door", "hall") == []
        assert shown == {"door": "recording_on", "hall": "recording_on"}
        assert on(5, "door") == [("hall", "trouble", "camera_silent")]
        assert shown == {"door": "recording_on", "hall": "camera_silent"}
        assert on(60, "door") == [("hall", "trouble", "camera_silent")]
        assert on(1, "door", "hall")[1:] == [("hall", "good", "camera_silent")]
    finally:
        room.journal.close()


def test_metrics_tell_the_box_itself_and_nobody_else(desk: DeskRoom) -> None:
    app = create_app(desk.config)
    said: dict[str, object] = {"behind_ms": 2500, "bytes": 12_345_678, "dropped": 7, "lost_ms": 1500, "look_cpu": 0.125}
    said |= {"state": "behind", "reason": "recording_behind", "bitrate_percent": 36}
    write_status(desk.config.paths.status, "camera-door", **said)
    try:
        answer = app.test_client().get("/metrics")
        assert answer.status_code == 200
        assert answer.content_type == "text/plain; version=0.0.4"
        lines = answer.text.splitlines()
        assert answer.text.endswith("\n")
        samples = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        assert {name: float(value) for name, value in samples.items() if "door" in name} == {
            'examroom_camera_up{camera="door"}': 0,
            'examroom_camera_behind_seconds{camera="door"}': 2.5,
            'examroom_camera_written_bytes_total{camera="door"}': 12_345_678,
            'examroom_camera_dropped_frames_total{camera="door"}': 7,
            'examroom_camera_lost_seconds_total{camera="door"}': 1.5,
            'examroom_camera_look_cpu_ratio{camera="door"}': 0.125,
            'examroom_camera_bitrate_ratio{camera="door"}': 0.36,
        }
        assert [name for name in samples if "hall" in name] == ['examroom_camera_up{camera="hall"}'], "nothing is known"
        assert int(samples['examroom_disk_free_bytes{disk="state"}']) > 0
        families = [line.split()[2] for line in lines if line.startswith("# TYPE")]
        assert len(families) == len(set(families))
        here, there = "127.0.0.1", "192.0.2.7"
        for address, forwarded in ((there, {}), (here, {"X-Forwarded-For": there})):
            head = {"Accept": "application/json", **forwarded}
            refused = app.test_client().get("/metrics", headers=head, environ_base={"REMOTE_ADDR": address})
            assert (refused.status_code, refused.json["error"]) == (403, "metrics_elsewhere")
    finally:
        app.extensions["examroom"].journal.close()


def test_the_door_says_first_what_happened_last() -> None:
    fault: recorders.Fault = ("recording_losing", {"camera": "hall"})
    shown = {"reason": "recording_losing", "facts": {"camera": "hall"}}
    assert _said(True, "reader_lost", fault, "pack_not_installed") == {"reason": "checkin_held"}
    assert _said(False, "reader_lost", fault, "pack_not_installed") == {"reason": "reader_lost"}
    assert _said(False, "reader_off", fault, "pack_not_installed") == _said(False, None, fault, None) == shown
    assert _said(False, "reader_off", None, "pack_not_installed") == {"reason": "pack_not_installed"}
    assert _said(False, "reader_off", None, None) == {"reason": "reader_off"}


def test_the_lamp_and_the_door_say_it_and_a_dark_room_without_a_session_is_none(desk: DeskRoom) -> None:
    paths = desk.config.paths

    def says(hall: str, reason: str) -> bool:
        write_status(paths.status, "camera-door", state="blind", reason="camera_dark")
        write_status(paths.status, "camera-hall", state=hall, reason=reason)
        return False

    says("recording", "recording_on")
    assert _unrecorded(desk.config, "closed") is None
    assert _unrecorded(desk.config, "ready") == ("camera_dark", {"camera": "door"})
    stop = threading.Event()
    thread = threading.Thread(target=checkin.run, args=(desk.config, stop))
    thread.start()

    def door() -> tuple[object, object, object]:
        said = read_statuses(paths.status).get("checkin", {})
        return said.get("lamps", {}).get("red"), said.get("reason"), said.get("facts")

    try:
        until(lambda: says("recording", "recording_on") or door()[0] is False)
        until(lambda: says("losing", "recording_losing") or door() == (True, "recording_losing", {"camera": "hall"}))
        until(lambda: says("recording", "recording_on") or (door()[0] is False and door()[1] != "recording_losing"))
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()
