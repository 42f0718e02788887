"""Who may look at footage, and that it is written down: views, searches, exports, and supervisors with a pass."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from edge import clock
from edge.cli import main
from edge.clock import Instant, TimeQuality
from edge.config import to_toml
from edge.demo.people import StaffMember
from edge.domain.footage import Cause
from edge.exam import conduct
from edge.exam.banks import open_bank
from edge.recording import clips
from edge.recording.writer import Place, SegmentWriter
from edge.store import access, holds, ledger, segments, sessions
from edge.store.db import transaction
from edge.store.ledger import Entry
from edge.trust.pass_options import _drawn
from edge.trust.passes import PASSES, PassTrust, issue
from edge.trust.revoked import Revoked, sign_revoked
from edge.trust.signer import Ed25519Signer
from edge.web.app import create_app
from edge.web.body import csrf_of
from edge.web.spotcheck.access import OF_A_PART, OF_NO_SESSION, OF_THE_WHOLE
from support.cameras import make_packets
from support.rooms import make_desk_room
from support.serving import SUPERVISOR, TECHNICIAN, said

HOUR = 3_600_000
WHY = "家属申诉：王小明考试中被打断"


class Site:
    """A session that opened an hour ago, with eight seconds of its door half an hour ago, and others of long before."""

    def __init__(self, folder: Path) -> None:
        self.desk = make_desk_room(folder, camera={"door": {"backend": "file", "source": "door.mp4"}})
        self.db, self.session = self.desk.db, self.desk.session
        bank = open_bank(self.desk.identity, self.desk.config.paths.bundles, sessions.find(self.db, self.session))
        conduct.open_checkin(self.db, self.session, bank, "P-001")
        self.opened = clock.wall_ms() - HOUR
        self.filmed = self.opened + HOUR // 2
        with transaction(self.db):
            self.db.execute("UPDATE sessions SET opened_ms = ? WHERE id = ?", (self.opened, self.session))
        video, packets = make_packets(4)
        for sequence, start in enumerate((self.filmed, self.filmed + 4000, self.opened - 5 * HOUR), start=1):
            at = Instant(start, 1000, "0" * 32, TimeQuality.RTC)
            writer = SegmentWriter(Place(self.desk.config.paths.recordings, "door", "0" * 32, sequence), video, at, 1)
            for packet in packets:
                writer.write(packet)
            segments.index(self.db, writer.close(Cause.ROTATED))
        video.owner.close()
        self.root = Ed25519Signer.load(self.desk.config.paths.keys / "root.key")
        self.app = create_app(self.desk.config)

    def staff(self, who: StaffMember) -> Person:
        client = self.app.test_client()
        client.post("/staff/login", data={"badge": who.badge, "pin": who.pin, "next": ""})
        return Person(self, client)

    def a_pass(self, signer: Ed25519Signer | None = None, **change: Any) -> str:
        facts = {"name": "李检查", "rooms": ["room-1"], "from_ms": self.opened, "until_ms": self.opened + HOUR}
        facts |= {"not_before_ms": clock.wall_ms() - HOUR, "expires_ms": clock.wall_ms() + HOUR, "export": False}
        return issue(signer or self.root, **(facts | change))[1]

    def holder(self, text: str) -> Person:
        client = self.app.test_client()
        told = client.post("/staff/login", data={"pass": text, "next": ""})
        assert (told.status_code, told.headers["Location"]) == (302, "/spotcheck/"), told.text
        return Person(self, client)

    def entries(self, *kinds: str) -> list[Entry]:
        return ledger.entries(self.db, kinds=kinds)

    def refusals(self) -> list[Entry]:
        later = self.app.extensions["examroom"].later
        while not later.empty():
            later.get()(self.db)
        return self.entries("act_refused")

    def close(self) -> None:
        self.app.extensions["examroom"].journal.close()
        self.db.close()


class Person:
    def __init__(self, site: Site, client: FlaskClient) -> None:
        self.site, self.client = site, client
        cookie = client.get_cookie("examroom_staff")
        assert cookie is not None
        self.head = {"X-CSRF": csrf_of(cookie.value)}

    def open(self, since: int, until: int, session: str | None = None, **change: Any) -> Any:
        body = {"cameras": ["door"], "from": since, "until": until, "why": WHY} | change
        address = f"/spotcheck/api/{session or self.site.session}/views"
        return self.client.post(address, json=body, headers=self.head)

    def clip(self, view: str = "", camera: str = "door", session: str | None = None, **more: Any) -> Any:
        address = f"/spotcheck/{session or self.site.session}/clip/{camera}"
        headers = {"Accept": "application/json"} | ({"Range": more.pop("range")} if "range" in more else {})
        return self.client.get(address, query_string={"view": view, **more} if view else more, headers=headers)

    def export(self, since: int, until: int) -> TestResponse:
        body = {"camera": "door", "from": since, "until": until, "why": WHY}
        told = self.client.post(f"/spotcheck/api/{self.site.session}/exports", json=body, headers=self.head)
        if told.status_code == 202:
            exports = self.site.app.extensions["examroom"].exports
            while exports.job(told.json["id"]) is not None:
                time.sleep(0.01)
        return told

    def timeline(self) -> Any:
        return self.client.get(f"/spotcheck/api/{self.site.session}/timeline")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    made = Site(tmp_path_factory.mktemp("access"))
    yield made
    made.close()


# ---- views


def test_a_view_is_an_entry_with_who_what_span_and_why(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    supervisor, before = site.staff(SUPERVISOR), len(site.entries("footage_viewed"))
    opened = supervisor.open(site.filmed, site.filmed + 8000)
    assert opened.status_code == 200
    found = site.entries("footage_viewed")[before:]
    assert [(e.content["by"], e.session_id) for e in found] == [(SUPERVISOR.id, site.session)]
    body = found[0].body
    kept = site.db.execute("SELECT * FROM reasons WHERE sha256 = ?", (body.pop("reason_sha256"),)).fetchone()
    assert body == {"cameras": ["door"], "from_ms": site.filmed, "until_ms": site.filmed + 8000}
    assert (kept["text"], kept["by_staff"], kept["session_id"]) == (WHY, SUPERVISOR.id, site.session)
    assert hashlib.sha256(f"{kept['salt']}\n{WHY}".encode()).hexdigest() == kept["sha256"]
    assert hashlib.sha256(WHY.encode()).hexdigest() != kept["sha256"], "whoever guesses the words cannot tell"
    technician = site.staff(TECHNICIAN)
    assert technician.clip(technician.open(site.filmed, site.filmed + 100).json["view"]).status_code == 200
    assert site.entries("footage_viewed")[-1].content["by"] == TECHNICIAN.id
    # the words are in no entry, no answer and no log, and no address takes them
    assert not any(word in e.entry.decode() for e in ledger.entries(site.db) for word in (WHY, "王小明"))
    assert "王小明" not in caplog.text + opened.text
    assert said(supervisor.clip(why=WHY, **{"from": site.filmed, "until": site.filmed + 8000})) == "view_wanted"


def test_every_byte_belongs_to_a_view(site: Site) -> None:
    supervisor = site.staff(SUPERVISOR)
    view = supervisor.open(site.filmed + 1000, site.filmed + 6000).json["view"]
    parts = clips.clips_between(site.db, "door", site.filmed + 1000, site.filmed + 6000)
    for n, part in enumerate(parts):
        whole = b"".join(clips.stream(site.desk.config.paths.recordings, part))
        told = supervisor.clip(view, part=n)
        assert (told.status_code, told.data) == (200, whole)
        assert told.headers["X-Clip-Parts"] == "2"
        one = supervisor.clip(view, part=n, range="bytes=7-7")
        assert (one.status_code, one.data) == (206, whole[7:8])
    assert said(supervisor.clip(view, part=2)) == "no_footage"
    for ranged in ({}, {"range": "bytes=7-7"}):
        refused = [supervisor.clip("", **ranged), supervisor.clip("made-up", **ranged)]
        refused.append(site.staff(SUPERVISOR).clip(view + "x", **ranged))
        refused.append(site.staff(TECHNICIAN).clip(view, **ranged))
        assert {said(told) for told in refused} == {"view_wanted"}
        assert supervisor.client.head(f"/spotcheck/{site.session}/clip/door", query_string=ranged).status_code == 403


def test_a_view_is_for_its_own_session_camera_span_and_day(site: Site) -> None:
    supervisor = site.staff(SUPERVISOR)
    told = supervisor.client.post(
        f"/spotcheck/api/{site.session}/views",
        data=b'{"cameras": ["door"], "from": 1, "until": 2, "why": "\\ud800\\ud800"}',
        headers=supervisor.head,
    )
    assert said(told) == "body_wrong"
    assert said(supervisor.open(site.filmed, site.filmed + 1000, cameras=["hall"])) == "no_footage"
    assert said(supervisor.open(site.filmed, site.filmed + 1000, session="S-9")) == "session_unknown"
    for wrong in ({"why": "x"}, {"why": "  "}, {"why": "x" * 501}, {"cameras": []}, {"from": "now"}, {"extra": 1}):
        assert said(supervisor.open(site.filmed, site.filmed + 1000, **wrong)) == "body_wrong"
    view = supervisor.open(site.filmed, site.filmed + 3000).json["view"]
    assert supervisor.clip(view, **{"from": site.filmed + 1000}).status_code == 200
    assert said(supervisor.clip(view, until=site.filmed + 3001)) == "view_wanted"
    assert said(supervisor.clip(view, until="now")) == "span_wrong"
    assert said(supervisor.clip(view, **{"from": site.filmed + 3000})) == "span_wrong"
    assert said(supervisor.clip(view, part="one")) == "no_footage"
    assert said(supervisor.clip(view, camera="hall")) == "no_footage"
    assert said(supervisor.clip(view, session="S-9")) == "view_wanted"
    with transaction(site.db):
        site.db.execute("UPDATE footage_views SET cameras = '[\"hall\"]' WHERE view_id = ?", (view,))
    assert said(supervisor.clip(view)) == "view_wanted"
    old = supervisor.open(site.filmed, site.filmed + 3000).json["view"]
    with transaction(site.db):
        site.db.execute("UPDATE footage_views SET at_ms = at_ms - ? WHERE view_id = ?", (12 * HOUR, old))
    assert said(supervisor.clip(old)) == "view_wanted"


def test_a_span_outside_the_session_is_refused_and_shown_to_nobody(site: Site) -> None:
    supervisor, before = site.staff(SUPERVISOR), len(site.entries("footage_viewed", "export"))
    there = site.opened - 5 * HOUR  # where there is footage, of another time
    near = site.opened - 10 * 60_000
    ahead = clock.wall_ms() + 11 * 60_000
    for since, until in ((there, there + 4000), (near - 1, near + 1000), (ahead - 61_000, ahead)):
        assert said(supervisor.open(since, until)) == "span_outside"
        assert said(supervisor.export(since, until)) == "span_outside"
    for since, until in ((site.filmed, site.filmed), (site.filmed, site.filmed + HOUR + 1), (-1, 5)):
        assert said(supervisor.open(since, until)) in ("span_wrong", "body_wrong")
    assert len(site.entries("footage_viewed", "export")) == before
    assert supervisor.open(near, near + 1000).status_code == 200
    assert supervisor.open(site.opened, site.opened + HOUR).status_code == 200, "an hour and no more"


def test_a_search_leaves_one_entry_in_ten_minutes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor, technician = site.staff(SUPERVISOR), site.staff(TECHNICIAN)
    before = len(site.entries("footage_searched"))
    shown = supervisor.timeline().json
    for _ in range(3):
        supervisor.timeline()
    technician.timeline()
    found = site.entries("footage_searched")[before:]
    assert [e.content["by"] for e in found] == [SUPERVISOR.id, TECHNICIAN.id]
    assert found[0].body == {"cameras": ["door"], "from_ms": shown["from_ms"], "until_ms": shown["until_ms"]}
    now = clock.wall_ms()
    monkeypatch.setattr(clock, "wall_ms", lambda: now + access.SAME_SEARCH_MS)
    supervisor.timeline()
    assert len(site.entries("footage_searched")) == before + 3


# ---- passes


def test_a_pass_shows_its_rooms_and_times_and_nothing_else(site: Site) -> None:
    until = site.filmed + 6000
    text = site.a_pass(from_ms=site.filmed + 2000, until_ms=until)
    holder = site.holder(text)
    entry = site.entries("pass_signed_in")[-1]
    assert entry.content["by"].startswith("pass:") and "李检查" not in entry.entry.decode()
    page = holder.client.get("/spotcheck/").text
    assert site.session in page and "李检查" in page and "/console/" not in page
    assert "/spotcheck/" in holder.client.get("/staff/").text
    shown = holder.timeline().json
    assert (shown["from_ms"], shown["until_ms"]) == (site.filmed + 2000, until)
    assert shown["allowed"] == {"from_ms": site.filmed + 2000, "until_ms": until, "export": False}
    assert all(site.filmed + 2000 <= mark["at_ms"] <= until for mark in shown["marks"])
    view = holder.open(site.filmed + 2000, until).json["view"]
    assert holder.clip(view).status_code == 200
    assert site.entries("footage_viewed")[-1].content["by"] == entry.content["by"]
    for since, end in ((site.filmed + 1999, until), (site.filmed + 2000, until + 1), (site.opened, site.opened + 9)):
        assert said(holder.open(since, end)) == "span_not_in_pass"
        assert said(holder.export(since, end)) == "span_not_in_pass"
        refused = site.refusals()[-2:]
        assert {(e.session_id, e.body["from_ms"], e.body["until_ms"]) for e in refused} == {(site.session, since, end)}
        assert [(e.body["reason"], e.body["cameras"]) for e in refused] == [("span_not_in_pass", ["door"])] * 2
    assert said(holder.export(site.filmed + 2000, until)) == "pass_no_export"
    assert said(site.staff(SUPERVISOR).clip(view)) == "view_wanted"
    for address in ("/console/", f"/console/api/{site.session}/board", "/scoring/", "/kiosk/pair", "/setup/"):
        told = holder.client.get(address, headers={"Accept": "application/json"})
        assert told.status_code in (200, 403)
        assert told.status_code == 403 or address == "/setup/"
    act = holder.client.post(f"/console/api/{site.session}/start", json={"reason": "开考"}, headers=holder.head)
    assert said(act) == "pass_elsewhere"
    assert said(holder.open(site.filmed + 2000, until, session="S-9")) == "session_unknown"
    assert site.refusals()[-1].session_id is None, "whatever stands in an address"


def test_a_pass_of_another_time_covers_no_session(site: Site) -> None:
    holder = site.holder(site.a_pass(from_ms=site.opened - 9 * HOUR, until_ms=site.opened - 2 * HOUR))
    assert site.session not in holder.client.get("/spotcheck/").text
    before = len(site.entries("footage_searched", "footage_viewed", "export"))
    assert said(holder.timeline()) == "session_not_in_pass"
    assert said(holder.open(site.filmed, site.filmed + 1000)) == "session_not_in_pass"
    assert said(holder.export(site.filmed, site.filmed + 1000)) == "session_not_in_pass"
    assert said(holder.clip("any")) == "session_not_in_pass"
    assert holder.client.get(f"/spotcheck/{site.session}").status_code == 403
    assert len(site.entries("footage_searched", "footage_viewed", "export")) == before


def test_a_pass_opens_what_is_named_and_nothing_else_of_the_room(site: Site) -> None:
    """Over all routes: what nobody thought of is refused."""
    routes = {
        rule.endpoint.removeprefix("spotcheck."): rule
        for rule in site.app.url_map.iter_rules()
        if rule.endpoint.startswith("spotcheck.")
    }
    room_s = {"space_page", "space", "hold", "release", "static"}
    assert set(routes) == OF_NO_SESSION | OF_A_PART | OF_THE_WHOLE | room_s
    held = site.staff(SUPERVISOR)
    sent = {"camera": "door", "from": site.filmed, "until": site.filmed + 9, "why": "申诉"}
    placed = held.client.post("/spotcheck/api/holds", json=sent, headers=held.head).json["hold"]
    names = {"session": site.session, "camera": "door", "hold": placed, "segment": "s", "export_id": "e", "number": "1"}
    elsewhere = site.holder(site.a_pass(from_ms=site.opened - 9 * HOUR, until_ms=site.opened - 2 * HOUR))
    a_second = site.holder(site.a_pass(from_ms=site.filmed, until_ms=site.filmed + 1000, export=True))
    before = ledger.size(site.db)

    def ask(who: Person, name: str) -> TestResponse:
        rule = routes[name]
        method = next(method for method in ("POST", "DELETE", "GET") if method in (rule.methods or ()))
        _, address = rule.build({one: names[one] for one in rule.arguments}) or ("", "")
        head = who.head | {"Accept": "application/json"}
        return who.client.open(address, method=method, json=sent if method == "POST" else None, headers=head)

    for name in set(routes) - OF_NO_SESSION - {"static"}:
        told = ask(elsewhere, name)
        refused = "pass_not_room" if name in room_s else "session_not_in_pass"
        assert (told.status_code, said(told)) == (403, refused), name
    for name in OF_THE_WHOLE | room_s - {"static"}:
        told = ask(a_second, name)
        refused = "pass_not_room" if name in room_s else "session_partly_in_pass"
        assert (told.status_code, said(told)) == (403, refused), name
    kinds = {entry.kind for entry in ledger.entries(site.db, since=before)}
    assert kinds <= {"act_refused"}
    assert [hold.id for hold in holds.standing(site.db)] == [placed]
    for who in (elsewhere, a_second):
        page = who.client.get("/spotcheck/").text
        assert "/spotcheck/space" not in page
        assert who.client.get("/spotcheck/sample/").status_code == 200
    assert "/certificate" not in a_second.client.get(f"/spotcheck/{site.session}").text
    holds.release(site.db, placed, "已了结", SUPERVISOR.id)
    # a pass that covers all of it opens what is about all of it
    whole = site.holder(site.a_pass(from_ms=site.opened - 1, until_ms=site.opened + 9 * HOUR))
    assert "/certificate" in whole.client.get(f"/spotcheck/{site.session}").text
    assert ask(whole, "certificate").status_code == 200
    assert said(ask(whole, "inspected")) not in ("pass_not_room", "session_partly_in_pass")
    page = f"/spotcheck/{site.session}"
    assert "data-inspected" not in whole.client.get(page).text, "it is signed first"
    signed = "UPDATE sessions SET state = 'signed', closed_ms = ?1, signed_ms = ?1"
    with transaction(site.db):
        site.db.execute(signed, (site.opened + HOUR // 2 + 500,))
    assert "data-inspected" in whole.client.get(page).text and "js/inspect.js" in whole.client.get(page).text
    assert "data-inspected" not in a_second.client.get(page).text
    assert said(ask(a_second, "inspected")) == "session_partly_in_pass"
    done = whole.client.post(f"/spotcheck/api/{site.session}/inspected", json={}, headers=whole.head)
    assert done.status_code == 200 and "data-inspected" not in whole.client.get(page).text
    with transaction(site.db):
        site.db.execute("UPDATE sessions SET state = 'checkin', closed_ms = NULL, signed_ms = NULL")
        site.db.execute("DELETE FROM inspections")


def test_a_pass_that_allows_it_takes_evidence_away(site: Site) -> None:
    holder = site.holder(site.a_pass(export=True))
    told = holder.export(site.filmed, site.filmed + 4000)
    assert told.status_code == 202
    with holder.client.get(told.json["url"]) as file:
        assert (file.status_code, file.mimetype, file.data[:2]) == (200, "application/zip", b"PK")
    other = site.staff(SUPERVISOR).client.get(told.json["url"], headers={"Accept": "application/json"})
    assert said(other) == "export_gone", "each sees their own"
    assert site.entries("export")[-1].content["by"].startswith("pass:")
    assert holder.timeline().json["allowed"]["export"] is True


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("pass_expired", {"not_before_ms": 1_000_000, "expires_ms": 2_000_000}),
        ("pass_early", {"not_before_ms": 2**45, "expires_ms": 2**45 + HOUR}),
        ("pass_other_room", {"rooms": ["room-2", "room-3"]}),
        ("pass_key", {"signer": Ed25519Signer.generate()}),
    ],
)
def test_a_pass_that_does_not_count_has_its_own_sentence(site: Site, code: str, change: dict[str, Any]) -> None:
    client = site.app.test_client()
    told = client.post("/staff/login", data={"pass": site.a_pass(**change)}, headers={"Accept-Language": "zh"})
    assert told.status_code in (403, 422)
    assert client.get_cookie("examroom_staff") is None
    assert site.entries("pass_refused")[-1].body == {"reason": code}


def test_what_is_no_pass_is_said_and_signs_nobody_in(site: Site) -> None:
    client, good = site.app.test_client(), site.a_pass()
    other = good[:60] + ("0" if good[60] != "0" else "1") + good[61:]
    for text in ("XP1:", "hello", good[:-30], other, "XP1:" + "A" * 15_999, "x\ud7ffy"):
        told = client.post("/staff/login", data={"pass": text})
        assert told.status_code in (400, 422), text
        assert 'role="alert"' in told.text
    odd = client.post("/staff/login", data={"pass_file": (io.BytesIO(b"\xff\xfe\x00" * 50), "x.svg")})
    assert odd.status_code == 400
    assert client.get_cookie("examroom_staff") is None


def test_the_file_of_the_code_is_a_pass_too(site: Site) -> None:
    text = site.a_pass()
    for content, name in ((_drawn(text), "pass.svg"), (b"\xef\xbb\xbf" + text.encode() + b"\r\n", "pass.txt")):
        client = site.app.test_client()
        told = client.post("/staff/login", data={"pass_file": (io.BytesIO(content), name), "pass": ""})
        assert told.status_code == 302, told.text
        assert client.get("/spotcheck/").status_code == 200


def test_a_pass_ends_while_its_holder_is_in(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    lost, other = site.a_pass(), site.a_pass()
    holder, stays = site.holder(lost), site.holder(other)
    trust = PassTrust(site.desk.config.paths.trust, [site.root.public])
    lost_id = site.entries("pass_signed_in")[-2].content["by"].removeprefix("pass:")
    trust.replace(sign_revoked(Revoked(serial=2, ids=[lost_id]), PASSES, site.root))
    told = holder.timeline()
    assert (told.status_code, said(told)) == (401, "pass_revoked")
    assert site.entries("pass_refused")[-1].body == {"reason": "pass_revoked"}
    assert said(holder.timeline()) == "not_signed_in"
    assert site.app.test_client().post("/staff/login", data={"pass": lost}).status_code == 403
    assert stays.timeline().status_code == 200
    now = clock.wall_ms()
    monkeypatch.setattr(clock, "wall_ms", lambda: now + HOUR)
    assert said(stays.timeline()) == "pass_expired"
    monkeypatch.undo()
    (site.desk.config.paths.trust / PASSES.name).write_bytes(b"damaged")
    assert site.app.test_client().post("/staff/login", data={"pass": site.a_pass()}).status_code == 422
    assert site.entries("pass_refused")[-1].body == {"reason": "passes_list_broken"}
    (site.desk.config.paths.trust / PASSES.name).unlink()


def test_a_sample_is_announced_and_drawn_on_a_page(site: Site) -> None:
    supervisor = site.staff(SUPERVISOR)

    def send(act: str, **form: Any) -> TestResponse:
        return supervisor.client.post(
            f"/spotcheck/sample/{act}", data=form | {"csrf": supervisor.head["X-CSRF"]}, headers={"Accept": "text/html"}
        )

    wanted = {"session": [site.session], "count": "4", "source": "今晚的开奖号码"}
    assert send("announce", **wanted).status_code == 409, "the session still runs"
    with transaction(site.db):
        site.db.execute("UPDATE sessions SET state = 'closed', closed_ms = opened_ms + ?", (HOUR,))
    for wrong in ({"session": []}, {"count": ""}, {"count": "9999"}, {"source": " "}, {"session": ["S-9"]}):
        assert 400 <= send("announce", **(wanted | wrong)).status_code < 500
    assert site.entries("sample_announced") == []
    page = supervisor.client.get("/spotcheck/sample/").text
    assert f'value="{site.session}"' in page and "/spotcheck/sample/" in supervisor.client.get("/spotcheck/").text
    file = send("announce", **wanted).data
    assert send("draw", file=(io.BytesIO(file), "s.json")).status_code == 400, "no seed yet"
    drawn = send("draw", file=(io.BytesIO(file), "s.json"), seed="03 07 12")
    assert drawn.status_code == 200, drawn.text
    listed = site.entries("sample_drawn")[-1].body["chosen"]
    assert len(listed) == 4
    for session, camera, from_ms in listed:
        assert f"/spotcheck/{session}?at={from_ms}&amp;camera={camera}" in drawn.text
    link = re.search(r"data:application/json;base64,([A-Za-z0-9+/=]+)", drawn.text)
    assert link is not None
    taken = base64.b64decode(link[1])
    again = send("draw", file=(io.BytesIO(taken), "s.json"))
    assert again.status_code == 200 and again.text == drawn.text and "与本考场台账一致" in again.text
    facts = json.loads(taken) | {"seed": "my own", "chosen": None}
    assert "本考场台账里没有" in send("draw", file=(io.BytesIO(json.dumps(facts).encode()), "s.json")).text
    assert send("draw", file=(io.BytesIO(file), "s.json"), seed="another").status_code == 409
    assert len(site.entries("sample_drawn")) == 1
    for junk in (b"", b"{}", b"\xff", taken.replace(b"03 07 12", b"03 07 13")):
        assert 400 <= send("draw", file=(io.BytesIO(junk), "s.json")).status_code < 500
    # the holder of a pass draws from what the pass covers
    holder = site.holder(site.a_pass(from_ms=site.opened, until_ms=site.opened + 120_000))
    form = wanted | {"csrf": holder.head["X-CSRF"], "count": "3"}
    own = holder.client.post("/spotcheck/sample/announce", data=form)
    assert own.status_code == 200, own.text
    assert own.json["population"][0]["minutes"] in (2, 3)
    with transaction(site.db):
        site.db.execute("UPDATE sessions SET state = 'checkin', closed_ms = NULL")


def test_who_looked_can_be_read_with_the_words_while_they_are_kept(site: Site, tmp_path: Path) -> None:
    holder, before = site.holder(site.a_pass(export=True)), len(access.looks(site.db, site.session))
    holder.open(site.filmed, site.filmed + 1000)
    holder.export(site.filmed, site.filmed + 1000)
    found = access.looks(site.db, site.session)[before:]
    assert [(look.kind, look.name, look.why) for look in found] == [
        ("footage_viewed", "李检查", WHY),
        ("export", "李检查", WHY),
    ]
    assert {(look.cameras, look.from_ms, look.until_ms) for look in found} == {
        (("door",), site.filmed, site.filmed + 1000)
    }
    config = tmp_path / "examroom.toml"
    config.write_text(to_toml(site.desk.config))
    told = CliRunner().invoke(main, ["--config", str(config), "footage", "looks", site.session])
    assert told.exit_code == 0 and WHY in told.output and "李检查" in told.output
    assert CliRunner().invoke(main, ["--config", str(config), "footage", "looks", "S-9"]).exit_code == 2
    with transaction(site.db):
        site.db.execute("DELETE FROM reasons")
        site.db.execute("DELETE FROM pass_sessions")
        site.db.execute("DELETE FROM passes")
    assert {(look.name, look.why) for look in access.looks(site.db, site.session)[before:]} == {(None, None)}


def test_a_holder_signs_out_like_anybody(site: Site) -> None:
    holder = site.holder(site.a_pass())
    assert holder.client.post("/staff/logout", data={"csrf": holder.head["X-CSRF"]}).status_code == 302
    assert said(holder.timeline()) == "not_signed_in"
