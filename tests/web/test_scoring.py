"""The examiner's API over the real application: who may, what is done once, what a stranger cannot see or change."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from edge.demo.people import STAFF, StaffMember
from edge.store import ledger, people, sessions, sheets
from edge.store import practical as store
from edge.store.db import transaction
from edge.web.app import create_app
from edge.web.body import csrf_of
from edge.web.staff.session import COOKIE
from support.rooms import DeskRoom
from support.shots import make_jpeg

PROCTOR, EXAMINER, SUPERVISOR, TECHNICIAN = STAFF


@dataclass
class Hand:
    """A member of staff at the API."""

    client: FlaskClient
    csrf: str
    root: str

    def post(self, path: str, **body: Any) -> TestResponse:
        body.setdefault("op_id", uuid.uuid4().hex)
        return self.client.post(f"{self.root}/{path}", json=body, headers={"X-CSRF": self.csrf})

    def get(self, path: str = "") -> TestResponse:
        return self.client.get(f"{self.root}{path}")


@pytest.fixture
def app(desk: DeskRoom) -> Iterator[Flask]:
    with transaction(desk.db):
        sessions.set_state(desk.db, desk.session, "checkin")
        for who in people.candidates(desk.db, desk.session)[:5]:
            people.admit(desk.db, desk.session, who.person, "policy")
    made = create_app(desk.config)
    yield made
    made.extensions["examroom"].journal.close()


def hand(app: Flask, desk: DeskRoom, who: StaffMember = EXAMINER) -> Hand:
    client = app.test_client()
    client.post("/staff/login", data={"badge": who.badge, "pin": who.pin})
    cookie = client.get_cookie(COOKIE)
    assert cookie is not None
    return Hand(client, csrf_of(cookie.value), f"/scoring/api/{desk.session}")


@pytest.fixture
def examiner(app: Flask, desk: DeskRoom) -> Hand:
    return hand(app, desk)


@pytest.fixture
def work(desk: DeskRoom) -> dict[str, str]:
    return {"person": people.candidates(desk.db, desk.session)[0].person, "rubric": "P01"}


def test_an_act_sent_again_is_done_once(examiner: Hand, desk: DeskRoom, work: dict[str, str]) -> None:
    op = uuid.uuid4().hex
    first = examiner.post("clock", **work, op_id=op, act="start", tablet="t1", ago_ms=10)
    again = examiner.post("clock", **work, op_id=op, act="start", tablet="t1", ago_ms=9000)
    assert first.status_code == again.status_code == 200
    assert first.json is not None and again.json is not None and again.json["state"] == first.json["state"]
    assert len(ledger.entries(desk.db, kinds=("work_clock",))) == 1
    other = examiner.post("clock", **work, op_id=op, act="stop", tablet="t1")
    assert other.status_code == 409


def test_a_whole_candidate(examiner: Hand, desk: DeskRoom, work: dict[str, str]) -> None:
    assert examiner.post("queue", **work, act="call").json == {"state": "called", "station": "P01"}
    assert examiner.post("clock", **work, act="start", tablet="t1").status_code == 200
    content = {"marks": {"p1d1": 1}, "vetoes": [], "measured": {}, "note": "字", "page": {}}
    saved = examiner.post("draft", **work, tablet="t1", base=0, content=content)
    assert saved.json is not None and (saved.json["outcome"], saved.json["version"]) == ("applied", 1)
    assert examiner.post("step", **work, step="p1", done=True, tablet="t1").status_code == 200
    seen = examiner.get(f"/board/{work['person']}/P01").json
    assert seen["draft"]["body"]["marks"] == {"p1d1": 1} and set(seen["stamps"]) == {"p1"}
    runs = examiner.post("score", person=work["person"], marks=[], pin=EXAMINER.pin)
    assert runs.status_code == 409 and runs.json is not None and runs.json["error"] == "clock_runs"
    assert examiner.post("clock", **work, act="stop", tablet="t1").json is not None
    op = uuid.uuid4().hex
    sheet: dict[str, Any] = {"person": work["person"], "marks": [{"deduction": "p1d1", "count": 1}], "op_id": op}
    one = examiner.post("score", **sheet, pin=EXAMINER.pin)
    two = examiner.post("score", **sheet, pin=EXAMINER.pin)
    assert one.json is not None and one.json == two.json and one.json["points"] == 96
    wrong = examiner.post("score", **sheet, pin="000000")
    assert wrong.status_code == 403
    assert len(sheets.sheets(desk.db, desk.session)) == 1
    listed = examiner.get().json["candidates"][0]
    assert listed["practical"] == {"points": 96.0, "passed": True, "by": EXAMINER.id, "vetoed": False}


@pytest.mark.parametrize("who", [SUPERVISOR, TECHNICIAN, PROCTOR], ids=lambda s: s.role)
def test_only_examiners_score(app: Flask, desk: DeskRoom, work: dict[str, str], who: StaffMember) -> None:
    other = hand(app, desk, who)
    for path, body in (
        ("queue", {"act": "call"}),
        ("clock", {"act": "start"}),
        ("step", {"step": "p1", "done": True}),
        ("draft", {"base": 0, "content": {}}),
        ("take", {}),
        ("rule", {"points": 1, "reason": "xx", "pin": who.pin}),
    ):
        assert other.post(path, **work, **body).status_code == 403, path
    assert other.post("score", person=work["person"], marks=[], pin=who.pin).status_code == 403
    assert store.works(desk.db, desk.session) == {}


def test_nobody_else_reads_or_writes(app: Flask, desk: DeskRoom, examiner: Hand, work: dict[str, str]) -> None:
    stranger = app.test_client()
    assert stranger.get(examiner.root).status_code == 401
    assert stranger.post(f"{examiner.root}/clock", json={**work, "act": "start"}).status_code == 401
    forged = Hand(examiner.client, "0" * 32, examiner.root)
    assert forged.post("clock", **work, act="start").status_code == 403
    assert store.works(desk.db, desk.session) == {}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock", {"act": "explode"}),
        ("clock", {"act": "start", "ago_ms": -1}),
        ("step", {"step": "nope", "done": True}),
        ("draft", {"base": 0, "content": {"marks": {"p1d1": 0}}}),
        ("draft", {"base": 0, "content": {"surprise": 1}}),
        ("draft", {"base": 0, "content": {"note": "x" * 1001}}),
        ("queue", {"act": "send", "station": "nowhere"}),
        ("queue", {"act": "call", "op_id": "short"}),
    ],
)
def test_hostile_bodies_change_nothing(
    examiner: Hand, desk: DeskRoom, work: dict[str, str], path: str, body: dict[str, Any]
) -> None:
    size = ledger.size(desk.db)
    answer = examiner.post(path, **work, **body)
    assert 400 <= answer.status_code < 500
    kinds = {entry.kind for entry in ledger.entries(desk.db, since=size)}
    assert kinds <= {"act_refused"}


def test_no_act_is_refused_for_its_tablets_clock(examiner: Hand, work: dict[str, str]) -> None:
    assert examiner.post("clock", **work, act="start", ago_ms=60 * 365 * 86_400_000).status_code == 200


def test_the_board_brings_the_token_of_who_is_signed_in_now(examiner: Hand, work: dict[str, str]) -> None:
    """For a page that was open while the same person signed in anew in another tab."""
    examiner.client.post("/staff/login", data={"badge": EXAMINER.badge, "pin": EXAMINER.pin})
    refused = examiner.post("clock", **work, act="start")
    assert refused.json is not None and refused.json["error"] == "csrf_wrong"
    board = examiner.get("/board").json
    assert board is not None and board["me"]["id"] == EXAMINER.id
    examiner.csrf = board["csrf"]
    assert examiner.post("clock", **work, act="start").status_code == 200


def test_another_sessions_candidate_or_rubric(examiner: Hand, work: dict[str, str]) -> None:
    assert examiner.post("clock", person="0" * 24, rubric="P01", act="start").status_code == 404
    assert examiner.post("clock", person=work["person"], rubric="P99", act="start").status_code == 404
    assert examiner.get(f"/board/{work['person']}/P99").status_code == 404


def test_a_picture_in_parts(examiner: Hand, desk: DeskRoom, app: Flask, work: dict[str, str]) -> None:
    data = make_jpeg(800, 600, pad=90_000)
    announced = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}
    path = f"{examiner.root}/pictures"
    head = {"X-CSRF": examiner.csrf}
    begun = examiner.client.post(path, json=work | announced, headers=head).json
    assert begun is not None and begun["parts"] == 2
    for part in range(2):
        chunk = data[part * 49152 : (part + 1) * 49152]
        digest = hashlib.sha256(chunk).hexdigest()
        sent = examiner.client.post(
            f"{path}/{begun['picture']}/parts/{part}", data=chunk, headers=head | {"X-SHA256": digest}
        )
        assert sent.status_code == 200, sent.json
    shown = examiner.client.get(f"{path}/{begun['picture']}")
    assert shown.data == data and shown.headers["Cache-Control"] == "no-store"
    assert shown.headers["Content-Type"] == "image/jpeg"
    assert hand(app, desk, SUPERVISOR).client.get(f"{path}/{begun['picture']}").status_code == 200
    assert app.test_client().get(f"{path}/{begun['picture']}").status_code == 401
    assert examiner.client.post(f"{path}/{begun['picture']}/remove", json={}, headers=head).status_code == 200
    assert examiner.client.get(f"{path}/{begun['picture']}").status_code == 404


def test_a_part_larger_than_a_body_may_be_is_refused(examiner: Hand, work: dict[str, str]) -> None:
    head = {"X-CSRF": examiner.csrf, "X-SHA256": "0" * 64}
    answer = examiner.client.post(f"{examiner.root}/pictures/x/parts/0", data=bytes(70_000), headers=head)
    assert answer.status_code in (404, 413)


def test_a_proctor_names_a_chief_and_only_an_examiner(app: Flask, desk: DeskRoom, examiner: Hand) -> None:
    proctor = hand(app, desk, PROCTOR)
    assert proctor.post("chief", examiner=PROCTOR.id, reason="指定").status_code == 403
    done = proctor.post("chief", examiner=EXAMINER.id, reason="主考不在场")
    assert done.json == {"chiefs": [EXAMINER.id]}
    assert examiner.post("chief", examiner=EXAMINER.id, reason="自己来").status_code == 403


def test_the_timeline_shows_a_step_at_its_moment(
    app: Flask, desk: DeskRoom, examiner: Hand, work: dict[str, str]
) -> None:
    examiner.post("step", **work, step="p1", done=True)
    entry = ledger.entries(desk.db, kinds=("step_scored",))[0]
    supervisor = hand(app, desk, SUPERVISOR)
    marks = supervisor.client.get(f"/spotcheck/api/{desk.session}/timeline").json["marks"]
    mark = next(one for one in marks if one["kind"] == "step_scored")
    assert mark["at_ms"] == entry.body["ms"] and mark["number"] == 1


def test_the_worker_is_served_where_it_may_serve_the_pages(app: Flask, examiner: Hand) -> None:
    worker = examiner.client.get("/scoring/sw.js")
    assert worker.status_code == 200 and "javascript" in worker.headers["Content-Type"]
    worker.close()
    assert examiner.client.get("/scoring/S-1").status_code == 200
    assert app.test_client().get("/scoring/S-1").status_code == 302


def test_the_pages_name_no_file_that_is_not_there(examiner: Hand) -> None:
    page = examiner.client.get("/scoring/S-1").get_data(as_text=True)
    static = Path(__file__).parents[2] / "edge" / "web" / "scoring" / "static" / "js"
    named = {part.split('"')[0] for part in page.split("/scoring/static/js/")[1:]}
    assert named == {path.name for path in static.glob("*.js")}
