"""Nothing of a face leaves the device: what is sent, exported, written and shown is searched for known bytes."""

from __future__ import annotations

import ast
import base64
import json
import logging
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

import edge
from edge.demo.people import STAFF
from edge.domain import consents
from edge.exam import conduct, results
from edge.exam.banks import open_bank
from edge.store import admissions, checkins, faces, ledger, outbox, people, sessions
from edge.store.db import transaction
from edge.store.status import write_status
from edge.uplink.outbox import export
from edge.web.app import create_app
from edge.web.body import csrf_of
from edge.web.room import Room
from support.rooms import DeskRoom, make_desk_room

PROCTOR, EXAMINER, SUPERVISOR, TECHNICIAN = STAFF
ROOT = Path(edge.__file__).parent
PLAIN = {kind: f"face of {kind} ".encode() * 40 for kind in ("photo", "template", "still")}


class Site:
    """A session in check-in whose first candidate's face is known by its bytes, plain and sealed."""

    def __init__(self, desk: DeskRoom) -> None:
        self.desk, self.db, self.session = desk, desk.db, desk.session
        bank = open_bank(desk.identity, desk.config.paths.bundles, sessions.find(desk.db, desk.session))
        conduct.open_checkin(desk.db, desk.session, bank, "P-001")
        self.person = people.candidates(desk.db, desk.session)[0].person
        key = desk.identity.keys.data
        self.sealed = {
            "photo": key.encrypt(PLAIN["photo"], self.person.encode()),
            "template": key.encrypt(PLAIN["template"], f"{self.person}\ndlib\n1".encode()),
            "still": key.encrypt(PLAIN["still"], faces.still_context(self.person, "s1")),
        }
        with transaction(desk.db):
            for purpose in consents.PURPOSES:
                people.set_consent(desk.db, self.person, purpose, True, consents.VERSION, "", "kiosk")
            people.set_photo(desk.db, self.person, self.sealed["photo"])
            people.set_template(desk.db, self.person, "dlib", "1", self.sealed["template"])
            faces.add_still(desk.db, "s1", desk.session, self.person, self.sealed["still"], 1 << 50)
        self.app = create_app(desk.config)
        self.room: Room = self.app.extensions["examroom"]

    def sign_in(self, badge: str, pin: str) -> tuple[FlaskClient, dict[str, str]]:
        client = self.app.test_client()
        client.post("/staff/login", data={"badge": badge, "pin": pin, "next": ""})
        cookie = client.get_cookie("examroom_staff")
        assert cookie is not None
        return client, {"X-CSRF": csrf_of(cookie.value)}

    def act(self, client: FlaskClient, head: dict[str, str], act: str, **body: Any) -> Any:
        sent = {"op_id": uuid.uuid4().hex, "reason": "按计划进行", **body}
        return client.post(f"/console/api/{self.session}/{act}", json=sent, headers=head)

    def marks(self) -> list[bytes]:
        """What must stand nowhere: a part of each kind, plain and sealed, as bytes, hex and in the three base64s."""
        found = []
        for part in (one[at : at + 60] for one in (*PLAIN.values(), *self.sealed.values()) for at in (0, 120)):
            found += [part, part.hex().encode()]
            found += [base64.b64encode(part[shift:])[:48] for shift in range(3)]
        return found


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(make_desk_room(tmp_path))
    yield made
    made.room.journal.close()
    made.desk.db.close()


def test_what_leaves_the_room_holds_no_face(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client, _ = site.sign_in(PROCTOR.badge, PROCTOR.pin)
    said: list[bytes] = []

    def get(path: str, status: int = 200) -> Any:
        answer = client.get(path)
        assert answer.status_code == status, (path, answer.data)
        said.append(answer.data)
        return answer

    asked = {"visit": 5, "session": site.session, "asked": list(consents.PURPOSES), "number": 1, "name_masked": "钱**"}
    with transaction(site.db):
        checkins.show(site.db, "consent", "consent_wanted", asked)
    notice = get("/kiosk/api/notice").json
    assert {part["key"] for part in notice["zh"]} >= set(consents.PURPOSES) and notice["v"] == 5
    assert notice["sha256"] == consents.notice().sha256
    write_status(site.desk.config.paths.status, "checkin", state="consent", held=False)
    assert get("/kiosk/api/state").json["facts"]["number"] == 1
    get(f"/console/api/{site.session}/board")
    face = get(f"/console/api/{site.session}/faces/{site.person}").json
    assert face["held"] == {"templates": 1, "photos": 1, "stills": 1} and len(face["consents"]) == 4
    assert get(f"/console/api/{site.session}/faces").json["others"]
    admissions.admit(site.db, site.session, site.person, route="face", reason="face_matched", by=None, score=0.314159)
    for form in ("sign-in", "seats", "incidents"):
        get(f"/console/{site.session}/forms/{form}")
    # the picture kept as evidence is the one thing staff may see, one at a time, and that is on record
    shown = client.get(f"/console/api/{site.session}/stills/{site.person}")
    assert shown.data == PLAIN["still"] and shown.headers["Cache-Control"] == "no-store"
    assert ledger.last(site.db, "still_viewed", 1)[0].content["by"] == PROCTOR.id
    for other in (EXAMINER, TECHNICIAN):
        other_client, _ = site.sign_in(other.badge, other.pin)
        refused = other_client.get(f"/console/api/{site.session}/stills/{site.person}")
        assert (refused.status_code, refused.json["error"]) == (403, "role_wrong")
    assert site.app.test_client().get(f"/console/api/{site.session}/stills/{site.person}").status_code in (302, 401)

    # everything the uplink sends, as it is queued and as the file for a room without a line
    site.db.execute("UPDATE sessions SET state = 'closed', policy = json_set(policy, '$.tests', json('[]'))")
    results.sign_results(site.db, site.desk.identity, site.session, PROCTOR.id)
    results.write_files(site.db, site.desk.identity, site.session, site.desk.config.paths.results)
    rows = outbox.after(site.db, (0, 0), 100)
    assert len(rows) == 6
    said += [row.envelope for row in rows]
    said += [base64.b64decode(json.loads(row.envelope)["payload"]) for row in rows]
    said.append(export(site.db, site.desk.identity).model_dump_json().encode())
    said += [file.read_bytes() for file in site.desk.config.paths.results.rglob("*") if file.is_file()]
    # the ledger goes out whole, in evidence and for supervisors
    said += [entry.entry for entry in ledger.entries(site.db, limit=10_000)]
    said += [file.read_bytes() for file in site.desk.config.paths.runtime.rglob("*") if file.is_file()]
    said.append(caplog.text.encode())
    whole = b"\0".join(said)
    assert len(whole) > 20_000
    assert [mark for mark in site.marks() if mark in whole] == []
    assert b"0.314159" not in b"\0".join(entry.entry for entry in ledger.entries(site.db, limit=10_000))


def test_a_proctor_withdraws_a_consent_and_a_repeat_does_it_once(site: Site) -> None:
    client, head = site.sign_in(PROCTOR.badge, PROCTOR.pin)
    op = uuid.uuid4().hex
    first, second = (
        site.act(client, head, "withdraw-consent", person=site.person, op_id=op, reason="本人要求") for _ in range(2)
    )
    assert first.json["gone"] == second.json["gone"] == {"templates": 1, "photos": 1, "stills": 1}
    assert len(ledger.entries(site.db, kinds=("consent_withdrawn",))) == 1
    again = site.act(client, head, "withdraw-consent", person=site.person, reason="本人要求")
    assert (again.status_code, again.json["error"]) == (409, "consent_nothing")
    assert site.act(client, head, "withdraw-consent", reason="本人要求").status_code == 400
    assert site.act(client, head, "withdraw-consent", person="nobody", reason="本人要求").status_code == 404
    gone = client.get(f"/console/api/{site.session}/stills/{site.person}")
    assert (gone.status_code, gone.json["error"]) == (404, "still_none")


def test_a_notice_is_shown_to_who_is_asked_only(site: Site) -> None:
    client = site.app.test_client()
    write_status(site.desk.config.paths.status, "checkin", state="consent", held=False)
    with transaction(site.db):
        checkins.show(site.db, "ready", "kiosk_ready", {})
    assert client.get("/kiosk/api/notice").status_code == 409
    assert client.get("/kiosk/api/notice", environ_base={"REMOTE_ADDR": "10.0.0.9"}).status_code == 401
    with transaction(site.db):
        shown = checkins.show(site.db, "consent", "consent_wanted", {"visit": 7, "session": site.session})
    sent = {"act": "consent", "v": shown.v, "purposes": ["face_still"]}
    assert client.post("/kiosk/api/act", json={**sent, "purposes": ["face_everything"]}).status_code == 400
    assert client.post("/kiosk/api/act", json={**sent, "act": "decline"}).status_code == 200
    assert client.post("/kiosk/api/act", json=sent).status_code == 200
    assert [act.purposes for act in checkins.pending_acts(site.db)] == [(), ("face_still",)]


READERS = {"photo", "template", "still_of", "gallery"}
MAY_READ = {
    "checkin/enrol.py",
    "checkin/search.py",
    "checkin/templates.py",
    "checkin/twins.py",
    "checkin/visit.py",
    "exam/consent.py",
    "exam/photos.py",  # whether the photograph that comes is the one that waits already; nothing of it goes on
    "store/faces.py",
    "store/people.py",
}


def test_only_the_door_and_the_proctors_page_read_a_face() -> None:
    """Who reads the three ciphertexts out of the store at all: a new place is to be thought about, here."""
    found = set()
    for file in ROOT.rglob("*.py"):
        name = file.relative_to(ROOT).as_posix()
        source = file.read_text(encoding="utf-8")
        for call in (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Call)):
            function = call.func
            if (
                isinstance(function, ast.Attribute)
                and function.attr in READERS
                and isinstance(function.value, ast.Name)
                and function.value.id in ("people", "faces")
            ):
                found.add(name)
        if "FROM templates" in source or "FROM stills" in source or "photo FROM people" in source:
            found.add(name)
    assert found <= MAY_READ, found - MAY_READ
