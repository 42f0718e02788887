"""The page of space, its acts and who may do them; the door that stays shut while footage has no room."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from edge import clock
from edge.clock import Instant, TimeQuality
from edge.config import parse_config
from edge.domain.footage import Cause
from edge.recording import space
from edge.recording.writer import Place, segment_of
from edge.store import ledger, segments, sessions
from edge.web import keeper
from edge.web.app import create_app
from edge.web.body import csrf_of
from edge.web.keeper import _Writer
from support.rooms import DeskRoom, make_desk_room
from support.serving import PROCTOR, SUPERVISOR, TECHNICIAN

BOOT = "0123456789abcdef" * 2
DAY_MS = 86_400_000


class Site:
    """A room with a camera, its pages, and a session of ten days ago with a minute of footage in it and one after."""

    def __init__(self, folder: Path) -> None:
        made = make_desk_room(folder)
        paths = made.config.paths.model_dump(mode="json")
        self.config = parse_config({"paths": paths, "camera": {"door": {}}})
        self.desk = DeskRoom(self.config, made.db, made.session)
        self.app = create_app(self.config)
        self.room = self.app.extensions["examroom"]
        self.opened = clock.wall_ms() - 10 * DAY_MS

    def footage(self, sequence: int, start_ms: int) -> str:
        place = Place(self.config.paths.recordings, "door", BOOT, sequence)
        place.path.parent.mkdir(parents=True, exist_ok=True)
        place.path.write_bytes(b"x")
        at = Instant(start_ms, 0, BOOT, TimeQuality.SYNCHRONISED)
        return segments.index(self.desk.db, segment_of(place, at, 4, "00" * 32, [], 7_000_000, Cause.ROTATED)).id

    def closed(self) -> None:
        self.desk.db.execute(
            "UPDATE sessions SET state = 'closed', opened_ms = ?, closed_ms = ?", (self.opened, self.opened + 3_600_000)
        )

    def client(self, who: Any) -> tuple[FlaskClient, dict[str, str]]:
        client = self.app.test_client()
        client.post("/staff/login", data={"badge": who.badge, "pin": who.pin, "next": ""})
        cookie = client.get_cookie("examroom_staff")
        assert cookie is not None
        return client, {"X-CSRF": csrf_of(cookie.value)}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.room.journal.close()
    made.desk.db.close()


def test_a_supervisor_sees_the_figures_and_holds_releases_and_inspects(here: Site) -> None:
    here.closed()
    here.footage(1, here.opened + 60_000)
    client, head = here.client(SUPERVISOR)
    session = here.desk.session
    assert "/spotcheck/space" in client.get("/spotcheck/").text
    page = client.get("/spotcheck/space").text
    assert "成绩未签名" in page and "2.0 Mbit/s" in page and f'data-hold="{session}"' in page
    assert f'data-inspected="{session}"' not in page, "it is signed first"

    here.desk.db.execute("UPDATE sessions SET state = 'signed', signed_ms = closed_ms")
    assert f'data-inspected="{session}"' in client.get("/spotcheck/space?lang=en").text
    sent = {"session": session, "why": "家长申诉"}
    made = client.post("/spotcheck/api/holds", json=sent, headers=head).json["hold"]
    page = client.get("/spotcheck/space?lang=zh").text
    assert f'data-release="{made}"' in page and "家长申诉" in page and "已保全" in page
    assert client.post(f"/spotcheck/api/holds/{made}/release", json={"why": "已了结"}, headers=head).status_code == 200
    for _ in range(2):
        assert client.post(f"/spotcheck/api/{session}/inspected", json={}, headers=head).status_code == 200
    told = ledger.entries(here.desk.db, kinds=("hold", "hold_released", "session_inspected"))
    assert [(e.kind, e.session_id, e.content["by"]) for e in told] == [
        (kind, session, SUPERVISOR.id) for kind in ("hold", "hold_released", "session_inspected")
    ]
    shown = client.get("/spotcheck/api/space").json
    date = here.opened + 3_600_000 + 180 * DAY_MS
    assert shown["sessions"] == [{"session": session, "bytes": 7_000_000, "date_ms": date, "why": "policy"}]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"why": "申诉"}, "body_wrong"),
        ({"session": "S-1", "from": 1, "until": 2, "why": "申诉"}, "body_wrong"),
        ({"from": 1, "why": "申诉"}, "body_wrong"),
        ({"session": "S-1", "camera": "door", "why": "申诉"}, "body_wrong"),
        ({"from": 5, "until": 5, "why": "申诉"}, "hold_span"),
        ({"from": 1, "until": 1 << 47, "why": "申诉"}, "body_wrong"),
        ({"camera": "attic", "from": 1, "until": 2, "why": "申诉"}, "no_footage"),
        ({"session": "S-1", "why": "  "}, "body_wrong"),
        ({"session": "S-1", "why": "申诉"}, "hold_early"),
    ],
)
def test_a_hold_that_says_nothing_sensible_is_refused(shared: Site, sent: dict[str, Any], code: str) -> None:
    client, head = shared.client(SUPERVISOR)
    answer = client.post("/spotcheck/api/holds", json=sent, headers=head)
    assert answer.json["error"] == code, answer.text
    assert shared.desk.db.execute("SELECT count(*) FROM footage_holds").fetchone()[0] == 0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("space"))
    yield made
    made.room.journal.close()
    made.desk.db.close()


def test_others_may_look_or_not_even_that_and_never_act(shared: Site) -> None:
    technician, head = shared.client(TECHNICIAN)
    assert technician.get("/spotcheck/space").status_code == 200
    proctor, _ = shared.client(PROCTOR)
    assert proctor.get("/spotcheck/space").status_code == 403
    for path, sent in (
        ("holds", {"from": 1, "until": 2, "why": "申诉"}),
        ("holds/0/release", {"why": "申诉"}),
        ("S-1/inspected", {}),
    ):
        assert technician.post(f"/spotcheck/api/{path}", json=sent, headers=head).status_code == 403
        assert shared.app.test_client().post(f"/spotcheck/api/{path}", json=sent).status_code == 401


def test_the_door_stays_shut_without_room_for_the_footage(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    client, head = here.client(PROCTOR)
    session, sent = here.desk.session, {"op_id": "open-0001", "reason": "开考"}
    monkeypatch.setattr(space, "free_bytes", lambda _: 600_000_000)
    answer = client.post(f"/console/api/{session}/open-checkin", json=sent, headers=head)
    assert (answer.status_code, answer.json["error"]) == (409, "footage_too_full")
    assert "door 2.0 Mbit/s" in answer.json["zh"] and "0.1 GB" in answer.json["zh"]
    assert sessions.find(here.desk.db, session).state == "planned"
    here.room.later.get_nowait()(here.desk.db)
    assert ledger.last(here.desk.db, "act_refused", 1)[0].body["reason"] == "footage_too_full"
    monkeypatch.setattr(space, "free_bytes", lambda _: 60_000_000_000)
    assert client.post(f"/console/api/{session}/open-checkin", json=sent, headers=head).status_code == 200


def test_a_room_without_a_camera_process_sweeps_too(here: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    old = here.footage(1, clock.wall_ms() - 91 * DAY_MS)
    monkeypatch.setattr(clock, "quality", lambda: TimeQuality.SYNCHRONISED)
    writer = _Writer(here.room)
    writer(here.desk.db)
    assert segments.get(here.desk.db, old), "the cameras' own processes come first"
    monkeypatch.setattr(keeper, "FOOTAGE_SECONDS", 0.0)
    writer(here.desk.db)
    assert segments.cameras(here.desk.db) == []
    assert list((here.config.paths.recordings / "door").iterdir()) == []
