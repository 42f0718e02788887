"""What a dishonest candidate tries over HTTP, and what everybody gets who sends nonsense: a sentence, and no change."""

from __future__ import annotations

import json
import sqlite3
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge import clock
from edge.demo.people import StaffMember
from edge.domain.reasons import sentence
from edge.errors import TooMany
from edge.exam import conduct
from edge.exam.banks import open_bank
from edge.store import admissions, ledger, people, sessions
from edge.store.db import connect
from edge.store.status import write_status
from edge.web.app import create_app
from edge.web.body import csrf_of
from edge.web.refused import Refusals
from edge.web.room import Room
from edge.web.tries import WrongCodes, of_address
from support.examples import examples
from support.rooms import DeskRoom, make_desk_room
from support.serving import EXAMINER, PROCTOR, SUPERVISOR


class Site:
    """The application over a running session, and its people."""

    def __init__(self, desk: DeskRoom) -> None:
        self.desk = desk
        bank = open_bank(desk.identity, desk.config.paths.bundles, sessions.find(desk.db, desk.session))
        conduct.open_checkin(desk.db, desk.session, bank, "P-001")
        for who in people.candidates(desk.db, desk.session)[:4]:
            admissions.admit(desk.db, desk.session, who.person, route="policy", reason="admitted_manual", by="P-001")
        conduct.start(desk.db, desk.session, "P-001")
        self.app = create_app(desk.config)
        self.room: Room = self.app.extensions["examroom"]
        self.room.live.set_running(desk.session, True)

    def code(self, number: int) -> str:
        who = next(c for c in people.candidates(self.desk.db, self.desk.session) if c.number == number)
        return who.seat_code or ""

    def tablet(self, number: int) -> tuple[FlaskClient, dict[str, Any]]:
        client = self.app.test_client()
        claimed = client.post("/exam/api/claim", json={"seat_code": self.code(number)})
        assert claimed.status_code == 200, claimed.data
        return client, client.get("/exam/api/paper").json

    def staff(self, who: StaffMember) -> tuple[FlaskClient, dict[str, str]]:
        client = self.app.test_client()
        client.post("/staff/login", data={"badge": who.badge, "pin": who.pin, "next": ""})
        cookie = client.get_cookie("examroom_staff")
        assert cookie is not None
        return client, {"X-CSRF": csrf_of(cookie.value)}

    def door_speaks(self) -> None:
        """For the next ten seconds the kiosk has somebody behind it."""
        write_status(self.desk.config.paths.status, "checkin", state="ready", held=False)

    def journal(self) -> int:
        connection = connect(self.desk.config.paths.answers_db)
        try:
            return int(connection.execute("SELECT count(*) FROM journal").fetchone()[0])
        finally:
            connection.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    desk = make_desk_room(tmp_path)
    made = Site(desk)
    yield made
    made.room.journal.close()
    desk.db.close()


def an_answer(paper: dict[str, Any], **changes: Any) -> dict[str, Any]:
    item = paper["parts"][0]["items"][0]["id"]
    body = {"op_id": str(uuid.uuid4()), "seq": paper["next_seq"], "item": item, "base_version": 0, "value": ["A"]}
    return body | changes


def refused(response: Any, *codes: str) -> None:
    assert 400 <= response.status_code < 500, (response.status_code, response.data)
    body = response.json
    assert body["zh"] and body["en"]
    assert body["error"] in codes, body


def test_an_honest_answer_is_kept(site: Site) -> None:
    client, paper = site.tablet(1)
    saved = client.post("/exam/api/answers", json=an_answer(paper), headers={"X-CSRF": paper["csrf"]})
    assert saved.status_code == 200
    assert saved.json["outcome"] == "applied"
    assert len(client.get("/exam/api/clock").data) < 200


def test_wrong_codes_are_slowed_down_and_noted(site: Site) -> None:
    client = site.app.test_client()
    for _ in range(10):
        refused(client.post("/exam/api/claim", json={"seat_code": "000000"}), "seat_code_wrong")
    refused(client.post("/exam/api/claim", json={"seat_code": site.code(1)}), "seat_code_tries")
    while not site.room.later.empty():
        site.room.later.get()(site.desk.db)
    assert len(ledger.entries(site.desk.db, kinds=("tablet_refused",))) == 10


def test_what_tablets_kiosk_and_lookers_were_refused_is_in_the_ledger_once_a_minute(site: Site) -> None:
    client, paper = site.tablet(1)
    csrf, handin = {"X-CSRF": paper["csrf"]}, {"op_id": str(uuid.uuid4()), "seq": paper["next_seq"]}
    other, forged, kiosk = (site.app.test_client() for _ in range(3))
    site.door_speaks()
    forged.set_cookie("examroom_tablet", "x" * 43, path="/exam")
    for _ in range(3):
        refused(other.post("/exam/api/claim", json={"seat_code": site.code(1)}), "tablet_other", "seat_taken")
        refused(client.post("/exam/api/answers", json=an_answer(paper, item="X-1"), headers=csrf), "item_not_on_paper")
        refused(client.post("/exam/api/answers", data="{", headers=csrf), "body_wrong")
        refused(client.post("/exam/api/handin", json=handin), "csrf_wrong")
        refused(forged.get("/exam/api/paper"), "tablet_unknown")
        refused(other.get("/exam/api/paper"), "tablet_unknown")
        refused(kiosk.post("/kiosk/api/act", json={"act": "press", "v": 77}), "kiosk_moved_on")
        refused(kiosk.get("/kiosk/api/state", environ_overrides={"REMOTE_ADDR": "10.0.0.9"}), "kiosk_unpaired")
    examiner, _ = site.staff(EXAMINER)
    for _ in range(3):
        assert examiner.get(f"/console/api/{site.desk.session}/board").status_code == 403
    while not site.room.later.empty():
        site.room.later.get()(site.desk.db)
    noted = ledger.entries(site.desk.db, kinds=("request_refused", "act_refused"))
    people_of = {entry.body["reason"]: entry.content.get("subject") for entry in noted}
    assert [entry.body["reason"] for entry in noted] == list(people_of), "each once"
    person = next(c.person for c in people.candidates(site.desk.db, site.desk.session) if c.number == 1)
    with_seat = {"tablet_other", "item_not_on_paper", "body_wrong", "csrf_wrong"}
    assert {reason for reason, subject in people_of.items() if subject == person} == with_seat
    assert set(people_of) - with_seat == {"tablet_unknown", "kiosk_moved_on", "kiosk_unpaired", "role_wrong"}


def test_what_nobody_was_refused_at_the_pages_of_staff_is_in_the_ledger_bounded(site: Site) -> None:
    session, later = site.desk.session, site.room.later
    seated, _ = site.tablet(1)
    cookie = seated.get_cookie("examroom_tablet", path="/exam")
    assert cookie is not None
    nobody, forged, candidate = (site.app.test_client() for _ in range(3))
    forged.set_cookie("examroom_staff", "x" * 32)
    candidate.set_cookie("examroom_tablet", cookie.value)
    proctor, head = site.staff(PROCTOR)
    pause = f"/console/api/{session}/pause"
    form = {"badge": PROCTOR.badge, "pin": PROCTOR.pin, "next": ""}

    def noted() -> list[tuple[str, str, str | None, str | None]]:
        while not later.empty():
            later.get()(site.desk.db)
        found = ledger.entries(site.desk.db, kinds=("request_refused", "act_refused"))
        facts = ((one.body, one.content) for one in found)
        return [(b["reason"], b["act"].split("/")[1], c.get("subject"), c.get("by")) for b, c in facts]

    for _ in range(3):
        assert nobody.get(f"/console/{session}").status_code == 302, "whoever only comes is led to the sign-in"
    assert noted() == []
    person = next(c.person for c in people.candidates(site.desk.db, session) if c.number == 1)
    for _ in range(3):
        refused(nobody.post(f"/console/api/{session}/close", json={"reason": "试试"}), "not_signed_in")
        refused(candidate.post(f"/console/api/{session}/close", json={"reason": "试试"}), "not_signed_in")
        refused(candidate.get(f"/scoring/api/{session}"), "not_signed_in")
        refused(forged.get(f"/scoring/api/{session}"), "not_signed_in")
        assert forged.get("/spotcheck/").status_code == 302
        assert nobody.post("/kiosk/pair").status_code == 401
        assert nobody.post("/staff/login", data=form, headers={"Origin": "https://example.org"}).status_code == 403
    expected: list[tuple[str, str, str | None, str | None]] = [
        ("not_signed_in", "console", None, None),
        ("not_signed_in", "console", person, None),
        ("not_signed_in", "scoring", person, None),
        ("not_signed_in", "scoring", None, None),
        ("not_signed_in", "spotcheck", None, None),
        ("not_signed_in", "kiosk", None, None),
        ("csrf_wrong", "staff", None, None),
    ]
    assert noted() == expected, "each once, the candidate where the tablet's cookie is good"
    site.desk.db.execute("UPDATE staff_sessions SET seen_ms = ?", (clock.wall_ms() - 31 * 60_000,))
    refused(proctor.post(pause, json={"reason": "消防检查"}, headers=head), "signed_out_idle")
    assert noted()[len(expected) :] == [("signed_out_idle", "console", None, PROCTOR.id)], "whose it was is known"
    before = len(noted())
    for number in range(100):
        where = {"REMOTE_ADDR": f"10.0.1.{number}"}
        refused(nobody.post(pause, json={"reason": "试试"}, environ_overrides=where), "not_signed_in")
    assert len(noted()) - before <= 30, "strangers of many addresses share one budget"


def test_a_stranger_cannot_fill_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr("edge.web.refused.time.monotonic", lambda: now[0])
    bound = Refusals(a_minute=5, a_day=8)
    assert sum(bound.take((address, "body_wrong")) is not None for address in range(1000)) == 5
    assert bound.take((0, "body_wrong")) is None, "the same once a minute"
    now[0] += 61
    assert bound.take((0, "body_wrong")) == 995, "what was left out is said"
    assert sum(bound.take() is not None for _ in range(100)) == 2, "and so many a day"
    now[0] += 86_400
    assert bound.take((0, "body_wrong")) is not None


def test_a_room_behind_one_router_is_not_locked_out_by_one_tablet_nor_guessed_by_made_up_ones() -> None:
    tries, waiting = WrongCodes(), 200

    def wrong(address: str, device: str, waiting: int = waiting) -> bool:
        try:
            tries.check(address, device, waiting)
        except TooMany:
            return False
        tries.add(address, device)
        return True

    router, rooms_limit = "10.0.0.1", 2 * of_address(waiting)
    assert sum(wrong(router, "clumsy") for _ in range(100)) == 10
    tries.check(router, "another", waiting)  # its neighbours go on
    assert sum(wrong(router, f"made-up-{n}") for n in range(500)) == of_address(waiting) - 10 == 50
    tries.check("10.0.0.2", "another", waiting)  # and so do other routers
    assert sum(wrong(f"10.0.1.{n}", "many-addresses") for n in range(250)) == rooms_limit - of_address(waiting)
    # a guess hits a seat that still waits, one in a million of codes each: less than one in forty minutes
    assert rooms_limit * waiting / 1_000_000 < 1 / 40
    # and with most tablets at their seats there is little to guess, and little to mistype
    assert 2 * of_address(5) * 5 / 1_000_000 < 1 / (24 * 60)


def test_anothers_seat_a_replayed_cookie_and_no_token(site: Site) -> None:
    client, paper = site.tablet(1)
    thief = site.app.test_client()
    refused(thief.post("/exam/api/claim", json={"seat_code": site.code(1)}), "tablet_other")
    refused(thief.get("/exam/api/paper"), "tablet_unknown")
    refused(thief.post("/exam/api/answers", json=an_answer(paper), headers={"X-CSRF": paper["csrf"]}), "tablet_unknown")
    cookie = client.get_cookie("examroom_tablet", path="/exam")
    assert cookie is not None
    thief.set_cookie("examroom_tablet", cookie.value[:-2] + "xx", path="/exam")
    refused(thief.get("/exam/api/clock"), "tablet_unknown")
    refused(client.post("/exam/api/answers", json=an_answer(paper)), "csrf_wrong")
    site.room.live.release(paper["attempt"])
    refused(client.get("/exam/api/paper"), "tablet_unknown", "tablet_released")
    assert site.journal() == 0


def test_edited_sequence_item_option_and_deadline(site: Site) -> None:
    client, paper = site.tablet(1)
    _, other = site.tablet(2)
    head = {"X-CSRF": paper["csrf"]}
    own = {item["id"] for part in paper["parts"] for item in part["items"]}
    foreign = next(i["id"] for part in other["parts"] for i in part["items"] if i["id"] not in own)
    tries = {
        "sequence_wrong": {"seq": 7},
        "item_not_on_paper": {"item": foreign},
        "option_not_on_item": {"value": ["H"]},
        "one_option_only": {"value": ["A", "B"]},
        "body_wrong": {"left": 9_999_999},
    }
    for code, change in tries.items():
        refused(client.post("/exam/api/answers", json=an_answer(paper, **change), headers=head), code)
    assert site.journal() == 0


def test_no_answer_key_in_any_byte_a_tablet_gets(site: Site) -> None:
    client, paper = site.tablet(1)
    everything = client.get("/exam/api/paper").data + client.get("/exam/").data + client.get("/exam/api/clock").data
    for word in (b'"answer"', b'"source"', b'"clause"', b'"template"', b'"difficulty"'):
        assert word not in everything
    for path in ("/console/", "/scoring/", "/spotcheck/", f"/console/{site.desk.session}"):
        assert client.get(path).status_code == 302
    for path in (f"/console/api/{site.desk.session}/board", f"/scoring/api/{site.desk.session}"):
        refused(client.get(path), "not_signed_in")
    assert paper["parts"]


def test_each_role_has_its_own_pages(site: Site) -> None:
    session = site.desk.session
    examiner, head = site.staff(EXAMINER)
    refused(examiner.get(f"/console/api/{session}/board"), "role_wrong")
    refused(examiner.post(f"/console/api/{session}/close", json={"reason": "试试"}, headers=head), "role_wrong")
    supervisor, head = site.staff(SUPERVISOR)
    assert supervisor.get(f"/console/api/{session}/board").status_code == 200
    refused(supervisor.post(f"/console/api/{session}/close", json={"reason": "试试"}, headers=head), "role_wrong")
    proctor, head = site.staff(PROCTOR)
    refused(proctor.post(f"/console/api/{session}/pause", json={"reason": "消防检查"}), "csrf_wrong")
    refused(proctor.post(f"/console/api/{session}/pause", json={"reason": " "}, headers=head), "reason_wanted")
    assert proctor.post(f"/console/api/{session}/pause", json={"reason": "消防检查"}, headers=head).status_code == 200
    assert ledger.entries(site.desk.db, kinds=("exam_paused",))[0].content["by"] == "P-001"


def test_wrong_pins_lock_out_and_are_noted(site: Site) -> None:
    client = site.app.test_client()
    form = {"badge": PROCTOR.badge, "pin": "wrong", "next": ""}
    assert [client.post("/staff/login", data=form).status_code for _ in range(5)] == [403] * 5
    locked = client.post("/staff/login", data=form | {"pin": PROCTOR.pin})
    assert locked.status_code == 429
    assert client.post("/staff/login", data=form | {"badge": "NOBODY01"}).status_code == 403
    assert len(ledger.entries(site.desk.db, kinds=("staff_refused",))) == 7
    assert ledger.entries(site.desk.db, kinds=("staff_signed_in",)) == []


def test_a_sign_in_leads_nowhere_else(site: Site) -> None:
    for target in ("https://example.org/", "//example.org/", "/\\example.org", "javascript:alert(1)"):
        client = site.app.test_client()
        answer = client.post("/staff/login", data={"badge": PROCTOR.badge, "pin": PROCTOR.pin, "next": target})
        assert answer.headers["Location"] == "/staff/"
    foreign = site.app.test_client().post(
        "/staff/login", data={"badge": PROCTOR.badge, "pin": PROCTOR.pin}, headers={"Origin": "https://example.org"}
    )
    assert foreign.status_code == 403


def test_an_examiners_sheet_is_signed_by_pin_and_once(site: Site) -> None:
    client, head = site.staff(EXAMINER)
    path, person = (
        f"/scoring/api/{site.desk.session}/score",
        people.candidates(site.desk.db, site.desk.session)[0].person,
    )
    rubric = client.get(f"/scoring/api/{site.desk.session}").json["rubric"]
    mark = {"deduction": rubric["steps"][0]["deductions"][0]["id"], "count": 1}
    sheet = {"person": person, "marks": [mark], "vetoes": [], "note": "", "pin": "nope"}
    refused(client.post(path, json=sheet, headers=head), "sign_in_wrong")
    sheet["pin"] = EXAMINER.pin
    refused(client.post(path, json=sheet | {"marks": [{"deduction": "x", "count": 1}]}, headers=head), "rubric_wrong")
    refused(client.post(path, json=sheet | {"person": "nobody"}, headers=head), "candidate_unknown")
    done = client.post(path, json=sheet, headers=head)
    assert done.status_code == 200
    assert done.json["points"] == 100 - rubric["steps"][0]["deductions"][0]["points"]
    refused(client.post(path, json=sheet, headers=head), "score_signed")


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=junk | st.fixed_dictionaries({"op_id": junk, "seq": junk, "item": junk, "base_version": junk, "value": junk})
)
def test_hostile_bodies_change_nothing(site: Site, body: Any) -> None:
    if not hasattr(site, "hand"):
        site.hand = site.tablet(1)  # type: ignore[attr-defined]
    client, paper = site.hand  # type: ignore[attr-defined]
    for path in ("/exam/api/answers", "/exam/api/handin", "/exam/api/claim", "/kiosk/api/act"):
        answer = client.post(path, data=json.dumps(body), headers={"X-CSRF": paper["csrf"]})
        assert 400 <= answer.status_code < 500
    assert site.journal() == 0


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raw=st.binary(max_size=300))
def test_raw_bytes_change_nothing(site: Site, raw: bytes) -> None:
    client = site.app.test_client()
    for path in ("/exam/api/claim", "/kiosk/api/act", "/staff/login"):
        assert 400 <= client.post(path, data=raw).status_code < 500


def test_too_large_a_body_is_one_sentence(site: Site) -> None:
    answer = site.app.test_client().post("/exam/api/claim", data=b"x" * 100_000)
    assert answer.status_code == 413
    assert answer.json["zh"]


def test_web_loads_no_codec_and_no_network_runtime() -> None:
    import subprocess
    import sys

    check = (
        "import sys, edge.services.web; print([m for m in ('cv2', 'av', 'onnxruntime', 'dlib') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", check], capture_output=True, text=True).stdout.strip() == "[]"


def test_a_store_that_is_gone_is_a_503(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_path: Path) -> sqlite3.Connection:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("edge.web.room.connect", broken)
    answer = site.app.test_client().get("/kiosk/api/state")
    assert answer.status_code == 503
    assert answer.json["error"] == "store_unavailable"


def test_head_requests_leave_the_live_feed_alone(site: Site) -> None:
    client, _ = site.staff(PROCTOR)
    path = f"/console/api/{site.desk.session}/events"
    assert {client.head(path).status_code for _ in range(12)} == {200}
    stream = client.get(path)
    assert stream.status_code == 200
    stream.close()


@pytest.mark.parametrize("target", ["http://[", "//[bad", "http://[x]:y/"])
def test_addresses_that_cannot_be_read_are_no_crash(site: Site, target: str) -> None:
    client = site.app.test_client()
    assert client.get("/staff/login", query_string={"next": target}).status_code == 200
    form = {"badge": PROCTOR.badge, "pin": PROCTOR.pin, "next": target}
    assert client.post("/staff/login", data=form).headers["Location"] == "/staff/"
    assert client.post("/staff/login", data=form, headers={"Origin": target}).status_code == 403


def test_a_span_beyond_any_calendar_is_refused(site: Site) -> None:
    client, head = site.staff(SUPERVISOR)
    span = {"from": 10**30, "until": 10**30 + 5, "why": "test"}
    asked = (("api/{}/views", {"cameras": ["door"]}), ("api/{}/exports", {"camera": "door"}))
    for path, named in asked:
        told = client.post("/spotcheck/" + path.format(site.desk.session), json={**span, **named}, headers=head)
        refused(told, "span_wrong")
        assert told.status_code == 400


def test_an_examiners_pin_locks_like_a_sign_in(site: Site) -> None:
    client, head = site.staff(EXAMINER)
    person = people.candidates(site.desk.db, site.desk.session)[0].person
    sheet = {"person": person, "marks": [], "vetoes": [], "note": "", "pin": "nope"}
    path = f"/scoring/api/{site.desk.session}/score"
    codes = [client.post(path, json=sheet, headers=head).status_code for _ in range(6)]
    assert codes == [403] * 5 + [429]
    refused(client.post(path, json=sheet | {"pin": EXAMINER.pin}, headers=head), "sign_in_locked")


def test_a_claim_asked_again_after_a_lost_answer_is_answered_the_same(site: Site) -> None:
    client, body = site.app.test_client(), {"seat_code": site.code(3), "claim": "k" * 40}
    first, second = client.post("/exam/api/claim", json=body), client.post("/exam/api/claim", json=body)
    assert first.status_code == second.status_code == 200
    assert first.json == second.json
    refused(client.post("/exam/api/claim", json=body | {"claim": "x" * 40}), "tablet_other")
    refused(client.post("/exam/api/claim", json=body | {"seat_code": site.code(4)}), "tablet_other")


def test_a_touch_on_an_old_screen_is_nobodys(site: Site) -> None:
    from edge.store import checkins
    from edge.store.db import transaction

    client = site.app.test_client()
    site.door_speaks()
    with transaction(site.desk.db):
        checkins.show(site.desk.db, "consent", "consent_wanted", {})
    seen = client.get("/kiosk/api/state").json["at_ms"]
    refused(client.post("/kiosk/api/act", json={"act": "consent", "v": seen - 1}), "kiosk_moved_on")
    assert checkins.pending_acts(site.desk.db) == []
    assert client.post("/kiosk/api/act", json={"act": "consent", "v": seen}).status_code == 200
    assert len(checkins.pending_acts(site.desk.db)) == 1


def test_a_kiosk_whose_door_is_held_says_so_in_the_place_of_old_words(site: Site) -> None:
    from edge.store import checkins
    from edge.store.db import transaction

    client, status = site.app.test_client(), site.desk.config.paths.status
    with transaction(site.desk.db):
        before = checkins.show(site.desk.db, "look", "look_here", {"visit": 5})
    write_status(status, "checkin", state="look", reason="checkin_held", held=True)
    held = client.get("/kiosk/api/state").json
    assert (held["state"], held["v"], held["at_ms"]) == ("fault", 5, before.at_ms)
    assert "已记下" in held["zh"] and "kept" in held["en"]
    write_status(status, "checkin", state="look", held=False)
    assert client.get("/kiosk/api/state").json["state"] == "look"


@pytest.mark.parametrize("age_ms", [None, 11_000, -60_000])
def test_a_kiosk_whose_door_is_silent_says_so_and_shows_nobody(site: Site, age_ms: int | None) -> None:
    """Dead, hung or of an earlier boot: nobody taps in vain, and the last one's seat code stands there no longer."""
    from edge.store import checkins
    from edge.store.db import transaction

    client, status = site.app.test_client(), site.desk.config.paths.status
    facts = {"seat": "A1", "seat_code": "123456", "number": 1, "session": site.desk.session}
    with transaction(site.desk.db):
        shown = checkins.show(site.desk.db, "welcome", "welcome", facts)
    site.door_speaks()
    assert client.get("/kiosk/api/state").json["facts"]["seat_code"] == "123456"
    if age_ms is None:
        (status / "checkin.json").unlink()
    else:
        write_status(status, "checkin", state="welcome", held=False, mono_ms=clock.mono_ms() - age_ms)
    for began_ms, state, reason in (
        (clock.mono_ms(), "closed", "checkin_starting"),
        (clock.mono_ms() - 60_000, "fault", "checkin_silent"),
    ):
        site.room.began_ms = began_ms
        told = client.get("/kiosk/api/state")
        assert (told.json["state"], told.json["reason"], told.json["facts"]) == (state, reason, {})
        assert "123456" not in told.text and told.json["map"] == []
        for v in (told.json["v"], shown.v):
            answer = client.post("/kiosk/api/act", json={"act": "press", "v": v})
            assert (answer.status_code, answer.json["error"]) == (503, reason)
    assert checkins.pending_acts(site.desk.db) == []
    assert "监考员" in sentence("checkin_silent", "zh") and "proctor" in sentence("checkin_silent", "en")
    site.door_speaks()
    assert client.get("/kiosk/api/state").json["v"] == shown.v
    assert client.post("/kiosk/api/act", json={"act": "press", "v": shown.v}).status_code == 200


def test_a_kiosk_that_knows_what_is_shown_hears_at_once_of_what_is_shown_next(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge.store import checkins
    from edge.store.db import transaction
    from edge.web.kiosk import api

    site.door_speaks()
    client, began = site.app.test_client(), time.monotonic()
    mark = client.get("/kiosk/api/state").json["mark"]
    monkeypatch.setattr(api, "WAIT_S", 0.3)
    assert client.get(f"/kiosk/api/state?known={mark}").json["mark"] == mark
    assert time.monotonic() - began > 0.3, "it waited for something else"
    monkeypatch.setattr(api, "WAIT_S", 20)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(lambda: site.app.test_client().get(f"/kiosk/api/state?known={mark}").json)
        with transaction(site.desk.db):
            checkins.show(site.desk.db, "look", "look_here", {"visit": 5})
        looking = waiting.result(10)
        assert looking["state"] == "look"
        held = pool.submit(lambda: site.app.test_client().get(f"/kiosk/api/state?known={looking['mark']}").json)
        write_status(site.desk.config.paths.status, "checkin", state="look", held=True)
        assert held.result(10)["state"] == "fault", "what changes without the store is seen too"
    assert client.get("/kiosk/api/state?known=other").json["state"] == "fault"
    for _ in range(4):
        api._held.acquire()
    try:
        assert client.get(f"/kiosk/api/state?known={held.result()['mark']}").json == held.result()
    finally:
        api._held.release(4)


def test_a_session_with_the_curtain_drawn_gives_no_live_picture(site: Site) -> None:
    from edge.store import checkins
    from edge.store.db import transaction
    from edge.store.ring import RingWriter

    client, db = site.app.test_client(), site.desk.db
    ring, at = RingWriter(site.desk.config.paths.ring("door"), 100), clock.now()
    ring.write(
        mono_ms=at.mono_ms, wall_ms=at.wall_ms, source_ms=0, width=1, height=1, bgr=b"", jpeg=b"\xff\xd8\xff\xd9"
    )
    ring.close()
    with transaction(db):
        db.execute("UPDATE sessions SET state = 'checkin'")
    assert client.get("/kiosk/picture.jpg").status_code == 200
    assert client.get("/kiosk/api/state").json["curtain"] is False
    with transaction(db):
        db.execute("UPDATE sessions SET policy = json_set(policy, '$.face.curtain', json('true'))")
        checkins.show(db, "look", "look_here", {"visit": 5})
    assert client.get("/kiosk/picture.jpg").status_code == 204
    assert client.get("/kiosk/api/state").json["curtain"] is True


def test_the_kiosk_says_that_sound_is_recorded_while_a_session_has_it(site: Site) -> None:
    from edge.store.db import transaction

    client, db = site.app.test_client(), site.desk.db
    for state, wanted, told in (("checkin", "false", False), ("planned", "true", False), ("running", "true", True)):
        with transaction(db):
            db.execute("UPDATE sessions SET state = ?, policy = json_set(policy, '$.sound', json(?))", (state, wanted))
        assert client.get("/kiosk/api/state").json["sound"] is told


def test_who_waits_is_told_how_many_are_before_them_and_who_enters_where_to_sit(site: Site) -> None:
    from edge.store import admissions, checkins
    from edge.store.db import transaction

    client, db, session = site.app.test_client(), site.desk.db, site.desk.session
    site.door_speaks()
    with transaction(db):
        db.execute("UPDATE sessions SET state = 'checkin'")
        db.execute("UPDATE candidates SET state = 'expected'")
    for who in people.candidates(db, session)[:3]:
        admissions.note(db, "waiting", "no_template", session=session, person=who.person, route="policy")
    for number, ahead in ((1, 0), (3, 2), (5, 0)):
        with transaction(db):
            checkins.show(db, "see_proctor", "no_template", {"number": number, "session": session, "seat": "-"})
        told = client.get("/kiosk/api/state").json
        assert (told["ahead"], told["map"]) == (ahead, [])
    with transaction(db):
        checkins.show(db, "welcome", "welcome", {"number": 1, "session": session, "seat": "A1"})
    told = client.get("/kiosk/api/state").json
    assert ["A1", 1, 1] in told["map"] and len(told["map"]) == 6 and told["ahead"] == 0


def test_a_paired_screen_is_still_the_kiosk_when_its_browser_is_restarted(site: Site) -> None:
    proctor, head = site.staff(PROCTOR)
    set_cookie = proctor.post("/kiosk/pair", headers=head).headers["Set-Cookie"]
    assert "examroom_kiosk" in set_cookie and "Max-Age=" in set_cookie and "HttpOnly" in set_cookie


@pytest.mark.parametrize("address", ["garbage", "1.2.3", "127.0.0.1, x y", ""])
def test_a_kiosk_behind_a_proxy_with_a_made_up_address_is_refused(site: Site, address: str) -> None:
    client = site.app.test_client()
    answer = client.get("/kiosk/api/state", environ_overrides={"REMOTE_ADDR": address})
    assert answer.status_code == 401 and answer.json["error"] == "kiosk_unpaired"


def test_what_staff_were_refused_is_history_and_their_words_are_not(site: Site) -> None:
    client, head = site.staff(PROCTOR)
    path = f"/console/api/{site.desk.session}"
    refused(client.post(f"{path}/dance", json={}, headers=head), "act_unknown")
    assert client.post(f"{path}/pause", json={"reason": "王芳身体不适"}, headers=head).status_code == 200
    refused(client.post(f"{path}/pause", json={"reason": "王芳身体不适"}, headers=head), "already_paused")
    while not site.room.later.empty():
        site.room.later.get()(site.desk.db)
    refusals = ledger.entries(site.desk.db, kinds=("act_refused",))
    assert [entry.body["reason"] for entry in refusals] == ["act_unknown", "already_paused"]
    assert {entry.content["by"] for entry in refusals} == {PROCTOR.id}
    everything = b"".join(entry.entry for entry in ledger.entries(site.desk.db)).decode()
    assert "王芳" not in everything
    assert len(ledger.entries(site.desk.db, kinds=("exam_paused",))) == 1


def test_a_board_that_refreshes_itself_keeps_nobody_signed_in(site: Site) -> None:
    client, head = site.staff(PROCTOR)
    path = f"/console/api/{site.desk.session}"

    def last_done(minutes: int) -> None:
        seen = clock.wall_ms() - minutes * 60_000
        site.desk.db.execute("UPDATE staff_sessions SET seen_ms = ?", (seen,))

    last_done(29)
    assert client.get(f"{path}/board").status_code == 200
    last_done(31)
    refused(client.get(f"{path}/board"), "signed_out_idle")
    refused(client.post(f"{path}/pause", json={"reason": "消防检查"}, headers=head), "not_signed_in")
    assert client.get("/console/").headers["Location"].startswith("/staff/login")
