"""Who gets in, with real pictures and the real face pack; each refusal with its own sentence and ledger entry."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import cv2
import numpy as np
import pytest

from edge import clock
from edge.checkin.templates import context
from edge.checkin.visit import badge_facts, holder
from edge.demo.people import ASTRONAUT, HOPPER, badge_of, portrait_file
from edge.domain import consents
from edge.domain.admission import Decision, decide_badge
from edge.domain.badges import Strength
from edge.domain.consents import ONE_TO_ONE
from edge.domain.reasons import sentence
from edge.domain.sight import BLACK, COVERED, DOUBLED, FROZEN
from edge.errors import BadInput
from edge.exam import conduct, consent
from edge.exam import doorway as doorway_acts
from edge.hardware.badge import ReaderState, Tap
from edge.hardware.panel import Pattern
from edge.store import admissions, checkins, faces, ledger, people, sessions
from edge.store.db import transaction
from edge.store.status import write_status
from edge.trust.signer import Ed25519Signer
from edge.trust.ticket import Ticket, TicketTrust, issue
from edge.vision.face_pack import FacePack
from edge.vision.template import to_bytes
from support.rooms import make_desk_room

from .conftest import Doorway, portrait, wall


def last_checkin(doorway: Doorway) -> dict[str, object]:
    return ledger.entries(doorway.desk.db, kinds=("checkin",))[-1].body


def test_the_right_person_enters_by_face(doorway: Doorway) -> None:
    doorway.tap(HOPPER)
    assert doorway.kiosk.state == "look"
    shown = doorway.look(portrait("hopper"))
    assert shown.state == "welcome"
    who = doorway.who(HOPPER)
    assert (who.state, who.route) == ("admitted", "face")
    assert shown.facts["seat_code"] == who.seat_code
    assert len(who.seat_code or "") == 6
    assert last_checkin(doorway)["reason"] == "face_matched"


def test_another_person_with_that_badge_is_refused_with_a_sentence(doorway: Doorway) -> None:
    doorway.tap(HOPPER)
    shown = doorway.look(portrait("astronaut"))
    assert (shown.state, shown.reason) == ("refused", "face_other_person")
    assert doorway.who(HOPPER).state == "expected"
    assert last_checkin(doorway) == {"outcome": "refused", "route": None, "reason": "face_other_person"}
    assert "卡" in sentence(shown.reason, "zh")
    assert checkins.recent(doorway.desk.db, doorway.desk.session)[0].reason == "face_other_person"


def test_swapped_templates_swap_the_decisions(doorway: Doorway, pack: FacePack) -> None:
    key = doorway.desk.identity.keys.data
    one, other = doorway.who(HOPPER).person, doorway.who(ASTRONAUT).person
    plain = {
        person: key.decrypt(
            people.template(doorway.desk.db, person, pack.name, pack.version) or b"", context(person, pack)
        )
        for person in (one, other)
    }
    with transaction(doorway.desk.db) as db:
        for person, source in ((one, other), (other, one)):
            people.set_template(db, person, pack.name, pack.version, key.encrypt(plain[source], context(person, pack)))
    doorway.tap(HOPPER)
    assert doorway.look(portrait("hopper")).reason == "face_other_person"
    doorway.tap(HOPPER)
    assert doorway.look(portrait("astronaut")).state == "welcome"


def test_a_template_moved_to_another_row_does_not_open(doorway: Doorway, pack: FacePack) -> None:
    one, other = doorway.who(HOPPER).person, doorway.who(ASTRONAUT).person
    stolen = people.template(doorway.desk.db, other, pack.name, pack.version)
    assert stolen is not None
    with transaction(doorway.desk.db) as db:
        people.set_template(db, one, pack.name, pack.version, stolen)
    doorway.tap(HOPPER)
    assert (doorway.kiosk.state, doorway.kiosk.reason) == ("see_proctor", "template_unreadable")
    assert doorway.who(HOPPER).state == "waiting"


def test_a_random_template_is_refused(doorway: Doorway, pack: FacePack) -> None:
    key, person = doorway.desk.identity.keys.data, doorway.who(HOPPER).person
    noise = np.random.default_rng(3).normal(0, 0.15, 128).astype(np.float32)
    with transaction(doorway.desk.db) as db:
        people.set_template(db, person, pack.name, pack.version, key.encrypt(to_bytes(noise), context(person, pack)))
    doorway.tap(HOPPER)
    assert doorway.look(portrait("hopper")).reason == "face_other_person"


def test_an_empty_picture_asks_again_then_sends_to_the_proctor(doorway: Doorway) -> None:
    doorway.tap(HOPPER)
    assert doorway.look(wall(), steps=3).reason == "face_none"
    assert doorway.who(HOPPER).state == "expected"
    for _ in range(2):
        time.sleep(0.65)
        doorway.look(wall(), steps=2)
    assert doorway.kiosk.reason == "face_unsure_proctor"
    assert doorway.who(HOPPER).state == "waiting"


@pytest.mark.parametrize("error", [BadInput("template_invalid"), RuntimeError("of a library")])
def test_a_frame_that_breaks_a_library_costs_nobody_their_visit(
    doorway: Doorway, pack: FacePack, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def broken(*_: object) -> NoReturn:
        raise error

    doorway.tap(HOPPER)
    with monkeypatch.context() as patch:
        patch.setattr(pack, "embed", broken)
        assert doorway.look(portrait("hopper"), steps=3).state == "look"
    assert doorway.look(portrait("hopper")).state == "welcome"


@pytest.mark.parametrize(
    ("scene", "why"),
    [("both", "face_several"), ("beside", "face_outside"), ("dark", "face_dark"), ("wall", "face_none")],
)
def test_what_stood_in_the_way_is_what_log_and_board_say(doorway: Doorway, scene: str, why: str) -> None:
    both = np.concatenate([portrait("hopper")[:, 130:510], portrait("astronaut")[:, 130:510]], axis=1)
    dark = (portrait("hopper") * 0.1).astype(np.uint8)
    beside = np.roll(portrait("hopper"), 220, axis=1)
    picture = {"both": both, "beside": beside, "dark": dark, "wall": wall()}[scene]
    doorway.tap(HOPPER)
    for _ in range(2):
        doorway.look(picture, steps=2)
        time.sleep(0.65)
        doorway.door.step(0)
    assert (doorway.kiosk.state, doorway.kiosk.reason) == ("see_proctor", "face_unsure_proctor")
    assert [entry.body["reason"] for entry in ledger.entries(doorway.desk.db, kinds=("checkin",))] == [why, why]
    waiting = checkins.waiting(doorway.desk.db, doorway.desk.session)
    assert [(one.person, one.reason, one.route) for one in waiting] == [(doorway.who(HOPPER).person, why, "manual")]


def test_two_people_in_view_are_asked_to_come_one_at_a_time(doorway: Doorway) -> None:
    both = np.concatenate([portrait("hopper")[:, 130:510], portrait("astronaut")[:, 130:510]], axis=1)
    doorway.tap(HOPPER)
    assert doorway.look(both, steps=4).reason == "face_several"
    assert doorway.who(HOPPER).state == "expected"


def test_who_stands_beside_the_zone_is_asked_into_the_middle(doorway: Doorway) -> None:
    doorway.tap(HOPPER)
    beside = np.roll(portrait("hopper"), 220, axis=1)
    assert doorway.look(beside, steps=2).reason == "face_outside"
    assert doorway.who(HOPPER).state == "expected"
    assert doorway.look(portrait("hopper")).state == "welcome"


def test_no_camera_sends_to_the_proctor(doorway: Doorway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.checkin.eye.BLIND_SECONDS", 0.1)
    doorway.tap(HOPPER)
    time.sleep(0.15)
    doorway.door.step(0)
    assert doorway.kiosk.reason == "camera_blind"


def test_a_camera_that_repeats_its_last_picture_speaks_for_nobody(
    doorway: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person in it has gone: neither may their badge open the door, nor is the next refused for their face."""
    monkeypatch.setattr("edge.checkin.eye.BLIND_SECONDS", 0.1)
    doorway.show(portrait("hopper"), noise=False)
    for badge in (HOPPER, ASTRONAUT):
        doorway.tap(badge)
        said = set()
        for wait in (0, 0, 0, 0, 0, 0.11):
            doorway.show(portrait("hopper"), noise=False)
            time.sleep(wait)
            doorway.door.step(0)
            said.add((doorway.kiosk.state, doorway.kiosk.reason))
        assert said <= {("look", "look_here"), ("see_proctor", "camera_blind"), ("ready", "kiosk_ready")}
        assert ("see_proctor", "camera_blind") in said
        assert doorway.who(badge).state == "waiting"


def test_a_camera_that_stops_during_the_look_gives_one_picture_and_no_more(doorway: Doorway) -> None:
    doorway.tap(HOPPER)
    for _ in range(6):
        doorway.show(portrait("hopper"), noise=False)
        doorway.door.step(0)
    assert (doorway.kiosk.state, doorway.who(HOPPER).state) == ("look", "expected")
    assert doorway.look(portrait("hopper")).state == "welcome"


SIGHTS = [
    (FROZEN, 0, "camera_blind"),
    (BLACK, 0, "camera_blind"),
    (COVERED, 0, "camera_blind"),
    (None, 0, "welcome"),
    (DOUBLED, 0, "welcome"),
    (FROZEN, 60_000, "welcome"),
]


@pytest.mark.parametrize(("sight", "age_ms", "ends"), SIGHTS)
def test_a_camera_that_sees_nothing_new_sends_to_the_proctor(
    doorway: Doorway, monkeypatch: pytest.MonkeyPatch, sight: str | None, age_ms: int, ends: str
) -> None:
    """A coder makes small differences of copies: what the camera's process says of its sight counts."""
    monkeypatch.setattr("edge.checkin.eye.BLIND_SECONDS", 0.1)
    at_ms = clock.mono_ms() - age_ms
    write_status(doorway.desk.config.paths.status, "camera-door", sight=sight, mono_ms=at_ms)
    doorway.tap(HOPPER)
    time.sleep(0.11)
    assert doorway.look(portrait("hopper")).reason == ends
    assert doorway.who(HOPPER).state == ("admitted" if ends == "welcome" else "waiting")


def test_a_picture_from_before_the_tap_is_not_looked_at(doorway: Doorway) -> None:
    for _ in range(4):
        doorway.show(portrait("hopper"))
    time.sleep(0.01)
    doorway.tap(HOPPER)
    for _ in range(4):
        doorway.door.step(0)
    assert doorway.kiosk.state == "look"


def touch(doorway: Doorway, act: str) -> None:
    with transaction(doorway.desk.db) as db:
        checkins.ask(db, act, doorway.kiosk.v)
    doorway.door.step(0)


def test_declining_leads_to_the_proctor_and_deletes_face_data_once_they_know_who_it_was(
    doorway: Doorway, pack: FacePack
) -> None:
    doorway.tap(ASTRONAUT)
    touch(doorway, "decline")
    assert (doorway.kiosk.state, doorway.kiosk.reason) == ("see_proctor", "face_declined")
    person = doorway.who(ASTRONAUT).person
    assert people.consent(doorway.desk.db, person, ONE_TO_ONE) is False
    assert people.template(doorway.desk.db, person, pack.name, pack.version) is not None  # whoever holds a badge may
    waiting = checkins.waiting(doorway.desk.db, doorway.desk.session)
    assert [w.person for w in waiting] == [person]
    doorway.tap(ASTRONAUT)
    assert doorway.kiosk.reason == "face_declined"
    admissions.admit(
        doorway.desk.db, doorway.desk.session, person, route="manual", reason="admitted_manual", by="P-001"
    )
    assert people.template(doorway.desk.db, person, pack.name, pack.version) is None
    assert people.photo(doorway.desk.db, person) is None
    assert [e.subject for e in ledger.entries(doorway.desk.db, kinds=("face_data_deleted",))] == [person]


def test_every_other_tap_has_its_own_sentence(doorway: Doorway) -> None:
    doorway.tap(3)
    assert doorway.kiosk.reason == "no_template"
    doorway.tap_badge("ZZZZ9999")
    assert doorway.kiosk.reason == "badge_unknown"
    doorway.tap(HOPPER)
    assert doorway.look(portrait("hopper")).state == "welcome"
    doorway.tap(HOPPER)
    assert doorway.kiosk.reason == "already_admitted"
    assert "座位码" in sentence("already_admitted", "zh", **doorway.kiosk.facts)
    assert "seat code" in sentence("already_admitted", "en", **doorway.kiosk.facts)
    with transaction(doorway.desk.db) as db:
        people.set_state(db, doorway.desk.session, doorway.who(HOPPER).person, "finished")
    doorway.tap(HOPPER)
    assert doorway.kiosk.reason == "already_finished"
    reasons = {entry.body["reason"] for entry in ledger.entries(doorway.desk.db, kinds=("checkin",))}
    assert {"no_template", "badge_unknown", "already_admitted", "already_finished"} <= reasons


def test_who_was_marked_absent_sees_the_proctor_at_every_tap(doorway: Doorway) -> None:
    conduct.mark_absent(doorway.desk.db, doorway.desk.session, doorway.who(HOPPER).person, "没有来", "P-001")
    for _ in range(2):
        doorway.tap(HOPPER)
        assert doorway.look(portrait("hopper")).reason == "marked_absent"
        assert doorway.who(HOPPER).state == "absent"
    waiting = checkins.waiting(doorway.desk.db, doorway.desk.session)
    assert [(one.person, one.reason) for one in waiting] == [(doorway.who(HOPPER).person, "marked_absent")]


def test_who_is_marked_absent_during_the_look_does_not_enter_by_face(doorway: Doorway) -> None:
    db, session, who = doorway.desk.db, doorway.desk.session, doorway.who(HOPPER)
    doorway.tap(HOPPER)
    doorway.show(portrait("hopper"))
    doorway.door.step(0)
    conduct.mark_absent(db, session, who.person, "没有来", "P-001")
    assert doorway.look(portrait("hopper")).reason == "marked_absent"
    assert doorway.who(HOPPER).state == "absent"
    doorway.door._settle(who, Decision("admitted", "face_matched", "face"))  # or between decision and admission
    assert (doorway.kiosk.reason, doorway.who(HOPPER).state) == ("marked_absent", "absent")
    admissions.admit(db, session, who.person, route="manual", reason="admitted_manual", by="P-001")
    assert doorway.who(HOPPER).state == "admitted"


@pytest.mark.parametrize("asked", [False, True])
def test_who_is_let_in_at_the_table_takes_the_kiosk_from_nobody(doorway: Doorway, asked: bool) -> None:
    db, session, other = doorway.desk.db, doorway.desk.session, doorway.who(3).person
    if asked:
        with transaction(db):
            db.execute("DELETE FROM consents WHERE person_id = ?", (doorway.who(HOPPER).person,))
    doorway.tap(HOPPER)
    before = doorway.kiosk
    assert before.state == ("consent" if asked else "look")
    code = doorway_acts.admit(db, session, other, "manual", "已核验证件", "P-001").seat_code
    assert code is not None and doorway.kiosk == before
    with transaction(db):  # whoever else takes the kiosk, it is theirs again at the next step
        checkins.show(db, "welcome", "admitted_manual", {"seat": "A1", "seat_code": code})
    doorway.door.step(0)
    assert (doorway.kiosk.state, doorway.kiosk.v) == (before.state, before.v)
    assert doorway.kiosk.facts == before.facts
    if asked:
        touch(doorway, "consent")
    assert doorway.look(portrait("hopper")).state == "welcome"
    assert doorway.kiosk.facts["seat_code"] == doorway.who(HOPPER).seat_code


@pytest.mark.parametrize("asked", [False, True])
def test_who_is_let_in_at_the_table_while_their_badge_is_at_the_door_sees_it_there(
    doorway: Doorway, asked: bool
) -> None:
    db, session, who = doorway.desk.db, doorway.desk.session, doorway.who(HOPPER)
    if asked:
        with transaction(db):
            db.execute("DELETE FROM consents WHERE person_id = ?", (who.person,))
    doorway.tap(HOPPER)
    code = doorway_acts.admit(db, session, who.person, "manual", "已核验证件", "P-001").seat_code
    for _ in range(2):
        assert (doorway.kiosk.state, doorway.kiosk.facts["seat_code"]) == ("welcome", code)
        doorway.door.step(0)
    time.sleep(0.11)
    doorway.door.step(0)
    assert doorway.kiosk.state == "ready"
    doorway.tap(ASTRONAUT)
    people.admit(db, session, doorway.who(ASTRONAUT).person, "manual")  # by whatever shows nothing
    doorway.door.step(0)
    assert (doorway.kiosk.state, doorway.kiosk.reason) == ("refused", "already_admitted")


@pytest.mark.parametrize("asked", [False, True])
def test_nobody_is_asked_or_looked_at_for_a_session_that_is_over(doorway: Doorway, asked: bool) -> None:
    db, person = doorway.desk.db, doorway.who(HOPPER).person
    if asked:
        with transaction(db):
            db.execute("DELETE FROM consents WHERE person_id = ?", (person,))
    doorway.tap(HOPPER)
    with transaction(db):
        sessions.set_state(db, doorway.desk.session, "closed")
        if asked:
            checkins.ask(db, "consent", doorway.kiosk.v)
    doorway.door.step(0)
    assert (doorway.kiosk.state, doorway.kiosk.reason) == ("refused", "checkin_closed")
    assert people.consent(db, person, ONE_TO_ONE) is (None if asked else True)
    assert checkins.pending_acts(db) == []


@pytest.mark.parametrize("act", [doorway_acts.deny, doorway_acts.retry])
@pytest.mark.parametrize("asked", [False, True])
def test_a_proctors_no_during_the_look_stands(doorway: Doorway, act: Callable[..., None], asked: bool) -> None:
    db, session, who = doorway.desk.db, doorway.desk.session, doorway.who(HOPPER)
    admissions.note(db, "waiting", "face_unsure_proctor", session=session, person=who.person, route="manual")
    act(db, session, who.person, "不是本人", "P-001")
    if asked:
        with transaction(db):
            db.execute("DELETE FROM consents WHERE person_id = ?", (who.person,))
    doorway.tap(HOPPER)  # they may tap again, and what was decided before is over
    admissions.note(db, "waiting", "face_unsure_proctor", session=session, person=who.person, route="manual")
    if asked:
        touch(doorway, "consent")
    assert doorway.kiosk.state == "look"
    act(db, session, who.person, "不是本人", "P-001")
    shown = doorway.look(portrait("hopper"))
    assert (shown.state, shown.reason) == ("see_proctor", "visit_overruled")
    assert (doorway.who(HOPPER).state, last_checkin(doorway)["reason"]) == ("expected", "visit_overruled")
    doorway.tap(HOPPER)
    assert doorway.look(portrait("hopper")).state == "welcome"


def test_a_denial_between_decision_and_admission_admits_nobody(doorway: Doorway) -> None:
    db, session, who = doorway.desk.db, doorway.desk.session, doorway.who(HOPPER)
    doorway.tap(HOPPER)
    admissions.note(db, "waiting", "face_unsure_proctor", session=session, person=who.person, route="manual")
    admissions.deny(db, session, who.person, "不是本人", "P-001")
    doorway.door._settle(who, Decision("admitted", "face_matched", "face"))
    assert (doorway.kiosk.reason, doorway.who(HOPPER).state) == ("visit_overruled", "waiting")


@pytest.mark.parametrize(
    ("state", "now", "told"),
    [
        ("finished", None, "already_finished"),
        ("finished", "running", "already_finished"),
        ("finished", "planned", "checkin_closed"),
        ("absent", None, "checkin_closed"),
        ("absent", "running", "badge_other_session"),
    ],
)
@pytest.mark.parametrize("over", ["closed", "signed"])
def test_who_handed_in_is_told_so_also_when_the_session_is_over(
    tmp_path: Path, over: str, state: str, now: str | None, told: str
) -> None:
    """`now`: the state of another session, which has them on its roster where it has yet to come."""
    desk = make_desk_room(tmp_path)
    with transaction(desk.db) as db:
        who = next(c for c in people.candidates(db, "S-1") if c.number == HOPPER)
        people.set_state(db, "S-1", who.person, state)
        sessions.set_state(db, "S-1", over)
        if now is not None:
            second_session(db, now)
        if now == "planned":
            people.add_candidate(db, "S-2", who.person, 99, who.badge, None)
    found, anywhere = holder(desk.db, who.badge or "")
    assert decide_badge(badge_facts(desk.db, None, found, anywhere)).reason == told
    desk.db.close()


def second_session(db: sqlite3.Connection, state: str) -> None:
    """S-2, planned for an hour after S-1."""
    db.execute(
        "INSERT INTO sessions (id, class_id, room_id, title, state, planned_ms, minutes, policy, blueprint,"
        " rubric, bank_file, bank_id, bank_version, purge_ms) SELECT 'S-2', class_id, room_id, title, ?,"
        " planned_ms + 3600000, minutes, policy, blueprint, rubric, bank_file, bank_id, bank_version, purge_ms"
        " FROM sessions WHERE id = 'S-1'",
        (state,),
    )


@pytest.mark.parametrize(
    ("first", "then", "here", "there", "told"),
    [
        ("running", "checkin", "finished", "expected", "S-2"),
        ("running", "checkin", "expected", "expected", "S-2"),
        ("checkin", "running", "expected", "finished", "S-1"),
        ("running", "running", "finished", "expected", "S-2"),
        ("running", "checkin", "expected", "admitted", "S-2"),
        ("checkin", "checkin", "expected", "expected", "S-1"),
    ],
)
def test_of_two_sessions_a_badge_is_for_the_one_that_checks_in(
    tmp_path: Path, first: str, then: str, here: str, there: str, told: str
) -> None:
    desk = make_desk_room(tmp_path)
    with transaction(desk.db) as db:
        second_session(db, then)
        sessions.set_state(db, "S-1", first)
        who = next(c for c in people.candidates(db, "S-1") if c.number == HOPPER)
        people.add_candidate(db, "S-2", who.person, 99, who.badge, None)
        people.set_state(db, "S-1", who.person, here)
        people.set_state(db, "S-2", who.person, there)
    found, anywhere = holder(desk.db, who.badge or "")
    assert anywhere and found is not None and found.session == told
    desk.db.close()


def test_a_badge_of_another_session_is_said_to_be_one(doorway: Doorway) -> None:
    with transaction(doorway.desk.db) as db:
        person, _ = people.add_person(db, "别场考生", "resident-id", "9999990000000000")
        second_session(db, "planned")
        people.add_candidate(db, "S-2", person, 1, "OTHER001", None)
    doorway.tap_badge("OTHER001")
    assert doorway.kiosk.reason == "badge_other_session"


def test_who_taps_before_their_photograph_was_looked_at_does_not_wait_for_that(
    doorway: Doorway, pack: FacePack
) -> None:
    db, key, who = doorway.desk.db, doorway.desk.identity.keys.data, doorway.who(HOPPER)
    photograph = portrait_file("hopper").read_bytes()
    with transaction(db):
        faces.delete_faces(db, [who.person])
        people.set_photo(db, who.person, key.encrypt(photograph, who.person.encode()))
    before = faces.deletions(db)
    doorway.tap(HOPPER)
    assert doorway.kiosk.state == "look"
    assert people.photo(db, who.person) is None
    assert faces.deletions(db) == before + 1  # it leaves the log and the second medium too
    assert doorway.look(portrait("hopper")).state == "welcome"


def test_a_photograph_that_makes_no_template_sends_to_the_proctor(doorway: Doorway) -> None:
    db, key, who = doorway.desk.db, doorway.desk.identity.keys.data, doorway.who(HOPPER)
    with transaction(db):
        faces.delete_faces(db, [who.person])
        people.set_photo(db, who.person, key.encrypt(b"no picture", who.person.encode()))
    doorway.tap(HOPPER)
    assert (doorway.kiosk.state, doorway.kiosk.reason) == ("see_proctor", "no_template")
    assert people.photo(db, who.person) is None


def test_photographs_become_templates_and_go(doorway: Doorway, pack: FacePack) -> None:
    for number in (HOPPER, ASTRONAUT):
        person = doorway.who(number).person
        assert people.photo(doorway.desk.db, person) is None
        sealed = people.template(doorway.desk.db, person, pack.name, pack.version)
        assert sealed is not None and len(sealed) > 512
    assert len(ledger.entries(doorway.desk.db, kinds=("enrolled_face",))) == 2


def test_one_reader_of_several_that_is_lost_is_told_while_the_others_read(
    doorway: Doorway, monkeypatch: pytest.MonkeyPatch
) -> None:
    lamp: list[Pattern] = []
    monkeypatch.setattr(doorway.door._sign._panel, "show", lamp.append)

    def rests(state: ReaderState) -> tuple[str, str]:
        doorway.reader.is_now = state
        doorway.door._enrol_due = 0.0
        doorway.door.step(0)
        return doorway.kiosk.state, doorway.kiosk.reason

    assert rests(ReaderState(True)) == ("ready", "kiosk_ready")
    assert rests(ReaderState(True, "reader_starting")) == ("ready", "kiosk_ready")
    assert lamp == [Pattern.READY]
    assert rests(ReaderState(True, "reader_lost")) == ("ready", "kiosk_ready_partly")
    assert lamp == [Pattern.READY, Pattern.FAULT]
    doorway.tap(HOPPER)  # by another reader
    assert doorway.look(portrait("hopper")).state == "welcome"
    time.sleep(0.11)
    assert rests(ReaderState(True, "reader_lost")) == ("ready", "kiosk_ready_partly")
    assert lamp[-2:] == [Pattern.WELCOME, Pattern.FAULT]
    assert rests(ReaderState(True)) == ("ready", "kiosk_ready")
    assert lamp[-1] == Pattern.READY
    assert rests(ReaderState(False, "reader_lost")) == ("fault", "reader_lost")


def test_a_ticket_that_hangs_in_the_picture_disturbs_nobodys_look(doorway: Doorway) -> None:
    paths, session = doorway.desk.config.paths, doorway.desk.session
    root = Ed25519Signer.load(paths.keys / "root.key")
    doorway.door._tickets = TicketTrust(paths.trust, [root.public])

    def show_ticket(ticket: str) -> None:
        doorway.reader.taps.append(Tap(None, None, clock.mono_ms(), "signed", ticket=ticket))
        doorway.door.step(0)

    good = issue(Ticket(session, HOPPER, 2**45), root)
    show_ticket(good)
    visit = doorway.kiosk.facts["visit"]
    for shown_again in (good, good[:-1] + "0", issue(Ticket(session, HOPPER, 1), root)):
        show_ticket(shown_again)
        assert (doorway.kiosk.state, doorway.kiosk.facts["visit"]) == ("look", visit)
    assert last_checkin(doorway)["reason"] == "ticket_expired"
    assert doorway.look(portrait("hopper")).state == "welcome"
    show_ticket(good)
    assert doorway.kiosk.reason == "ticket_used"


def test_a_consent_withdrawn_during_a_look_ends_it(doorway: Doorway, pack: FacePack) -> None:
    db, person = doorway.desk.db, doorway.who(HOPPER).person
    doorway.tap(HOPPER)
    doorway.show(portrait("hopper"))
    doorway.door.step(0)
    assert doorway.kiosk.state == "look"
    consent.withdraw(db, doorway.desk.session, person, "本人要求撤回", "P-001")
    assert doorway.look(portrait("hopper")).reason == "consent_withdrawn"
    assert doorway.who(HOPPER).state == "waiting"
    assert people.template(db, person, pack.name, pack.version) is None


def test_a_consent_withdrawn_between_decision_and_admission_admits_nobody(doorway: Doorway) -> None:
    db, who = doorway.desk.db, doorway.who(HOPPER)
    consent.withdraw(db, doorway.desk.session, who.person, "本人要求撤回", "P-001")
    doorway.door._settle(who, Decision("admitted", "face_matched", "face"))
    assert (doorway.kiosk.reason, doorway.who(HOPPER).state) == ("consent_withdrawn", "waiting")


def test_each_purpose_is_asked_for_and_answered_by_itself(doorway: Doorway) -> None:
    db, person = doorway.desk.db, doorway.who(HOPPER).person
    doorway.policy(search=True, duplicates=True, keep_still=True, still_days=7)
    with transaction(db):
        db.execute("DELETE FROM consents WHERE person_id = ?", (person,))
    doorway.tap(HOPPER)
    assert doorway.kiosk.facts["asked"] == [ONE_TO_ONE, consents.SEARCH, consents.DUPLICATES, consents.STILL]
    assert doorway.kiosk.facts["session"] == doorway.desk.session
    with transaction(db):
        checkins.ask(db, "consent", doorway.kiosk.v, (consents.STILL,))
    doorway.door.step(0)
    given = {p: people.consent(db, person, p) for p in consents.PURPOSES}
    assert given == {ONE_TO_ONE: True, consents.SEARCH: False, consents.DUPLICATES: False, consents.STILL: True}
    told = [e.body for e in ledger.entries(db, kinds=("consent",)) if e.body["via"] == "kiosk"]
    assert {one["purpose"]: one["given"] for one in told} == given
    assert {(one["notice"], one["notice_sha256"]) for one in told} == {(consents.VERSION, consents.notice().sha256)}
    # the admission keeps one picture: sealed, with its date, and only to be opened for this person
    assert doorway.look(portrait("hopper")).state == "welcome"
    still = faces.still_of(db, doorway.desk.session, person)
    assert still is not None and b"JFIF" not in still.sealed
    assert abs(still.delete_ms - still.at_ms - 7 * 86_400_000) < 60_000
    data = consent.open_still(db, doorway.desk.session, person, doorway.desk.identity.keys.data, "P-001")
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape == (480, 640, 3)


def test_no_picture_is_kept_unless_policy_and_person_say_so(doorway: Doorway) -> None:
    db, person = doorway.desk.db, doorway.who(HOPPER).person
    doorway.policy(keep_still=True)  # and nobody has asked this person
    doorway.tap(HOPPER)
    assert doorway.look(portrait("hopper")).state == "welcome"
    assert faces.still_of(db, doorway.desk.session, person) is None
    doorway.policy(keep_still=False)
    other = doorway.who(ASTRONAUT).person
    with transaction(db):
        people.set_consent(db, other, consents.STILL, True, consents.VERSION)
    doorway.tap(ASTRONAUT)
    assert doorway.look(portrait("astronaut")).state == "welcome"
    assert faces.still_of(db, doorway.desk.session, other) is None


def test_a_child_is_not_looked_at(doorway: Doorway) -> None:
    with transaction(doorway.desk.db) as db:
        db.execute("UPDATE candidates SET minor = 1 WHERE person_id = ?", (doorway.who(HOPPER).person,))
    doorway.tap(HOPPER)
    assert (doorway.kiosk.state, doorway.kiosk.reason) == ("see_proctor", "face_minor")


def test_an_older_notice_is_asked_again(doorway: Doorway) -> None:
    with transaction(doorway.desk.db) as db:
        db.execute("UPDATE consents SET notice = '2020-0'")
    doorway.tap(HOPPER)
    assert doorway.kiosk.state == "consent"
    touch(doorway, "consent")
    assert doorway.look(portrait("hopper")).state == "welcome"


def test_a_policy_for_liveness_without_its_pack_lets_nobody_in_by_face(doorway: Doorway) -> None:
    """Told before anybody is asked for a consent that would be of no use; whoever runs the box is told too."""
    doorway.policy(liveness="passive")
    with transaction(doorway.desk.db) as db:
        db.execute("DELETE FROM consents WHERE person_id = ?", (doorway.who(ASTRONAUT).person,))
    for number in (HOPPER, ASTRONAUT):
        doorway.tap(number)
        assert (doorway.kiosk.state, doorway.kiosk.reason) == ("see_proctor", "liveness_unavailable")
        assert doorway.who(number).state == "waiting"
    time.sleep(0.11)
    doorway.door.step(0)
    assert doorway.door.lack == "liveness_missing"
    doorway.policy(liveness="off")
    doorway.door.step(0)
    doorway.tap(HOPPER)
    assert doorway.look(portrait("hopper")).state == "welcome"


@pytest.mark.parametrize(
    ("strength", "policy", "without_face", "another"),
    [
        ("uid", "allow", ("no_template", "policy", "waiting"), ("face_other_person", "expected")),
        ("uid", "face-or-proctor", ("badge_weak", "manual", "waiting"), ("badge_weak_other", "waiting")),
        ("signed", "face-or-proctor", ("no_template", "policy", "waiting"), ("face_other_person", "expected")),
    ],
)
def test_a_badge_that_is_easily_copied_is_worth_what_policy_says(
    doorway: Doorway,
    strength: Strength,
    policy: str,
    without_face: tuple[str, str, str],
    another: tuple[str, str],
) -> None:
    doorway.policy(weak_badge=policy)

    def tap(number: int) -> None:
        doorway.reader.taps.append(Tap(badge_of(number), None, clock.mono_ms(), strength))
        doorway.door.step(0)

    tap(3)
    body = last_checkin(doorway)
    assert (body["reason"], body["route"], doorway.who(3).state) == without_face
    tap(HOPPER)
    shown = doorway.look(portrait("astronaut"))
    assert (shown.reason, doorway.who(HOPPER).state) == another
    tap(HOPPER)
    assert doorway.look(portrait("hopper")).state == "welcome"
    if policy == "face-or-proctor" and strength == "uid":
        waiting = checkins.waiting(doorway.desk.db, doorway.desk.session)
        assert [(one.reason, one.route) for one in waiting] == [("badge_weak", "manual")]  # what the board says
        assert "容易复制" in sentence("badge_weak", "zh") and "copied" in sentence("badge_weak", "en")


def test_who_declines_is_not_told_of_their_badge(doorway: Doorway) -> None:
    doorway.policy(weak_badge="face-or-proctor")
    with transaction(doorway.desk.db) as db:
        people.set_consent(db, doorway.who(HOPPER).person, ONE_TO_ONE, False, consents.VERSION)
        db.execute("UPDATE candidates SET minor = 1 WHERE person_id = ?", (doorway.who(ASTRONAUT).person,))
    doorway.tap(HOPPER)
    assert (doorway.kiosk.reason, last_checkin(doorway)["route"]) == ("face_declined", "manual")
    doorway.tap(ASTRONAUT)
    assert (doorway.kiosk.reason, last_checkin(doorway)["route"]) == ("face_minor", "manual")
