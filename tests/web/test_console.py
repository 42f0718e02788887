"""The proctor's API: who may act where, each act once, two people, undo, kept answers, practice, the end of the day."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import sqlite3
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from edge import __version__, clock
from edge.cli import main
from edge.demo import people as cast
from edge.demo.people import STAFF
from edge.domain import acts
from edge.domain.canonical import canonical
from edge.domain.rehearsal import Held
from edge.exam import tally, written
from edge.exam.banks import open_bank
from edge.exam.board import board
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.exam.readiness import drawn_from
from edge.ops.desk import StaffMember
from edge.ops.rehearsal import asking
from edge.ops.rehearsal.progress import told
from edge.store import (
    admissions,
    bundles,
    checkins,
    ledger,
    outbox,
    people,
    practical,
    progress,
    records,
    rehearsals,
    sessions,
    staff,
)
from edge.store import purge as purge_rows
from edge.store.db import connect, transaction
from edge.store.status import write_status
from edge.web.app import create_app
from edge.web.boards import due_ms
from edge.web.body import csrf_of
from edge.web.console import api, rehearsing
from edge.web.console.acts import ACTS
from edge.web.console.feed import difference
from edge.web.room import Room
from support.kinds_room import make_kinds_room
from support.rooms import DeskRoom, TabletHand, make_desk_room, right_letters
from support.serving import write_config

PROCTOR, EXAMINER, SUPERVISOR, TECHNICIAN = STAFF
WITHOUT_PRACTICAL = "UPDATE sessions SET policy = json_set(policy, '$.tests', json('[\"theory\"]'))"
USUAL = ("open-checkin", "start", "sign", "delete-practice")
"""Acts with a reason that mostly is the same."""
SECOND = StaffMember("P-002", "宋监考", "proctor", "90000012", "246810")


class Desk:
    """The application over a session in check-in, and the proctor's browser."""

    def __init__(self, desk: DeskRoom) -> None:
        self.desk, self.db, self.session = desk, desk.db, desk.session
        self.app = create_app(desk.config)
        self.room: Room = self.app.extensions["examroom"]
        self.client, self.head = self.sign_in(PROCTOR)

    def sign_in(self, who: StaffMember) -> tuple[FlaskClient, dict[str, str]]:
        client = self.app.test_client()
        client.post("/staff/login", data={"badge": who.badge, "pin": who.pin, "next": ""})
        cookie = client.get_cookie("examroom_staff")
        assert cookie is not None
        return client, {"X-CSRF": csrf_of(cookie.value)}

    def act(self, act: str, session: str | None = None, **body: Any) -> Any:
        path = f"/console/api/{session or self.session}/{act}"
        reason = {"reason": "按计划进行"} if act in USUAL else {}
        return self.client.post(path, json={"op_id": uuid.uuid4().hex} | reason | body, headers=self.head)

    def done(self, act: str, **body: Any) -> dict[str, Any]:
        answer = self.act(act, **body)
        assert answer.status_code == 200, answer.data
        document: dict[str, Any] = answer.json
        return document

    def person(self, number: int) -> str:
        return next(c.person for c in people.candidates(self.db, self.session) if c.number == number)

    def state(self, number: int) -> str:
        return next(c.state for c in people.candidates(self.db, self.session) if c.number == number)

    def tile(self, number: int) -> dict[str, Any]:
        board = self.client.get(f"/console/api/{self.session}/board").json
        tile: dict[str, Any] = next(seat for seat in board["seats"] if seat.get("number") == number)
        return tile

    def hand(self, number: int) -> TabletHand:
        who = next(c for c in people.candidates(self.db, self.session) if c.number == number)
        return TabletHand(self.room.live, who.seat_code or "")

    def running(self, admitted: int = 3) -> None:
        for number in range(1, admitted + 1):
            self.done("admit", person=self.person(number), reason="已核验证件")
        self.done("start")


def under(tmp_path: Path, policy: dict[str, Any]) -> Desk:
    """A session under this policy beside the room's own, its check-in open."""
    desk = make_desk_room(tmp_path)
    plan_another(desk, "S-2", policy, STAFF)
    site = Desk(desk)
    site.session = "S-2"
    site.done("open-checkin")
    return site


def code_of(answer: Any) -> str:
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.data)
    assert answer.json["zh"] and answer.json["en"]
    return str(answer.json["error"])


def plan_another(desk: DeskRoom, session: str, policy: dict[str, Any], members: tuple[StaffMember, ...]) -> None:
    roster = parse_roster(canonical(cast.roster(session, clock.wall_ms(), size=3, photos=False, staff=members)))
    rules = parse_policy(canonical(cast.POLICY | policy))
    key = desk.identity.keys.data
    take_in(desk.db, roster, rules, room="room-1", bank_file="bank-1.bundle", data_key=key)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Desk]:
    desk = make_desk_room(tmp_path)
    made = Desk(desk)
    made.done("open-checkin")
    yield made
    made.room.journal.close()
    desk.db.close()


# ---- who may act where


def test_a_proctor_of_another_session_gets_one_clear_sentence(site: Desk) -> None:
    plan_another(site.desk, "S-2", {}, (SECOND, EXAMINER))
    client, head = site.sign_in(SECOND)
    answer = client.post(f"/console/api/{site.session}/close", json={"reason": "试试"}, headers=head)
    assert code_of(answer) == "session_not_yours"
    assert client.get(f"/console/api/{site.session}/board").status_code == 403
    assert client.get("/console/api/S-2/board").status_code == 200
    assert code_of(site.act("open-checkin", session="S-2")) == "session_not_yours"
    listed = client.get("/console/").get_data(as_text=True)
    assert "/console/S-2" in listed and f"/console/{site.session}" not in listed


def test_staff_see_which_roster_was_refused_or_waits_and_why(site: Desk, tmp_path: Path) -> None:
    with transaction(site.db):
        for name in ("S-8", "S-9"):
            bundles.put(site.db, "roster", name, 1, f"{name}.bundle", "0" * 64)
        eight, nine = bundles.untaken(site.db, "roster")
        facts = {"where": "candidates.3.name", "detail": "<b>"}
        bundles.set_taken(site.db, eight, "roster_broken", None, facts)
        bundles.set_waiting(site.db, nine, "roster_waits_bank", {"name": "safety", "version": 4})
        bundles.set_unfit(site.db, "bank", "safety", 4, "bundle_expired", {"name": "safety"})
    page = site.client.get("/console/?lang=en").get_data(as_text=True)
    assert "Roster S-8 version 1 was not taken in" in page and "(candidates.3.name): &lt;b&gt;" in page
    assert "Roster S-9 version 1 cannot be used yet" in page and "waits for bank safety version 4" in page
    assert "Bundle safety version 4 was not taken" in page and "Bundle safety has expired" in page
    file = write_config(site.desk.config, tmp_path)
    listed = CliRunner().invoke(main, ["--config", str(file), "session", "list"]).output
    assert "S-8 v1: 名册内容不对（candidates.3.name）" in listed and "S-9 v1" in listed
    with transaction(site.db):
        bundles.put(site.db, "roster", "S-8", 2, "S-8-2.bundle", "1" * 64)
        bundles.put(site.db, "bank", "safety", 5, "safety-5.bundle", "2" * 64)
    page = site.client.get("/console/?lang=en").get_data(as_text=True)
    assert "Roster S-8" not in page and "Bundle safety" not in page, "newer ones are here"


def test_one_person_may_be_two_things_in_two_sessions(site: Desk) -> None:
    """The newest roster makes the proctor an examiner there; here they go on as what this session's roster says."""
    turned = StaffMember(PROCTOR.id, PROCTOR.name, "examiner", PROCTOR.badge, PROCTOR.pin)
    roster = cast.roster("S-2", clock.wall_ms(), size=3, photos=False, staff=(SECOND, turned))
    old = staff.by_id(site.db, PROCTOR.id)
    assert old is not None
    roster["staff"][1]["pin_hash"] = old.pin_hash
    rules = parse_policy(canonical(cast.POLICY))
    key = site.desk.identity.keys.data
    take_in(site.db, parse_roster(canonical(roster)), rules, room="room-1", bank_file="bank-1.bundle", data_key=key)
    assert site.done("admit", person=site.person(1), reason="已核验证件")
    assert code_of(site.act("open-checkin", session="S-2")) == "role_wrong"
    assert site.client.get("/scoring/api/S-2").status_code == 200


def test_the_rooms_own_staff_look_and_do_not_act(site: Desk) -> None:
    plan_another(site.desk, "S-2", {}, (SECOND, EXAMINER))
    for who in (SUPERVISOR, TECHNICIAN):
        client, head = site.sign_in(who)
        assert client.get("/console/api/S-2/board").status_code == 200
        assert code_of(client.post("/console/api/S-2/open-checkin", json={}, headers=head)) == "role_wrong"


# ---- once


def test_an_op_id_is_done_once_over_http(site: Desk) -> None:
    site.running(1)
    body = {"op_id": "same-op-0001", "person": site.person(1), "minutes": 5, "reason": "设备故障"}
    first = site.done("add-time", **body)
    assert site.done("add-time", **body)["done"] == first["done"]
    assert site.tile(1)["extra_minutes"] == 5
    assert code_of(site.act("add-time", **(body | {"minutes": 6}))) == "act_reused"
    less = {"minutes": 4, "reason": "时长设错", "op_id": "shorten-0001"}
    reached = site.done("shorten-time", **less)
    assert site.done("shorten-time", **less)["people"] == reached["people"] > 0
    assert code_of(site.act("settle-standstill", outage="o1-1", seconds=0, reason="停电")) == "outage_unknown"
    assert code_of(site.act("set-part-limit", part=99, minutes=5, reason="停电")) == "part_unlimited"
    assert len(ledger.entries(site.db, kinds=("time_added",))) == 1


# ---- two people


def test_two_people_close_where_policy_asks_for_it(tmp_path: Path) -> None:
    site = under(tmp_path, {"two_person": ["close"]})
    site.running(1)
    assert code_of(site.act("close", reason="到时")) == "second_wanted"
    tries = (
        (PROCTOR.badge, PROCTOR.pin, "second_same"),
        (EXAMINER.badge, "000000", "sign_in_wrong"),
        ("NOBODY01", "1", "sign_in_wrong"),
    )
    for badge, pin, code in tries:
        assert code_of(site.act("close", reason="到时", second={"badge": badge, "pin": pin})) == code
    assert sessions.find(site.desk.db, "S-2").state == "running"
    site.done("close", reason="到时", second={"badge": EXAMINER.badge, "pin": EXAMINER.pin})
    entry = ledger.entries(site.desk.db, kinds=("act_confirmed",))[0]
    assert (entry.content["by"], entry.body["first"]) == (EXAMINER.id, PROCTOR.id)
    everything = b"".join(e.entry for e in ledger.entries(site.desk.db))
    assert EXAMINER.pin.encode() not in everything
    site.room.journal.close()
    site.desk.db.close()


# ---- undo


def test_absent_deny_retry_and_admit_are_taken_back(site: Desk) -> None:
    person = site.person(1)
    for act in ("absent", "admit"):
        op = site.done(act, person=person, reason="误操作前")["op_id"]
        site.done("undo", of=op, reason="误操作")
        assert site.state(1) == "expected"
        assert site.tile(1)["seat_code"] is None
        assert code_of(site.act("undo", of=op, reason="误操作")) == "undo_done"
    from edge.store import admissions

    for act in ("deny", "retry"):
        admissions.note(site.db, "waiting", "no_template", session=site.session, person=person)
        op = site.done(act, person=person, reason="再看一次")["op_id"]
        assert site.state(1) == "expected"
        board = site.done("undo", of=op, reason="误操作")["board"]
        assert site.state(1) == "waiting"
        assert [one["reason"] for one in board["waiting"]] == ["no_template"]
    assert len(ledger.entries(site.db, kinds=("act_undone",))) == 4


def test_somebody_marked_absent_who_comes_is_settled_by_the_proctor_alone(site: Desk) -> None:
    person, came = site.person(1), {"session": site.session, "person": site.person(1), "route": "manual"}
    absent = site.done("absent", person=person, reason="没有来")["op_id"]
    for act, after in (("deny", "absent"), ("admit", "admitted"), ("retry", "expected")):
        admissions.note(site.db, "waiting", "marked_absent", **came)
        assert site.state(1) == "absent"
        site.done("undo", of=absent, reason="来了")
        assert site.state(1) == "waiting"
        absent = site.done("absent", person=person, reason="没有来")["op_id"]
        op = site.done(act, person=person, reason="核对过")["op_id"]
        assert site.state(1) == after
        board = site.done("undo", of=op, reason="误操作")["board"]
        assert (site.state(1), [one["reason"] for one in board["waiting"]]) == ("absent", ["marked_absent"])
        assert [one.route for one in checkins.waiting(site.db, site.session)] == ["manual"]
    site.done("deny", person=person, reason="不是本人")
    assert code_of(site.act("deny", person=person, reason="不是本人")) == "not_waiting"
    assert site.state(1) == "absent"


def test_the_second_person_is_not_avoided_by_naming_another_route(tmp_path: Path) -> None:
    """Badge plus proctor is for whom the door sent to the proctor so, and after an act taken back too."""
    site = under(tmp_path, {"two_person": ["admit-manual"]})
    person, case = site.person(1), {"session": "S-2", "person": site.person(1)}
    assert code_of(site.act("admit", person=person, reason="已核验证件")) == "second_wanted"
    assert code_of(site.act("admit", person=person, reason="已核验证件", route="policy")) == "route_not_policy"
    admissions.note(site.db, "waiting", "face_declined", route="manual", **case)
    assert code_of(site.act("admit", person=person, reason="已核验证件", route="policy")) == "route_not_policy"
    assert site.state(1) == "waiting"
    second = {"badge": EXAMINER.badge, "pin": EXAMINER.pin}
    op = site.done("admit", person=person, reason="已核验证件", second=second)["op_id"]
    site.done("undo", of=op, reason="误操作", second=second)
    assert code_of(site.act("admit", person=person, reason="已核验证件", route="policy")) == "route_not_policy"
    admissions.note(site.db, "waiting", "no_template", route="policy", **case)
    for _ in range(2):
        op = site.done("admit", person=person, reason="已核验证件", route="policy")["op_id"]
        assert (site.state(1), site.tile(1)["route"]) == ("admitted", "policy")
        site.done("undo", of=op, reason="误操作", second=second)
    site.room.journal.close()
    site.desk.db.close()


@pytest.mark.parametrize("act", ["deny", "retry"])
def test_of_two_proctors_the_first_word_stands(site: Desk, act: str) -> None:
    """The second had the dialog open already: what it was opened on has been decided."""
    person, came = site.person(1), {"session": site.session, "person": site.person(1)}
    admissions.note(site.db, "waiting", "no_template", **came)
    case = site.client.get(f"/console/api/{site.session}/board").json["waiting"][0]["checkin"]
    site.done(act, person=person, reason="证件不符")
    assert code_of(site.act("admit", person=person, reason="已核验证件", case=case)) == "not_waiting"
    assert site.state(1) == "expected"
    admissions.note(site.db, "waiting", "no_template", **came)
    again = site.client.get(f"/console/api/{site.session}/board").json["waiting"][0]["checkin"]
    assert code_of(site.act("admit", person=person, reason="已核验证件", case=case)) == "not_waiting"
    site.done("admit", person=person, reason="已核验证件", case=again)


def test_the_board_shows_each_attempt_at_the_door_with_score_reason_and_what_can_be_done(site: Desk) -> None:
    db, (who, other) = site.db, [people.candidates(site.db, site.session)[n] for n in (0, 1)]
    facts = {"session": site.session, "person": who.person, "camera": "door"}
    admissions.note(db, "refused", "badge_unknown", score=0.5)  # of no session, so without a date of deletion
    admissions.note(db, "retry", "face_unsure", score=0.5123, **facts)
    admissions.note(db, "refused", "face_other_person", score=0.8765, **facts)
    admissions.note(db, "waiting", "badge_weak", route="manual", session=site.session, person=other.person)
    board = site.client.get(f"/console/api/{site.session}/board").json
    told = [(one["reason"], one["number"], one["score"], one["actions"]) for one in board["checkins"]]
    assert told == [
        ("badge_weak", other.number, None, []),
        ("face_other_person", who.number, 0.88, ["admit"]),
        ("face_unsure", who.number, 0.51, []),
        ("badge_unknown", None, None, []),
    ]
    assert [(one["reason"], one["actions"]) for one in board["waiting"]] == [("badge_weak", ["admit", "retry", "deny"])]
    assert "easily copied" in board["waiting"][0]["sentence"]["en"]
    assert not any("score" in json.dumps(entry.body) for entry in ledger.entries(db))
    assert site.act("admit", person=who.person, reason="证件核验无误").status_code == 200
    assert people.candidate(db, site.session, who.person).route == "manual"
    with transaction(db):
        purge_rows.purge_session(db, site.session)
    assert db.execute("SELECT count(*) FROM checkins WHERE score IS NOT NULL").fetchone()[0] == 0


def test_an_admission_stands_once_a_tablet_has_claimed_the_seat(site: Desk) -> None:
    op = site.done("admit", person=site.person(1), reason="已核验证件")["op_id"]
    site.hand(1)
    assert code_of(site.act("undo", of=op, reason="误操作")) == "undo_tablet_claimed"
    assert site.state(1) == "admitted"


def test_a_withdrawn_admission_is_not_in_the_result(site: Desk) -> None:
    op = site.done("admit", person=site.person(4), reason="已核验证件")["op_id"]
    site.done("undo", of=op, reason="误操作")
    rows = site.db.execute("SELECT outcome FROM checkins WHERE person_id = ?", (site.person(4),)).fetchall()
    assert [row["outcome"] for row in rows] == ["refused"]


def test_a_pause_and_a_hand_in_by_the_room_are_taken_back(site: Desk) -> None:
    site.running(2)
    op = site.done("pause", reason="消防检查")["op_id"]
    assert not site.room.live.running(site.session)
    site.done("undo", of=op, reason="误操作")
    assert site.room.live.running(site.session)
    hand = site.hand(1)
    item = next(i for i, (kind, _) in hand.tablet.sitting.options.items() if kind == "single")
    hand.answer(item, ["A"])
    op = site.done("hand-in", person=site.person(1), reason="离场")["op_id"]
    written.finish_candidates(site.room.live, site.db, site.session)
    assert (site.state(1), site.tile(1)["state"]) == ("finished", "handed_in")
    assert code_of(site.act("hand-in", person=site.person(1), reason="离场")) in ("handed_in_already", "not_admitted")
    site.done("undo", of=op, reason="误操作")
    assert site.state(1) == "admitted"
    hand.tablet = site.room.live.tablet(hand.secret)
    assert hand.answer(item, ["B"], base=1).outcome == "applied"
    assert hand.hand_in().outcome == "applied"


def test_who_is_let_in_again_has_the_full_time_again(tmp_path: Path) -> None:
    site = under(tmp_path, {"late_join": "full-time"})
    site.running(1)
    attempt = sessions.attempts(site.db, "S-2")[site.person(2)].id
    op = site.done("admit", person=site.person(2), reason="已核验证件")["op_id"]
    assert site.room.live.clocks.of(attempt).late_ms is not None
    site.done("undo", of=op, reason="误操作")
    assert site.room.live.clocks.of(attempt).late_ms is None
    site.room.journal.close()
    site.desk.db.close()


def test_a_session_that_asks_for_a_rehearsal_opens_its_door_after_one(tmp_path: Path) -> None:
    desk = make_desk_room(tmp_path)
    plan_another(desk, "S-2", {"rehearsal_hours": 24}, STAFF)
    site = Desk(desk)
    assert code_of(site.act("open-checkin", session="S-2")) == "rehearsal_wanted"
    with transaction(desk.db):
        for papers in ("other papers", None):
            rehearsals.add(desk.db, Held(clock.wall_ms(), 3, __version__, papers, 10, 5000), True, "S-2", {})
    assert code_of(site.act("open-checkin", session="S-2")) == "rehearsal_wanted"
    papers = drawn_from(desk.identity, desk.config.paths.bundles, sessions.find(desk.db, "S-2"))
    with transaction(desk.db):
        rehearsals.add(desk.db, Held(clock.wall_ms(), 3, __version__, papers, 10, 5000), True, "S-2", {})
    assert site.act("open-checkin", session="S-2").status_code == 200
    site.room.journal.close()
    desk.db.close()


def test_a_rehearsal_is_asked_for_once_refused_with_a_sentence_and_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Desk(make_desk_room(tmp_path))
    db, paths, base = site.db, site.desk.config.paths, f"/console/api/{site.session}"

    def ask(path: str = "rehearsal", **body: Any) -> Any:
        sent = {"op_id": uuid.uuid4().hex} | ({} if path.endswith("stop") else {"candidates": 6}) | body
        return site.client.post(f"{base}/{path}", json=sent, headers=site.head)

    def shown() -> Any:
        board = site.client.get(f"{base}/board").json
        assert "rehearse" not in board["services"]
        return board["rehearsal"]

    assert shown() == {"candidates": 6, "hours": 0, "covered": False, "last": None, "now": None}
    assert code_of(ask("rehearsal/stop")) == "rehearsal_not_running"
    assert code_of(ask(candidates=0)) == code_of(ask(candidates=501)) == "body_wrong"
    assert site.client.post(f"{base}/rehearsal", json={"candidates": 6}).status_code == 403, "no token"
    for who, status in ((EXAMINER, 403), (SUPERVISOR, 403), (TECHNICIAN, 200)):
        client, head = site.sign_in(who)
        assert client.post(f"{base}/rehearsal", json={"candidates": 4}, headers=head).status_code == status
    assert asking.withdraw(paths.runtime, site.session)

    # asked again after a lost answer it is the same; asked anew it waits
    op = uuid.uuid4().hex
    for _ in range(2):
        answer = ask(op_id=op)
        assert (answer.status_code, answer.json["rehearsal"]["now"]["state"]) == (200, "asked")
    assert code_of(ask()) == "rehearsal_running"
    waiting = asking.waiting(paths.runtime)
    assert waiting is not None
    assert (waiting.session, waiting.candidates, waiting.by) == (site.session, 6, PROCTOR.id)
    assert (waiting.answers, waiting.pace_ms) == (10, 5000), "enough for a session that asks for one"

    # nobody takes it: said, and it may be asked again or withdrawn
    asking.ask(paths.runtime, waiting.model_copy(update={"mono_ms": clock.mono_ms() - asking.TAKEN_MS}))
    now = shown()["now"]
    assert now["state"] == "untaken" and "examroom-rehearse.path" in now["reasons"][0]["en"]
    assert ask().status_code == 200
    assert ask("rehearsal/stop").json["rehearsal"]["now"] is None
    assert asking.waiting(paths.runtime) is None

    # one that runs, is stopped, has gone
    facts = {"session": site.session, "stage": "seats", "step": 3, "steps": 6, "share": 0.5, "detail": "3/6"}
    write_status(paths.status, "rehearse", state="running", **facts)
    assert (shown()["now"]["state"], shown()["now"]["here"], shown()["now"]["share"]) == ("running", True, 0.5)
    assert code_of(ask()) == "rehearsal_running"
    assert ask("rehearsal/stop").json["rehearsal"]["now"]["state"] == "stopping"
    assert asking.stop_wanted(paths.runtime, os.getpid())
    monkeypatch.setattr(asking, "GONE_MS", 0)
    assert shown()["now"]["state"] == "gone"
    write_status(
        paths.status, "rehearse", state="refused", **facts, reasons=[told("rehearsal_busy", {"session": "S-9"})]
    )
    assert "S-9" in shown()["now"]["reasons"][0]["en"]
    monkeypatch.undo()
    write_status(paths.status, "rehearse", state="running", **facts | {"session": "S-9"})
    assert (shown()["now"]["here"], shown()["now"]["session"]) == (False, "S-9")
    assert code_of(ask("rehearsal/stop")) == "rehearsal_not_running"
    write_status(paths.status, "rehearse", state="done", **facts)
    assert shown()["now"] is None

    # too little disk, a folder that is none, a session that is open
    monkeypatch.setattr(rehearsing, "free_bytes", lambda _folder: 499_999_999)
    refused = ask()
    assert code_of(refused) == "rehearsal_disk" and "499" in refused.json["zh"]
    monkeypatch.undo()
    plan_another(site.desk, "S-2", {}, STAFF)
    assert site.act("open-checkin", session="S-2").status_code == 200
    assert code_of(ask()) == "rehearsal_busy"
    assert code_of(site.client.post("/console/api/S-2/rehearsal", json={"candidates": 3}, headers=site.head)) == (
        "session_state"
    )
    assert site.client.get("/console/api/S-2/board").json["rehearsal"] is None

    asked = ledger.entries(db, session=site.session, kinds=("rehearsal_asked", "rehearsal_stopped"))
    assert [(entry.kind, entry.content["by"]) for entry in asked] == [
        ("rehearsal_asked", TECHNICIAN.id),
        ("rehearsal_asked", PROCTOR.id),
        ("rehearsal_asked", PROCTOR.id),
        ("rehearsal_stopped", PROCTOR.id),
        ("rehearsal_stopped", PROCTOR.id),
    ]
    assert asked[0].body == {"candidates": 4}
    noted = []
    while not site.room.later.empty():
        noted.append(site.room.later.get()(db))
    refusals = [entry.body["reason"] for entry in ledger.entries(db, kinds=("act_refused",))]
    assert {"rehearsal_disk", "rehearsal_busy", "rehearsal_running", "role_wrong"} <= set(refusals) and noted
    site.room.journal.close()
    db.close()


def test_the_last_rehearsal_is_shown_with_what_it_says_of_these_papers(tmp_path: Path) -> None:
    desk = make_desk_room(tmp_path)
    plan_another(desk, "S-2", {"rehearsal_hours": 24}, STAFF)
    site = Desk(desk)

    def shown() -> Any:
        return site.client.get("/console/api/S-2/board").json["rehearsal"]

    assert (shown()["hours"], shown()["covered"], shown()["last"]) == (24, False, None)
    papers = drawn_from(desk.identity, desk.config.paths.bundles, sessions.find(desk.db, "S-2"))
    figures = {"load_p99_ms": 812.4, "p99_ms": 41.7, "handin_p99_ms": None, "reasons": [told("rehearsal_slow", {})]}
    held = Held(clock.wall_ms(), 3, __version__, papers, 10, 5000)
    for one, passed, session in ((held, False, "S-2"), (replace(held, drawn_from="others"), True, "S-2")):
        with transaction(desk.db):
            rehearsals.add(desk.db, one, passed, session, figures)
        last = shown()["last"]
        assert (last["passed"], last["same_papers"]) == (passed, one is held)
        assert last["figures"] == {"load_p99_ms": 812.4, "p99_ms": 41.7, "handin_p99_ms": None}
        assert last["reasons"][0]["reason"] == "rehearsal_slow" and not shown()["covered"]
    with transaction(desk.db):
        rehearsals.add(desk.db, held, True, "S-1", {})  # of another session with the same papers
    assert shown()["covered"] and shown()["last"]["passed"]
    (desk.config.paths.bundles / "bank-1.bundle").unlink()
    assert not shown()["covered"], "a bank that is not there covers nothing"
    site.room.journal.close()
    desk.db.close()


def test_only_the_last_word_on_a_clock_is_taken_back(site: Desk) -> None:
    """A pause that somebody has ended is over: undoing it must not end another's."""
    site.running(2)
    for person in (None, site.person(1)):
        first = site.done("pause", reason="消防检查", person=person)["op_id"]
        site.done("resume", reason="检查完毕", person=person)
        second = site.done("pause", reason="再次检查", person=person)["op_id"]
        assert code_of(site.act("undo", of=first, reason="误操作")) == "undo_moved_on"
        site.done("undo", of=second, reason="误操作")
    assert site.room.live.running(site.session)
    assert not site.tile(1)["paused"]


def test_what_takes_two_to_do_takes_two_to_take_back(tmp_path: Path) -> None:
    site = under(tmp_path, {"two_person": ["resume", "hand-in"]})
    site.running(1)
    two = {"badge": EXAMINER.badge, "pin": EXAMINER.pin}
    pause = site.done("pause", reason="消防检查")["op_id"]
    assert code_of(site.act("undo", of=pause, reason="误操作")) == "second_wanted"
    assert not site.room.live.running("S-2")
    site.done("undo", of=pause, reason="误操作", second=two)
    assert site.room.live.running("S-2")
    done = site.done("hand-in", person=site.person(1), reason="离场", second=two)["op_id"]
    assert code_of(site.act("undo", of=done, reason="误操作")) == "second_wanted"
    site.room.journal.close()
    site.desk.db.close()


def test_a_hand_in_cut_off_between_the_stores_is_finished_by_its_repeat(site: Desk) -> None:
    site.running(2)
    attempt = sessions.attempts(site.db, site.session)[site.person(1)].id
    site.room.live.close_attempt(attempt)  # and then the power goes
    written.finish_candidates(site.room.live, site.db, site.session)
    op = site.done("hand-in", person=site.person(1), reason="离场")["op_id"]
    assert len(ledger.entries(site.db, kinds=("handed_in_by_room",))) == 1
    assert code_of(site.act("hand-in", person=site.person(1), reason="离场")) in ("handed_in_already", "not_admitted")
    site.done("undo", of=op, reason="误操作")
    assert site.state(1) == "admitted"


def test_what_cannot_be_taken_back_says_why(site: Desk) -> None:
    op = site.done("start")["op_id"]
    assert code_of(site.act("undo", of=op, reason="误操作")) == "undo_not_possible"
    assert code_of(site.act("undo", of="nothing-here", reason="误操作")) == "undo_unknown"


def test_every_act_has_its_name_in_the_domain() -> None:
    assert set(ACTS) == acts.ACTS


@pytest.mark.parametrize("act", ACTS)
def test_every_act_has_a_reason(site: Desk, act: str) -> None:
    """An incident is its own; of the others none goes without, and none is done for asking."""
    before = ledger.size(site.db)
    needs = {"minutes": 5, "n": [1], "outage": "x", "of": "nothing-here", "settings": {}, "text": "停电"}
    needs |= {"person": None, "seconds": 60, "part": 0}
    model, _ = ACTS[act]
    body = {name: value for name, value in needs.items() if name in model.model_fields} | {"person": site.person(1)}
    if act == "undo":
        body["of"] = site.done("absent", person=site.person(1), reason="没有来")["op_id"]
        before = ledger.size(site.db)
    if act == "incident":
        assert site.act(act, **body).status_code == 200
        return
    second = {"second": {"badge": EXAMINER.badge, "pin": EXAMINER.pin}} if model.two_persons else {}
    assert code_of(site.act(act, reason=" ", **body, **second)) == "reason_wanted"
    entries = [entry.kind for entry in ledger.entries(site.db)][before:]
    assert set(entries) <= {"act_refused"}


def test_the_reasons_of_the_usual_acts_are_kept_and_their_digests_in_the_ledger(site: Desk) -> None:
    site.running(1)
    site.done("close", reason="时间到")
    for kind in ("checkin_opened", "exam_started", "exam_closed"):
        [entry] = ledger.entries(site.db, session=site.session, kinds=(kind,))
        row = site.db.execute(
            "SELECT text, salt FROM reasons WHERE sha256 = ?", (entry.body["reason_sha256"],)
        ).fetchone()
        assert row["text"] in ("按计划进行", "时间到")
        digest = hashlib.sha256(f"{row['salt']}\n{row['text']}".encode()).hexdigest()
        assert digest == entry.body["reason_sha256"]


# ---- seats


def test_the_board_says_what_is_wrong_at_a_seat(site: Desk) -> None:
    site.running(3)
    assert site.tile(1)["alarms"] == ["no_tablet"]
    tablet = site.app.test_client()
    code = next(c.seat_code for c in people.candidates(site.db, site.session) if c.number == 1)
    assert tablet.post("/exam/api/claim", json={"seat_code": code}).status_code == 200
    assert site.tile(1)["alarms"] == []
    assert site.tile(1)["link"] == "good"
    assert tablet.get("/exam/api/clock?q=3").status_code == 200
    assert (site.tile(1)["queued"], site.tile(1)["alarms"]) == (3, [])  # on their way: no alarm yet
    assert tablet.get("/exam/api/clock?q=nonsense").status_code == 200
    assert site.tile(1)["queued"] == 0
    assert site.app.test_client().post("/exam/api/claim", json={"seat_code": code}).status_code == 409
    assert site.tile(1)["alarms"] == ["second_tablet"]
    attempt = sessions.attempts(site.db, site.session)[site.person(1)].id
    site.room.reports[attempt] = {"queued": 4, "since_ms": clock.wall_ms() - 9_000}
    site.room.seen[attempt] = clock.wall_ms() - 60_000
    assert site.tile(1)["alarms"] == ["tablet_silent", "second_tablet", "answers_waiting"]
    board = site.done("release-tablet", person=site.person(1), reason="平板没电")["board"]
    tile = next(seat for seat in board["seats"] if seat.get("number") == 1)
    assert tile["seat_code"] == code
    assert "second_tablet" not in tile["alarms"]
    site.done("pause", person=site.person(2), reason="身体不适")
    assert "person_paused" in site.tile(2)["alarms"]
    assert "person_paused" not in site.tile(3)["alarms"]


def test_changes_are_small_and_make_the_same_board() -> None:
    seats = [{"seat": f"A{n}", "person": f"p{n}", "answered": 0, "alarms": []} for n in range(200)]
    before: dict[str, Any] = {"now": 1, "made": ["b", 1], "seats": seats, "counts": {"working": 200}, "waiting": []}
    after = before | {
        "now": 2,
        "made": ["b", 2],
        "seats": [seat | {"answered": 1} if n == 7 else seat for n, seat in enumerate(seats)],
    }
    news = difference(before, after)
    assert set(news) == {"now", "made", "tiles"}
    assert len(json.dumps(news)) < 200
    assert difference(before, before | {"now": 3}) == {"now": 3, "made": ["b", 1]}
    gone = before | {"seats": seats[1:]}
    assert difference(before, gone)["seats"] == seats[1:]


def test_the_stream_and_the_answers_say_the_same_in_the_same_order(site: Desk) -> None:
    """The page compares texts: in another order it would draw all seats again, under the finger that has just acted."""
    asked = site.client.get(f"/console/api/{site.session}/board").json
    stream = site.client.get(f"/console/api/{site.session}/events")
    told = json.loads(b"".join(islice(stream.iter_encoded(), 2)).split(b"data: ")[1])
    stream.close()
    times = {"now": 0, "made": 0}
    assert json.dumps(told | times) == json.dumps(asked | times)


def test_everybody_who_looks_shares_one_board(site: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    def counted(*args: Any) -> dict[str, Any]:
        made.append(args)
        return board(*args)

    monkeypatch.setattr(api, "board", counted)
    with monkeypatch.context() as held:
        held.setattr(clock, "mono_ms", lambda: 1_000_000)
        answers = [site.client.get(f"/console/api/{site.session}/events") for _ in range(3)]
        streams = [answer.iter_encoded() for answer in answers]
        whole = [b"".join(islice(stream, 2)) for stream in streams]
        assert len(made) == 1 and len(set(whole)) == 1
    shared = site.room.boards.of(site.session)

    def look() -> dict[str, Any]:
        made.append(())
        return {"made": ["boot", clock.mono_ms()]}

    site.room.live.refresh(site.db)
    first = shared.newest(look)
    assert shared.newest(look) is first and len(made) == 2
    with monkeypatch.context() as later:
        later.setattr(clock, "mono_ms", lambda: due_ms(first))
        assert shared.newest(look) is not first, "what tablets say of themselves is not in the room store"
    del shared
    for one in reversed(answers):  # each holds a context of this thread
        one.close()
    del streams, one, answers
    gc.collect()
    assert site.session not in site.room.boards, "nobody looks, and nothing is held of anybody"


def test_answers_are_counted_of_those_who_gave_some(site: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[list[str]] = []
    count = progress.progress_of

    def progress_of(answers: sqlite3.Connection, attempts: Iterable[str]) -> dict[str, tuple[int, int]]:
        counted.append(list(attempts))
        return count(answers, counted[-1])

    monkeypatch.setattr(progress, "progress_of", progress_of)
    site.running(2)
    hands = [site.hand(number) for number in (1, 2)]
    items = [i for i, (kind, _) in hands[0].tablet.sitting.options.items() if kind == "single"]
    assert site.tile(1)["answered"] == 0
    counted.clear()
    hands[0].answer(items[0], ["A"])
    hands[0].answer(items[1], ["B"])
    assert (site.tile(1)["answered"], site.tile(2)["answered"]) == (2, 0)
    assert site.tile(1)["saved_ms"] is not None
    assert counted == [[hands[0].tablet.binding.attempt]]
    hands[0].answer(items[1], [], base=1)
    assert hands[0].answer(items[1], ["C"], base=0).outcome == "stale"
    assert site.tile(1)["answered"] == 1
    monkeypatch.setattr(tally, "FAR", 0)  # nobody has looked for long
    hands[1].answer(next(i for i, (k, _) in hands[1].tablet.sitting.options.items() if k == "single"), ["A"])
    assert (site.tile(1)["answered"], site.tile(2)["answered"]) == (1, 1)


def test_a_console_left_open_on_signed_results_reads_no_paper_twice(
    site: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.running(1)
    asked = site.tile(1)["of"]
    sessions.set_state(site.db, site.session, "signed")
    site.room.live.refresh(site.db)
    assert (site.tile(1)["of"], site.tile(1)["extra_minutes"]) == (asked, 0)
    monkeypatch.setattr(sessions, "papers_of", None)
    monkeypatch.setattr(sessions, "attempts", None)
    assert site.tile(1)["of"] == asked > 0


# ---- kept answers


def test_a_kept_answer_counts_only_when_the_proctor_says_so(site: Desk) -> None:
    site.running(1)
    hand = site.hand(1)
    item = next(i for i, (kind, _) in hand.tablet.sitting.options.items() if kind == "single")
    hand.answer(item, ["A"])
    assert hand.answer(item, ["C"], base=0).outcome == "stale"
    person = site.person(1)
    kept = site.client.get(f"/console/api/{site.session}/kept/{person}").json["kept"]
    assert [(one["value"], one["stands"], one["accepted"]) for one in kept] == [(["C"], ["A"], False)]
    assert "kept_answers" in site.tile(1)["alarms"]
    assert code_of(site.act("accept-answer", person=person, n=[kept[0]["n"]], reason="")) == "reason_wanted"
    assert code_of(site.act("accept-answer", person=person, n=[999], reason="网络中断")) == "kept_unknown"
    other = site.person(2)
    assert code_of(site.act("accept-answer", person=other, n=[kept[0]["n"]], reason="网络中断")) == "kept_unknown"
    site.done("accept-answer", person=person, n=[kept[0]["n"]], reason="网络中断")
    assert site.room.live.paper(hand.tablet)["responses"][item]["value"] == ["C"]
    kept = site.client.get(f"/console/api/{site.session}/kept/{person}").json["kept"]
    assert kept[0]["accepted"] and kept[0]["stands"] == ["C"]
    assert site.tile(1)["kept"] == 0
    hand.answer(item, ["D"], base=2)  # the candidate's own next answer goes on from there
    assert site.room.live.paper(hand.tablet)["responses"][item]["value"] == ["D"]


def test_a_late_answer_accepted_after_the_close_is_scored(site: Desk) -> None:
    site.running(1)
    hand = site.hand(1)
    bank = open_bank(site.desk.identity, site.desk.config.paths.bundles, sessions.find(site.db, site.session))
    item, right = next((i, v) for i, v in right_letters(hand.tablet, bank).items() if v)
    site.done("close", reason="时间到")
    before = records.tests_of(site.db, site.session)[site.person(1)]
    hand.tablet = site.room.live.tablet(hand.secret)
    assert hand.answer(item, right).outcome == "late"
    kept = site.client.get(f"/console/api/{site.session}/kept/{site.person(1)}").json["kept"]
    site.done("accept-answer", person=site.person(1), n=[kept[0]["n"]], reason="网络中断，时间内作答")
    after = records.tests_of(site.db, site.session)[site.person(1)]
    assert sum(after[t].points or 0 for t in after) > sum(before[t].points or 0 for t in before)
    assert ledger.entries(site.db, kinds=("answer_accepted",))[0].body["scored_again"] is True


def test_all_that_came_late_from_one_candidate_is_accepted_at_once_or_not_at_all(site: Desk) -> None:
    site.running(1)
    hand = site.hand(1)
    items = [i for i, (kind, _) in hand.tablet.sitting.options.items() if kind == "single"][:3]
    site.done("close", reason="时间到")
    hand.tablet = site.room.live.tablet(hand.secret)
    for item in items:
        assert hand.answer(item, ["A"]).outcome == "late"
    person = site.person(1)
    kept = [one["n"] for one in site.client.get(f"/console/api/{site.session}/kept/{person}").json["kept"]]
    refused = site.act("accept-answer", person=person, n=[*sorted(kept), 999], reason="网络中断")
    assert code_of(refused) == "kept_unknown" and site.tile(1)["kept"] == 3
    site.done("accept-answer", person=person, n=sorted(kept), reason="网络中断，时间内作答")
    assert site.tile(1)["kept"] == 0
    entry, *others = ledger.entries(site.db, kinds=("answer_accepted",))
    assert sorted(entry.body["journal"]) == sorted(kept) and not others


def test_a_late_answer_to_a_case_is_scored_too(tmp_path: Path) -> None:
    site = Desk(make_kinds_room(tmp_path))
    site.done("open-checkin")
    site.running(1)
    hand = site.hand(1)
    bank = open_bank(site.desk.identity, site.desk.config.paths.bundles, sessions.find(site.db, site.session))
    item, right = next((i, v) for i, v in right_letters(hand.tablet, bank).items() if "." in i)
    site.done("close", reason="时间到")
    hand.tablet = site.room.live.tablet(hand.secret)
    assert hand.answer(item, right).outcome == "late"
    before = records.tests_of(site.db, site.session)[site.person(1)]["theory"]
    kept = site.client.get(f"/console/api/{site.session}/kept/{site.person(1)}").json["kept"]
    site.done("accept-answer", person=site.person(1), n=[kept[0]["n"]], reason="网络中断，时间内作答")
    after = records.tests_of(site.db, site.session)[site.person(1)]["theory"]
    assert (after.points or 0) > (before.points or 0)
    site.room.journal.close()
    site.db.close()


# ---- practice


def test_practice_weakens_no_lock_out_and_wakes_no_resting_item(site: Desk) -> None:
    """What the newest real session says of wrong PINs holds, and practice papers are not what was last used."""
    site.db.execute(
        "UPDATE sessions SET policy = json_set(policy, '$.lockout', json('{\"tries\": 2, \"minutes\": 30}'))"
    )
    site.db.execute("UPDATE sessions SET planned_ms = planned_ms - 60000")
    used = sessions.recent_items(site.db, "another", 1)
    assert used
    made = site.client.post("/console/api/practice", json={"candidates": 2}, headers=site.head).json["session"]
    assert site.act("open-checkin", session=made).status_code == 200
    assert sessions.recent_items(site.db, "another", 1) == used
    guess = {"badge": EXAMINER.badge, "pin": "000000", "next": ""}
    for _ in range(2):
        site.app.test_client().post("/staff/login", data=guess)
    locked = staff.by_id(site.db, EXAMINER.id)
    assert locked is not None and (locked.locked_until_ms or 0) - clock.wall_ms() > 25 * 60_000


def test_practice_is_never_signed_or_uploaded_and_is_deleted_by_one_act(site: Desk) -> None:
    made = site.client.post("/console/api/practice", json={"op_id": "practice-1", "candidates": 4}, headers=site.head)
    assert made.status_code == 200, made.data
    session = made.json["session"]
    again = site.client.post("/console/api/practice", json={"op_id": "practice-1", "candidates": 4}, headers=site.head)
    assert again.json["session"] == session
    page = site.client.get(f"/console/{session}").get_data(as_text=True)
    assert "practice-band" in page and "练习" in page
    assert "practice-band" not in site.client.get(f"/console/{site.session}").get_data(as_text=True)
    site.session = session
    site.done("open-checkin")
    site.running(2)
    hand = site.hand(1)
    item = next(i for i, (kind, _) in hand.tablet.sitting.options.items() if kind == "single")
    hand.answer(item, ["A"])
    rubric, station = next((s.rubric, s.id) for s in practical.stations(site.db, session).values())
    with transaction(site.db):
        work = practical.add_work(site.db, session, site.person(1), rubric, station)
        practical.put_hold(site.db, work.id, EXAMINER.id, "tablet-1")
    site.done("close", reason="练习结束")
    assert code_of(site.act("sign")) == "practice_not_signed"
    assert outbox.counts(site.db) == {"waiting": 0, "receipted": 0, "refused": 0}
    assert records.results_of(site.db, session) == []
    assert site.client.get(f"/console/{session}/forms/results").status_code == 200
    assert site.done("delete-practice")["deleted"] == session
    left = {
        table["name"]
        for table in site.db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for column in site.db.execute(f"PRAGMA table_info({table['name']})").fetchall()
        if column["name"] == "session_id"
        and table["name"] not in ("ledger", "acts")
        and site.db.execute(f"SELECT 1 FROM {table['name']} WHERE session_id = ?", (session,)).fetchone()  # noqa: S608
    }
    assert left == set()
    assert site.db.execute("SELECT count(*) FROM score_holds").fetchone()[0] == 0
    assert not [c for c in people.candidates(site.db, session)]
    ledger.check(site.db)


def test_a_real_session_is_not_deleted(site: Desk) -> None:
    assert code_of(site.act("delete-practice")) == "not_practice"
    assert sessions.find(site.db, site.session).state == "checkin"


def test_a_practice_session_goes_on_its_date_though_it_was_never_signed(site: Desk) -> None:
    made = site.client.post("/console/api/practice", json={"candidates": 2}, headers=site.head).json["session"]
    with transaction(site.db):
        sessions.set_state(site.db, made, "closed")
        sessions.set_state(site.db, site.session, "closed")
    assert purge_rows.may_purge(site.db, made, True)
    assert not purge_rows.may_purge(site.db, site.session, True)


# ---- forms


def test_every_form_prints_and_hides_what_it_need_not_show(site: Desk) -> None:
    site.running(2)
    site.done("incident", kind="power", text="停电三分钟" * 300, seat="A1")
    everyone = people.candidates(site.db, site.session)
    for name in ("seats", "sign-in-blank", "sign-in", "answer-sheets", "score-sheets", "incident-blank", "incidents"):
        answer = site.client.get(f"/console/{site.session}/forms/{name}")
        assert answer.status_code == 200, name
        page = answer.get_data(as_text=True)
        pages = page.count('class="sheet ')
        assert f"第 {pages} 页，共 {pages} 页" in page
        for who in everyone:
            assert who.document_number not in page
            assert who.badge is None or who.badge not in page
            assert who.seat_code is None or who.seat_code not in page
    assert site.client.get(f"/console/{site.session}/forms/results").status_code == 409
    assert site.client.get(f"/console/{site.session}/forms/nothing").status_code == 404
    english = site.client.get(f"/console/{site.session}/forms/sign-in?lang=en").get_data(as_text=True)
    assert "Sign-in sheet" in english and "Page 1 of 1" in english


# ---- the end


def test_safe_to_unplug_only_when_it_is_so(site: Desk) -> None:
    def missing() -> list[str]:
        answer = site.client.get("/console/api/safe-to-unplug").json
        assert answer["safe"] is (not answer["missing"])
        return [one["code"] for one in answer["missing"]]

    site.running(1)
    hand = site.hand(1)
    item = next(i for i, (kind, _) in hand.tablet.sitting.options.items() if kind == "single")
    hand.answer(item, ["A"])
    assert missing() == ["unplug_session_open", "unplug_ledger_behind"]
    site.done("close", reason="时间到")
    written.ledger_digests(site.room.journal, site.db)
    assert missing() == ["unplug_unsigned"]
    with transaction(site.db):
        site.db.execute(WITHOUT_PRACTICAL)
    site.done("sign")
    while not site.room.later.empty():
        site.room.later.get()(site.db)
    assert missing() == []
    for file in (site.desk.config.paths.results / site.session).glob("*.json"):
        file.unlink()
        break
    assert missing() == ["unplug_files_missing"]
    answer = site.client.get("/console/api/safe-to-unplug").json
    assert answer["gateway"] is False


def test_results_without_receipts_are_not_safe(tmp_path: Path) -> None:
    desk = make_desk_room(tmp_path, gateway={"url": "https://gateway.example"}, camera={"door": {"backend": "file"}})
    site = Desk(desk)
    site.done("open-checkin")
    site.running(1)
    site.done("close", reason="时间到")
    with transaction(desk.db):
        desk.db.execute(WITHOUT_PRACTICAL)
    site.done("sign")
    written.ledger_digests(site.room.journal, desk.db)
    while not site.room.later.empty():
        site.room.later.get()(desk.db)
    codes = [one["code"] for one in site.client.get("/console/api/safe-to-unplug").json["missing"]]
    assert codes == ["unplug_uploads_waiting"]
    with transaction(desk.db):
        for one in outbox.after(desk.db, (0, 0), 100):
            outbox.receipted(desk.db, one.epoch, one.seq, b"receipt")
    assert site.client.get("/console/api/safe-to-unplug").json["safe"] is True
    folder = desk.config.paths.recordings / "door"
    folder.mkdir(parents=True)
    (folder / f"{'a' * 32}-000001.mp4").write_bytes(b"x")
    codes = [one["code"] for one in site.client.get("/console/api/safe-to-unplug").json["missing"]]
    assert codes == ["unplug_footage_unindexed"]
    site.room.journal.close()
    desk.db.close()


def test_a_session_is_closed_from_the_command_line_only_while_web_is_stopped(tmp_path: Path) -> None:
    desk = make_desk_room(tmp_path)
    site = Desk(desk)
    site.done("open-checkin")
    site.running(1)
    hand = site.hand(1)
    item = next(i for i, (kind, _) in hand.tablet.sitting.options.items() if kind == "single")
    hand.answer(item, ["A"])
    config = str(write_config(desk.config, tmp_path))
    words = ["--config", config, "session", "close", desk.session, "--reason", "停电后收场", "--badge", PROCTOR.badge]
    runner = CliRunner()
    busy = runner.invoke(main, [*words, "--pin", PROCTOR.pin])
    assert busy.exit_code == 1 and "web" in busy.output
    site.room.journal.close()
    wrong = runner.invoke(main, [*words, "--pin", "000000"])
    assert wrong.exit_code == 1 and sessions.find(desk.db, desk.session).state == "running"
    examiner = [*words[:-1], EXAMINER.badge, "--pin", EXAMINER.pin]
    assert runner.invoke(main, examiner).exit_code == 1
    done = runner.invoke(main, [*words, "--pin", PROCTOR.pin])
    assert done.exit_code == 0, done.output
    assert sessions.find(desk.db, desk.session).state == "closed"
    assert ledger.entries(desk.db, kinds=("exam_closed",))[0].content["by"] == PROCTOR.id
    answers = connect(desk.config.paths.answers_db)
    assert answers.execute("SELECT count(*) FROM digests WHERE ledger_seq IS NULL").fetchone()[0] == 0
    answers.close()
    unsafe = runner.invoke(main, ["--config", config, "session", "unplug", "--json"])
    assert unsafe.exit_code == 1
    assert [one["code"] for one in json.loads(unsafe.output)["missing"]] == ["unplug_unsigned"]
    made = runner.invoke(main, ["--config", config, "session", "practice", "--candidates", "3", "--json"])
    assert made.exit_code == 0, made.output
    assert sessions.find(desk.db, json.loads(made.output)["session"]).practice
    desk.db.close()
