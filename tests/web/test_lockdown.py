"""Which browser a candidate may answer in, and what is noted of leaving the page: over real HTTP, as behind nginx."""

from __future__ import annotations

import gzip
import hashlib
import json
import plistlib
import sqlite3
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import requests

from edge.domain import seb
from edge.domain.canonical import canonical_text
from edge.exam import lockdown
from edge.exam import seb as room_seb
from edge.ops.desk import Person
from edge.ops.ports import free_port
from edge.store import ledger, purge
from edge.store import lockdown as rows
from edge.store.db import connect, transaction
from edge.trust import addresses, roomtls
from support.rooms import DeskRoom, make_desk_room
from support.serving import open_exam, serving, until

HOST = "room7.local"
OUTSIDE = {"Host": HOST, "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.168.7.31"}
CONFIG, EXAM = "X-SafeExamBrowser-ConfigKeyHash", "X-SafeExamBrowser-RequestHash"
PAGE_CONFIG = "X-Examroom-Config-Key"


def hashed(address: str, key: str) -> str:
    """What the browser sends, reckoned here by the published rule."""
    return hashlib.sha256((address + key).encode()).hexdigest()


def with_policy(desk: DeskRoom, **rules: Any) -> None:
    row = desk.db.execute("SELECT policy FROM sessions WHERE id = ?", (desk.session,)).fetchone()
    policy = canonical_text({**json.loads(row["policy"]), **rules})
    with transaction(desk.db):
        desk.db.execute("UPDATE sessions SET policy = ? WHERE id = ?", (policy, desk.session))


@dataclass
class Site:
    base: str
    desk: DeskRoom
    proctor: Person
    codes: list[str]


@dataclass
class Browser:
    """One tablet's browser behind nginx; `keys` is what its Safe Exam Browser was set up with."""

    site: Site
    config_key: str | None = None
    exam_key: str | None = None
    csrf: str = ""
    http: requests.Session = field(default_factory=requests.Session)
    cookie: str = ""

    def headers(self, path: str) -> dict[str, str]:
        address = f"https://{HOST}{path}"
        found = dict(OUTSIDE)
        if self.config_key:
            found[CONFIG] = hashed(address, self.config_key)
        if self.exam_key:
            found[EXAM] = hashed(address, self.exam_key)
        return found

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        sent = self.headers(path) | {"X-CSRF": self.csrf, "Cookie": self.cookie} | headers
        answer = self.http.request(method, self.site.base + path, json=body, headers=sent, timeout=10)
        if path == "/exam/api/claim" and answer.ok:
            self.csrf = answer.json()["csrf"]
            self.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return answer

    def claim(self, code: str) -> requests.Response:
        return self.ask("POST", "/exam/api/claim", {"seat_code": code})


def opened(folder: Path, **rules: Any) -> Iterator[Site]:
    web = {"port": free_port(), "behind_proxy": True}
    desk = make_desk_room(folder, web=web)
    roomtls.make(desk.config.paths.tls, [HOST], addresses.addresses(), datetime.now(UTC))
    with_policy(desk, **rules)
    with serving(desk, folder) as (_, base):
        proctor, codes = open_exam(base, desk.session)
        yield Site(base, desk, proctor, codes)
    desk.db.close()


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A session that asks for the room's own exam file."""
    yield from opened(tmp_path_factory.mktemp("strict"), lockdown="seb")


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A session whose policy lists the keys, those of the browser's build too."""
    keys = {"required": True, "config_keys": ["11" * 32, "22" * 32], "browser_exam_keys": ["33" * 32]}
    yield from opened(tmp_path_factory.mktemp("listed"), seb=keys)


@pytest.fixture(scope="module")
def noting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    yield from opened(tmp_path_factory.mktemp("noting"))


def own_key(site: Site) -> str:
    ca = roomtls.load(site.desk.config.paths.tls).ca_der
    return room_seb.own_key(f"https://{HOST}", ca, "")


def entries(site: Site, kind: str) -> list[dict[str, Any]]:
    connection = connect(site.desk.config.paths.room_db)
    try:
        return [entry.content for entry in ledger.entries(connection, kinds=(kind,))]
    finally:
        connection.close()


def seat_of(site: Site, code: str) -> dict[str, Any]:
    board = site.proctor.get(f"/console/api/{site.desk.session}/board")
    found: dict[str, Any] = next(seat for seat in board["seats"] if seat.get("seat_code") == code)
    return found


def test_the_rooms_own_file_opens_the_exam(strict: Site) -> None:
    """The file is downloaded, its key reckoned, and the browser that has it is let in all the way."""
    file = requests.get(f"{strict.base}/setup/exam.seb", headers=OUTSIDE, timeout=10)
    assert "attachment" in file.headers["Content-Disposition"]
    settings = plistlib.loads(gzip.decompress(gzip.decompress(file.content)[4:]))
    assert settings["startURL"] == f"https://{HOST}/exam/"
    browser = Browser(strict, seb.config_key(settings))
    assert browser.claim(strict.codes[0]).status_code == 200
    paper = browser.ask("GET", "/exam/api/paper")
    assert paper.status_code == 200
    item = paper.json()["parts"][0]["items"][0]
    op = {"op_id": uuid.uuid4().hex, "seq": 1, "item": item["id"], "base_version": 0, "value": ["A"]}
    assert browser.ask("POST", "/exam/api/answers", op).status_code == 200


def test_the_newer_view_tells_by_the_page(strict: Site) -> None:
    key = own_key(strict)
    for page in ("/exam/", "/exam/?lang=en"):
        browser = Browser(strict)
        header = {PAGE_CONFIG: hashed(f"https://{HOST}{page}", key)}
        answer = browser.ask("POST", "/exam/api/claim", {"seat_code": strict.codes[1]}, **header)
        assert answer.status_code in (200, 409)  # the second asks for a seat that is taken: past the browser's check
        if answer.ok:
            assert browser.ask("GET", "/exam/api/clock", **header).status_code == 200
            assert browser.ask("GET", "/exam/api/clock").status_code == 403


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("no header", "seb_required"),
        ("another key", "seb_other_settings"),
        ("hash of another address", "seb_other_settings"),
        ("hash of the same path by HTTP", "seb_other_settings"),
        ("hash for another host", "seb_other_settings"),
        ("hash of the page as the request's", "seb_other_settings"),
        ("page's hash of another page", "seb_other_settings"),
        ("the key itself", "seb_other_settings"),
        ("empty", "seb_other_settings"),
    ],
)
def test_anything_else_is_refused_and_holds_no_seat(strict: Site, name: str, code: str) -> None:
    key, path = own_key(strict), "/exam/api/claim"
    headers = {
        "no header": {},
        "another key": {CONFIG: hashed(f"https://{HOST}{path}", "00" * 32)},
        "hash of another address": {CONFIG: hashed(f"https://{HOST}/exam/api/clock", key)},
        "hash of the same path by HTTP": {CONFIG: hashed(f"http://{HOST}{path}", key)},
        "hash for another host": {CONFIG: hashed(f"https://elsewhere.local{path}", key)},
        "hash of the page as the request's": {CONFIG: hashed(f"https://{HOST}/exam/", key)},
        "page's hash of another page": {PAGE_CONFIG: hashed(f"https://{HOST}/setup/", key)},
        "the key itself": {CONFIG: key, PAGE_CONFIG: key},
        "empty": {CONFIG: "", PAGE_CONFIG: ""},
    }[name]
    answer = Browser(strict).ask("POST", path, {"seat_code": strict.codes[2]}, **headers)
    assert answer.status_code == 403
    assert answer.json()["error"] == code
    assert "Safe Exam Browser" in answer.json()["zh"]
    assert not requests.Session().cookies and "Set-Cookie" not in answer.headers
    assert Browser(strict, key).ask("GET", "/exam/api/clock").status_code == 401  # nobody has the seat


def test_what_a_client_says_of_host_and_scheme_does_not_help_it(strict: Site) -> None:
    """nginx drops X-Forwarded-Host; a hash for another host is a hash for another host."""
    key = own_key(strict)
    header = {CONFIG: hashed("https://evil.local/exam/api/claim", key), "X-Forwarded-Host": ""}
    answer = Browser(strict).ask("POST", "/exam/api/claim", {"seat_code": strict.codes[2]}, **header)
    assert answer.status_code == 403


def test_a_replayed_hash_of_another_request_is_refused(strict: Site) -> None:
    key, code = own_key(strict), strict.codes[3]
    honest = Browser(strict, key)
    assert honest.claim(code).status_code == 200
    clock_hash = honest.headers("/exam/api/clock")[CONFIG]
    thief = Browser(strict, csrf=honest.csrf, cookie=honest.cookie)
    assert thief.ask("GET", "/exam/api/clock", **{CONFIG: clock_hash}).status_code == 200
    assert thief.ask("GET", "/exam/api/paper", **{CONFIG: clock_hash}).status_code == 403
    assert (
        thief.ask("POST", "/exam/api/handin", {"op_id": "x" * 8, "seq": 1}, **{CONFIG: clock_hash}).status_code == 403
    )


def test_a_refusal_is_in_the_ledger_once_and_on_the_board(strict: Site) -> None:
    code = strict.codes[4]
    browser = Browser(strict, own_key(strict))
    assert browser.claim(code).status_code == 200
    browser.config_key = None
    person = seat_of(strict, code)["person"]
    for _ in range(5):
        assert browser.ask("GET", "/exam/api/clock").status_code == 403
    until(lambda: "seb_refused" in seat_of(strict, code)["alarms"], 10, "the alarm")
    time.sleep(2.5)
    assert len([e for e in entries(strict, "seb_refused") if e["subject"] == person]) == 1


def test_the_proctor_may_exempt_one_seat(strict: Site) -> None:
    code, other = strict.codes[5], strict.codes[2]
    browser = Browser(strict)
    assert browser.claim(code).status_code == 403
    person = seat_of(strict, code)["person"]
    act = f"/console/api/{strict.desk.session}/seb-exempt"
    strict.proctor.post(act, person=person, reason="平板上装不了", op_id="exempt-0001")
    strict.proctor.post(act, person=person, reason="平板上装不了", op_id="exempt-0001")
    assert browser.claim(code).status_code == 200
    assert browser.ask("GET", "/exam/api/paper").status_code == 200
    assert Browser(strict).claim(other).status_code == 403
    noted = [e for e in entries(strict, "seb_exempted") if e["subject"] == person]
    assert len(noted) == 1 and set(noted[0]["body"]) == {"reason_sha256"}
    assert "seb_refused" not in seat_of(strict, code)["alarms"]


def test_the_console_of_such_a_session_hands_its_file_out(strict: Site, listed: Site, noting: Site) -> None:
    link = f"/setup/exam.seb?session={strict.desk.session}"
    page = f"/console/{strict.desk.session}"
    assert link in strict.proctor._http.get(strict.base + page, timeout=10).text
    warned = [
        "browser_exam_keys" in site.proctor._http.get(f"{site.base}/console/{site.desk.session}", timeout=10).text
        for site in (strict, listed, noting)
    ]
    assert warned == [True, False, False]
    assert "exam.seb" not in noting.proctor._http.get(noting.base + page, timeout=10).text
    file = requests.get(strict.base + link, headers=OUTSIDE, timeout=10)
    inside = plistlib.loads(gzip.decompress(gzip.decompress(file.content)[4:]))
    assert seb.config_key(inside) == own_key(strict)


def test_listed_keys_are_the_only_ones(listed: Site) -> None:
    cases = [("11", "33", 200), ("22", "33", 200), ("11", "44", 403), ("44", "33", 403), ("11", None, 403)]
    for number, (config, exam, wanted) in enumerate(cases):
        browser = Browser(listed, config * 32, exam * 32 if exam else None)
        assert browser.claim(listed.codes[number]).status_code == wanted, (config, exam)
    assert Browser(listed, own_key(listed), "33" * 32).claim(listed.codes[5]).status_code == 403


def test_exempting_where_nothing_is_asked_is_refused(noting: Site) -> None:
    person = seat_of(noting, noting.codes[0])["person"]
    with pytest.raises(Exception, match=r"Safe Exam Browser|409"):
        noting.proctor.post(f"/console/api/{noting.desk.session}/seb-exempt", person=person, reason="不需要")


def seen(kind: str, for_ms: int = 0) -> dict[str, Any]:
    return {"kind": kind, "at_ms": int(time.time() * 1000), "for_ms": for_ms}


def test_leaving_the_page_is_counted_shown_and_noted_once(noting: Site) -> None:
    code = noting.codes[1]
    browser = Browser(noting)
    assert browser.claim(code).json()["session"]["lockdown"] == "note"
    before = len(entries(noting, "focus_lost"))
    for _ in range(3):
        events = [seen("page_hidden", 4000), seen("page_hidden", 1000), seen("copy")]
        assert browser.ask("POST", "/exam/api/watch", {"events": events}).json() == {"noted": 3}
    until(lambda: seat_of(noting, code)["focus_lost"] == 9, 10, "the count on the board")
    assert "focus_lost" in seat_of(noting, code)["alarms"]
    new = entries(noting, "focus_lost")[before:]
    assert sorted(e["body"]["what"] for e in new) == ["copy", "page_hidden"]
    assert all(e["subject"] == seat_of(noting, code)["person"] for e in new)


@pytest.mark.parametrize(
    "body",
    [
        {"events": []},
        {"events": [{"kind": "sneezed", "at_ms": 1}]},
        {"events": [{"kind": "copy", "at_ms": -1}]},
        {"events": [{"kind": "copy", "at_ms": 1, "for_ms": 10**12}]},
        {"events": [{"kind": "copy", "at_ms": 1}] * 101},
        {"events": [{"kind": "copy", "at_ms": 1, "text": "what was copied"}]},
        {},
    ],
)
def test_what_is_not_an_event_is_refused(noting: Site, body: dict[str, Any]) -> None:
    browser = Browser(noting)
    assert browser.claim(noting.codes[2]).ok, "each time before it was given back"
    answer = browser.ask("POST", "/exam/api/watch", body)
    assert answer.status_code == 400
    person = seat_of(noting, noting.codes[2])["person"]
    noting.proctor.post(f"/console/api/{noting.desk.session}/release-tablet", person=person, reason="换平板")


def test_a_stranger_reports_nothing(noting: Site) -> None:
    browser = Browser(noting)
    assert browser.ask("POST", "/exam/api/watch", {"events": [seen("copy")]}).status_code == 401
    browser.claim(noting.codes[3])
    browser.csrf = "0" * 32
    assert browser.ask("POST", "/exam/api/watch", {"events": [seen("copy")]}).status_code == 403


def what(desk: DeskRoom, kind: str = "copy") -> rows.Watched:
    return rows.Watched(desk.session, "person-1", "attempt-1", "tablet-1", kind)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskRoom]:
    found = make_desk_room(tmp_path, size=2)
    yield found
    found.db.close()


def noted(db: sqlite3.Connection) -> list[dict[str, Any]]:
    return [entry.body for entry in ledger.entries(db, kinds=("focus_lost",))]


def test_the_ledger_hears_of_the_first_and_then_once_an_hour(desk: DeskRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1_800_000_000_000]
    monkeypatch.setattr("edge.clock.wall_ms", lambda: now[0])
    keeper = lockdown.Lockdown()
    for minute in range(130):
        now[0] += 60_000
        keeper.add(what(desk), 1, 500, lambda job: job(desk.db))
        assert minute >= 0
    assert [body["count"] for body in noted(desk.db)] == [1, 61, 121]
    assert rows.times_away(desk.db, desk.session) == {"attempt-1": {"copy": 130}}


def test_what_gathers_is_written_at_once_and_asked_for_once(desk: DeskRoom) -> None:
    keeper = lockdown.Lockdown()
    jobs: list[Any] = []
    for _ in range(50):
        keeper.add(what(desk), 2, 10, jobs.append)
    assert len(jobs) == 1
    jobs[0](desk.db)
    assert rows.times_away(desk.db, desk.session)["attempt-1"] == {"copy": 100}


def test_nothing_gathered_is_lost_when_the_store_refuses(desk: DeskRoom) -> None:
    keeper = lockdown.Lockdown()
    jobs: list[Any] = []
    keeper.add(what(desk), 1, 0, jobs.append)
    desk.db.execute("PRAGMA query_only = ON")
    with pytest.raises(Exception, match=r"readonly|store"):
        jobs[0](desk.db)
    desk.db.execute("PRAGMA query_only = OFF")
    keeper.add(what(desk), 1, 0, jobs.append)
    jobs[-1](desk.db)
    assert rows.times_away(desk.db, desk.session)["attempt-1"] == {"copy": 2}


def test_it_goes_with_the_session(desk: DeskRoom) -> None:
    keeper = lockdown.Lockdown()
    keeper.add(what(desk), 1, 0, lambda job: job(desk.db))
    with transaction(desk.db):
        assert rows.exempt(desk.db, desk.session, "person-1", "staff-1")
        purge.purge_session(desk.db, desk.session)
    assert desk.db.execute("SELECT count(*) FROM lockdown").fetchone()[0] == 0
    assert desk.db.execute("SELECT count(*) FROM lockdown_exempt").fetchone()[0] == 0


def test_a_count_for_a_session_that_is_gone_is_dropped_and_holds_up_nobody(desk: DeskRoom) -> None:
    """A practice session deleted while a count waits: the note would be tried for ever, and every other behind it."""
    keeper = lockdown.Lockdown()
    jobs: list[Any] = []
    gone = rows.Watched("practice-gone", "person-9", "attempt-9", "tablet-9", "copy")
    keeper.add(gone, 1, 0, jobs.append)
    keeper.add(what(desk), 3, 0, jobs.append)
    jobs[0](desk.db)
    assert rows.times_away(desk.db, desk.session) == {"attempt-1": {"copy": 3}}
    assert rows.times_away(desk.db, "practice-gone") == {}
