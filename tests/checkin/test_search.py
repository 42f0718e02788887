"""Who came without a badge, and one face under two names: only where policy and people say so."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest

from edge import clock
from edge.checkin.templates import context
from edge.checkin.twins import KIND
from edge.demo.people import ASTRONAUT, HOPPER
from edge.domain import consents
from edge.domain.reasons import sentence
from edge.domain.search import SearchThreshold, Strangers, pick
from edge.errors import BadInput
from edge.exam import consent
from edge.store import checkins, faces, incidents, ledger, people, sessions
from edge.store.db import transaction
from edge.vision.face_pack import FacePack
from edge.vision.manifest import known_packs, read_manifest

from .conftest import Doorway, portrait, wall

OTHER = 3  # has no photograph of their own
LIMITS = SearchThreshold(0.4, 0.1, 5, 0.01, Strangers(0.84, 24))


def agree(doorway: Doorway, purpose: str, *numbers: int) -> None:
    with transaction(doorway.desk.db) as db:
        for number in numbers:
            people.set_consent(db, doorway.who(number).person, purpose, True, consents.VERSION)


def register(doorway: Doorway, pack: FacePack, number: int, like: int) -> None:
    """`number` is registered with the photograph of `like`, and agrees to being compared."""
    db, key = doorway.desk.db, doorway.desk.identity.keys.data
    person, source = doorway.who(number).person, doorway.who(like).person
    plain = key.decrypt(people.template(db, source, pack.name, pack.version) or b"", context(source, pack))
    with transaction(db):
        people.set_template(db, person, pack.name, pack.version, key.encrypt(plain, context(person, pack)))
    agree(doorway, consents.ONE_TO_ONE, number)


def press(doorway: Doorway) -> checkins.KioskState:
    doorway.door.step(0)
    with transaction(doorway.desk.db) as db:
        checkins.ask(db, "press", doorway.kiosk.v)
    doorway.door.step(0)
    return doorway.kiosk


def last(doorway: Doorway) -> dict[str, object]:
    return ledger.entries(doorway.desk.db, kinds=("checkin",))[-1].body


def test_who_agreed_is_found_without_a_badge(doorway: Doorway) -> None:
    doorway.policy(search=True)
    agree(doorway, consents.SEARCH, HOPPER, ASTRONAUT)
    shown = press(doorway)
    assert (shown.state, shown.reason) == ("look", "search_look")
    assert "name_masked" not in shown.facts
    assert doorway.look(portrait("hopper")).state == "welcome"
    assert doorway.kiosk.facts["seat"] == doorway.who(HOPPER).seat
    assert (doorway.who(HOPPER).state, doorway.who(HOPPER).route) == ("admitted", "face")
    assert last(doorway) == {
        "outcome": "admitted",
        "route": "face",
        "reason": "face_found",
        "seat": doorway.who(HOPPER).seat,
    }
    shown = press(doorway)
    assert doorway.look(portrait("hopper")).reason == "already_admitted"


def test_who_did_not_agree_is_not_found(doorway: Doorway) -> None:
    doorway.policy(search=True)
    agree(doorway, consents.SEARCH, ASTRONAUT)
    press(doorway)
    doorway.look(portrait("hopper"), steps=4)
    assert doorway.kiosk.reason == "search_again"
    shown = doorway.look(portrait("hopper"))
    assert (shown.state, shown.reason) == ("see_proctor", "search_none")
    assert doorway.who(HOPPER).state == doorway.who(ASTRONAUT).state == "expected"
    entry = ledger.entries(doorway.desk.db, session=doorway.desk.session, kinds=("checkin",))[-1]
    assert (entry.subject, entry.body["reason"]) == (None, "search_none")


@pytest.mark.parametrize("why", ["policy", "consent", "comparing", "withdrawn", "child"])
def test_without_policy_and_consent_the_button_leads_to_the_proctor(doorway: Doorway, why: str) -> None:
    db, who = doorway.desk.db, doorway.who(HOPPER)
    doorway.policy(search=why != "policy")
    if why != "consent":
        agree(doorway, consents.SEARCH, HOPPER)
    with transaction(db):
        if why == "comparing":
            people.set_consent(db, who.person, consents.ONE_TO_ONE, False, consents.VERSION)
        if why == "child":
            db.execute("UPDATE candidates SET minor = 1 WHERE person_id = ?", (who.person,))
    if why == "withdrawn":
        consent.withdraw(db, doorway.desk.session, who.person, "本人要求撤回", "P-001")
    shown = press(doorway)
    assert (shown.state, shown.reason) == ("see_proctor", "button_no_badge")


def test_two_who_look_alike_are_asked_for_the_badge(doorway: Doorway, pack: FacePack) -> None:
    register(doorway, pack, OTHER, HOPPER)
    doorway.policy(search=True)
    agree(doorway, consents.SEARCH, HOPPER, OTHER)
    press(doorway)
    shown = doorway.look(portrait("hopper"))
    assert (shown.state, shown.reason) == ("try_again", "search_ambiguous")
    assert "刷卡" in sentence(shown.reason, "zh")
    doorway.tap(HOPPER)
    assert doorway.look(portrait("hopper")).state == "welcome"


def test_a_badge_ends_a_search_and_so_does_going_away(doorway: Doorway) -> None:
    doorway.policy(search=True)
    agree(doorway, consents.SEARCH, HOPPER)
    press(doorway)
    doorway.tap(ASTRONAUT)
    assert doorway.kiosk.facts["number"] == ASTRONAUT
    assert doorway.look(portrait("astronaut")).state == "welcome"
    press(doorway)
    with transaction(doorway.desk.db) as db:
        checkins.ask(db, "decline", doorway.kiosk.v)
    doorway.look(wall(), steps=1)
    assert (doorway.kiosk.state, doorway.kiosk.reason) == ("see_proctor", "button_no_badge")
    assert people.consent(doorway.desk.db, doorway.who(HOPPER).person, consents.SEARCH) is True


def test_a_list_longer_than_was_tried_is_told_before_anybody_looks(
    doorway: Doorway, pack: FacePack, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pack.search is not None
    monkeypatch.setattr(pack, "search", replace(pack.search, gallery=1))
    doorway.policy(search=True)
    agree(doorway, consents.SEARCH, HOPPER, ASTRONAUT)
    shown = press(doorway)
    assert (shown.state, shown.reason) == ("see_proctor", "search_too_many")
    assert last(doorway)["reason"] == "search_too_many"


def test_a_consent_withdrawn_during_a_search_is_heard(doorway: Doorway) -> None:
    doorway.policy(search=True)
    agree(doorway, consents.SEARCH, HOPPER, ASTRONAUT)
    press(doorway)
    doorway.look(portrait("hopper"), steps=1)
    consent.withdraw(doorway.desk.db, doorway.desk.session, doorway.who(HOPPER).person, "本人要求撤回", "P-001")
    doorway.look(portrait("hopper"))
    assert doorway.who(HOPPER).state == "expected"


def test_a_policy_for_liveness_holds_for_a_search_too(doorway: Doorway) -> None:
    doorway.policy(search=True, liveness="passive")
    agree(doorway, consents.SEARCH, HOPPER)
    assert press(doorway).reason == "liveness_unavailable"


@pytest.mark.parametrize(
    ("means", "found", "reason"),
    [
        ([], None, "search_none"),
        ([0.41, 0.8], None, "search_none"),
        ([0.8, 0.4], 1, "face_found"),
        ([0.35, 0.44], None, "search_ambiguous"),
        ([0.05, 0.39], None, "search_ambiguous"),
        ([0.9, 0.8, 0.3, 0.7, 0.6], 2, "face_found"),
        ([0.9, 0.8, 0.3, 0.7, 0.6, 0.7], None, "search_too_many"),
    ],
)
def test_the_nearest_is_found_when_nobody_else_is_near(means: list[float], found: int | None, reason: str) -> None:
    result = pick(means, means, LIMITS, 0.55)
    assert (result.place, result.reason) == (found, reason)


def test_one_frame_of_another_face_finds_nobody() -> None:
    assert pick([0.3], [0.56], LIMITS, 0.55).reason == "search_none"
    with pytest.raises(BadInput):
        pick([float("nan")], [0.3], LIMITS, 0.55)


def test_the_limits_of_a_search_stand_in_the_manifest_with_what_they_rest_on() -> None:
    for name in known_packs():
        manifest = read_manifest(name)
        search = manifest.search_limits
        if search is None or manifest.threshold is None:
            continue
        assert search.accept < manifest.threshold.accept and search.gallery >= 2000
        assert search.accept == search.within(30) > search.within(2000), "it follows the size"
        for size in (30, 200, search.gallery):
            each = search.strangers.share_within(search.within(size))
            assert 1 - (1 - each) ** size <= search.fpir * (1 + 1e-6)
    assert read_manifest("dlib").search is not None and read_manifest("sface").search is None


# ---- one face, two names


@pytest.fixture
def look_seconds() -> float:
    return 3.0


def kinds(db: sqlite3.Connection) -> list[tuple[str | None, object]]:
    return [(entry.subject, entry.body["reason"]) for entry in ledger.entries(db, kinds=(KIND,))]


def test_a_face_that_has_entered_by_another_name_goes_to_the_proctor(doorway: Doorway, pack: FacePack) -> None:
    db = doorway.desk.db
    register(doorway, pack, OTHER, HOPPER)
    doorway.tap(HOPPER)
    assert doorway.look(portrait("hopper")).state == "welcome"
    doorway.policy(duplicates=True)
    agree(doorway, consents.DUPLICATES, HOPPER, ASTRONAUT)
    doorway.tap(ASTRONAUT)  # another's badge, whose own photograph would only say: another person
    shown = doorway.look(portrait("hopper"))
    assert (shown.state, shown.reason) == ("see_proctor", "face_entered")
    assert doorway.who(ASTRONAUT).state == "waiting"
    assert kinds(db) == [(doorway.who(ASTRONAUT).person, "face_entered")]
    entry = ledger.entries(db, kinds=(KIND,))[-1]
    assert entry.body == {"reason": "face_entered", "other": doorway.who(HOPPER).person}
    told = incidents.of_session(db, doorway.desk.session)[-1]
    assert "替考" in told.text and f"考号 {HOPPER}" in told.text and doorway.who(HOPPER).name not in told.text
    assert told.by is None and told.kind == "identity"
    doorway.tap(ASTRONAUT)
    doorway.look(portrait("hopper"))
    assert len(kinds(db)) == 1  # the same two, the same reason
    doorway.tap(ASTRONAUT)
    assert doorway.look(portrait("astronaut")).state == "welcome"  # it was a suspicion, and this is another face


def test_one_face_registered_twice_is_told_before_anybody_comes(doorway: Doorway, pack: FacePack) -> None:
    db = doorway.desk.db
    register(doorway, pack, OTHER, HOPPER)
    doorway.policy(duplicates=True)
    agree(doorway, consents.DUPLICATES, HOPPER, OTHER, ASTRONAUT)
    doorway.door._enrol_due = 0
    doorway.door.step(0)
    assert len(kinds(db)) == 1 and kinds(db)[0][1] == "face_two_names"
    assert len(incidents.of_session(db, doorway.desk.session)) == 1
    for number in (HOPPER, OTHER):
        doorway.tap(number)
        assert (doorway.kiosk.state, doorway.kiosk.reason) == ("see_proctor", "face_two_names")
        assert doorway.who(number).state == "waiting"
    assert len(kinds(db)) == 1
    doorway.tap(ASTRONAUT)
    assert doorway.look(portrait("astronaut")).state == "welcome"


@pytest.mark.parametrize("why", ["policy", "mine", "theirs"])
def test_two_names_are_looked_for_only_where_policy_and_both_agree(doorway: Doorway, pack: FacePack, why: str) -> None:
    register(doorway, pack, OTHER, HOPPER)
    doorway.policy(duplicates=why != "policy")
    agree(doorway, consents.DUPLICATES, *{"policy": (HOPPER, OTHER), "mine": (HOPPER,), "theirs": (OTHER,)}[why])
    doorway.tap(HOPPER)
    assert doorway.look(portrait("hopper")).state == "welcome"
    doorway.tap(OTHER)
    assert doorway.look(portrait("hopper")).state == "welcome"
    assert kinds(doorway.desk.db) == []


def test_an_admission_of_yesterday_is_none_of_today(doorway: Doorway) -> None:
    doorway.policy(duplicates=True)
    agree(doorway, consents.DUPLICATES, HOPPER, ASTRONAUT)
    doorway.tap(HOPPER)
    assert doorway.look(portrait("hopper")).state == "welcome"
    with transaction(doorway.desk.db) as db:
        db.execute("UPDATE candidates SET admitted_ms = admitted_ms - 90000000 WHERE admitted_ms IS NOT NULL")
    doorway.tap(ASTRONAUT)
    assert doorway.look(portrait("hopper")).reason == "face_other_person"


def test_another_session_of_the_day_counts_where_its_policy_has_it_too(doorway: Doorway, pack: FacePack) -> None:
    db, who = doorway.desk.db, doorway.who(HOPPER)
    doorway.policy(duplicates=True)
    agree(doorway, consents.DUPLICATES, HOPPER, ASTRONAUT)
    with transaction(db):
        db.execute(
            "INSERT INTO sessions (id, class_id, room_id, title, state, planned_ms, minutes, policy, blueprint,"
            " rubric, bank_file, bank_id, bank_version, purge_ms) SELECT 'S-2', class_id, room_id, title, 'running',"
            " planned_ms - 3600000, minutes, policy, blueprint, rubric, bank_file, bank_id, bank_version, purge_ms"
            " FROM sessions WHERE id = 'S-1'"
        )
        people.add_candidate(db, "S-2", who.person, 1, "MORNING1", None)
        db.execute(
            "UPDATE candidates SET state = 'admitted', admitted_ms = ? WHERE session_id = 'S-2'", (clock.wall_ms(),)
        )
    assert len(faces.gallery(db, "S-2", pack.name, pack.version, consents.DUPLICATES)) == 1
    assert sessions.find(db, "S-2").state == "running"
    doorway.tap(ASTRONAUT)
    assert doorway.look(portrait("hopper")).reason == "face_entered"
