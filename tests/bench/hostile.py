"""Hostile requests against a running `web`, and what must be true after each and after all of them.

The requests come from the OpenAPI document (schemathesis: data that fits it and data that does not), from a list of
what breaks parsers, and from raw bytes; they are sent as nobody, as a candidate, and as staff of this and of another
session. `Yard` is the room they are sent to, `Caller` one who sends, `Count` what came of it.
"""

from __future__ import annotations

import copy
import functools
import json
import re
import socket
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import requests
import yaml
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from edge import clock
from edge.demo import people as cast
from edge.domain.canonical import canonical
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.ops.desk import StaffMember
from edge.store import ledger
from edge.store.db import connect
from edge.web.body import csrf_of
from support.rooms import DeskRoom, make_desk_room
from support.serving import Service, free_port, open_exam, serving, until

DOCUMENT: dict[str, Any] = yaml.safe_load((resources.files("edge.web") / "openapi.yaml").read_text("utf-8"))
REGISTRY: Registry[Any] = Registry().with_resource("", Resource(DOCUMENT, DRAFT202012))
OTHER = "S-2"
OTHERS = tuple(
    StaffMember(f"{one.id[0]}-002", one.name, one.role, f"8000000{number}", f"99887{number}")
    for number, one in enumerate(cast.STAFF)
)
WATCHMAN = StaffMember("W-002", "魏值班", "technician", "80000009", "998879")
ELSEWHERE = {"X-Forwarded-For": "203.0.113.9"}
"""So that nobody is taken for the box's own screen."""
MARK = "MARK-OF-ANOTHER"
CHINESE = re.compile(r"[\u4e00-\u9fff]")
METHODS = ("get", "post")
TIMEOUT = 20.0
# written by the process itself, whoever asks
OF_THE_ROOM = {"answers.exam_clock", "answers.digests", "room.checkpoints", "room.ledger_nodes"}
LEDGER_OF_NOBODY = {"tablet_refused", "staff_refused", "answers", "act_refused"}

Row = tuple[tuple[str, Any], ...]
Tables = dict[str, Counter[Row]]


@dataclass
class Count:
    """Requests by answer."""

    statuses: Counter[int] = field(default_factory=Counter)
    raw: int = 0
    silent: int = 0
    """Connections the server closed without a word."""

    @property
    def requests(self) -> int:
        return sum(self.statuses.values()) + self.silent

    @property
    def refused(self) -> int:
        return sum(n for status, n in self.statuses.items() if 400 <= status < 500)

    @property
    def faults(self) -> int:
        """Answers of 500 and above, but the server's own word for transfer codings it does not know."""
        return sum(n for status, n in self.statuses.items() if status >= 500 and status != 501)


@dataclass(frozen=True)
class Caller:
    """One who sends. `may` says which rows may differ after all they have sent: (table, row) -> bool."""

    name: str
    cookies: dict[str, str]
    token: str
    may: Callable[[str, dict[str, Any]], bool]
    tablet: bool = False
    staff: bool = False
    secrets: tuple[str, ...] = ()
    """Words that must be in no answer to them."""


@dataclass
class Yard:
    """A room in mid-exam with three victims who have answered, and the one who is dishonest."""

    desk: DeskRoom
    web: Service
    base: str
    codes: list[str]
    attacker: requests.Session
    paper: dict[str, Any]
    victims: list[requests.Session]
    papers: list[dict[str, Any]]
    count: Count = field(default_factory=Count)
    resting: Tables = field(default_factory=dict)
    """The tables as they were when they last came to rest."""

    @functools.cached_property
    def flush(self) -> Caller:
        """Somebody who is refused something, to see when that is written."""
        return _staff(self, WATCHMAN, "flush", lambda table, row: False, ())

    @property
    def session(self) -> str:
        return self.desk.session

    def token(self, http: requests.Session) -> str:
        return csrf_of(http.cookies["examroom_tablet"])


@contextmanager
def yard(folder: Path, size: int = 7) -> Iterator[Yard]:
    """Six are let in, five hold tablets; each victim has answered two items, one of them with MARK."""
    desk = make_desk_room(folder, size=size, web={"port": free_port(), "threads": 16})
    roster = parse_roster(
        canonical(cast.roster(OTHER, clock.wall_ms(), size=2, photos=False, staff=(*OTHERS, WATCHMAN)))
    )
    policy = parse_policy(canonical(cast.POLICY))
    bank_file = desk.db.execute("SELECT bank_file FROM sessions").fetchone()[0]
    take_in(desk.db, roster, policy, room="room-1", bank_file=bank_file, data_key=desk.identity.keys.data)
    try:
        with serving(desk, folder) as (web, base):
            proctor, codes = open_exam(base, desk.session, admit=size - 1)
            proctor.close()
            hands = [claim(base, code) for code in codes[:4]]
            papers = [http.get(f"{base}/exam/api/paper", timeout=TIMEOUT).json() for http in hands]
            for http, paper in zip(hands[1:], papers[1:], strict=True):
                answer_two(base, http, paper)
            made = Yard(desk, web, base, codes, hands[0], papers[0], hands[1:], papers[1:])
            yield made
            for http in hands:
                http.close()
    finally:
        desk.db.close()


def claim(base: str, code: str) -> requests.Session:
    http = requests.Session()
    told = http.post(f"{base}/exam/api/claim", json={"seat_code": code, "claim": uuid.uuid4().hex}, timeout=TIMEOUT)
    assert told.status_code == 200, told.text
    return http


def answer_two(base: str, http: requests.Session, paper: Mapping[str, Any]) -> None:
    items = [item for part in paper["parts"] for item in part["items"]]
    fill = next(i for i in items if i["type"] == "fill")
    choice = next(i for i in items if i["type"] == "single")
    for seq, (item, value) in enumerate(((fill, [MARK] * len(fill["blanks"])), (choice, ["A"])), start=1):
        body = {"op_id": uuid.uuid4().hex, "seq": seq, "item": item["id"], "base_version": 0, "value": value}
        told = http.post(f"{base}/exam/api/answers", json=body, headers={"X-CSRF": paper["csrf"]}, timeout=TIMEOUT)
        assert told.json()["outcome"] == "applied", told.text


# ---- who sends


def callers(place: Yard) -> dict[str, Caller]:
    """Everybody, the proctor of this very session last: theirs is the room, so they may change most of it."""
    session, own = place.session, place.paper["attempt"]
    hidden = (MARK, *place.codes[1:])
    tablet = {"examroom_tablet": place.attacker.cookies["examroom_tablet"]}

    def nothing(table: str, row: dict[str, Any]) -> bool:
        return table == "room.ledger" and row["kind"] in LEDGER_OF_NOBODY

    def mine(table: str, row: dict[str, Any]) -> bool:
        if table == "room.ledger":
            return row["kind"] in LEDGER_OF_NOBODY | {"tablet", "focus_lost", "handed_in"}
        return row.get("attempt_id") == own

    def looks(table: str, row: dict[str, Any]) -> bool:
        kinds = LEDGER_OF_NOBODY | {"act_refused", "footage_viewed", "staff_signed_in"}
        return table == "room.staff_sessions" or (table == "room.ledger" and row["kind"] in kinds)

    def elsewhere(table: str, row: dict[str, Any]) -> bool:
        """Whatever is of another session; nothing of this one, nothing of its answers."""
        if looks(table, row) or table == "room.acts":
            return row.get("session_id") != session
        if table.startswith("answers.") and row.get("attempt_id") is not None:
            return False
        return row.get("session_id", row.get("id")) != session

    def scores(table: str, row: dict[str, Any]) -> bool:
        kept = {"room.sessions", "room.candidates", "room.papers", "room.results", "room.rubrics", "room.people"}
        return looks(table, row) or not (table.startswith("answers.") or table in kept)

    def runs(table: str, row: dict[str, Any]) -> bool:
        """The proctor writes no answer: hand-ins by the room and the candidates' clocks are theirs."""
        return table not in ("answers.responses", "answers.bindings") and (
            table != "answers.journal" or row["kind"] == "handin"
        )

    rights = {"proctor": runs, "examiner": scores, "supervisor": looks, "technician": elsewhere}
    found = {
        "nobody": Caller("nobody", {}, "0" * 32, nothing, secrets=(*hidden, place.codes[0])),
        "candidate": Caller("candidate", tablet, place.token(place.attacker), mine, tablet=True, secrets=hidden),
    }
    for who in OTHERS:
        may = looks if who.role == "supervisor" else elsewhere
        # who looks after the room sees every session's seats
        secrets = (MARK,) if who.role in ("supervisor", "technician") else hidden
        found[f"other-{who.role}"] = _staff(place, who, f"other-{who.role}", may, secrets)
    for who in sorted(cast.STAFF, key=lambda one: one.role == "proctor"):
        found[who.role] = _staff(place, who, who.role, rights[who.role], (MARK,))
    return found


def _staff(
    place: Yard, who: StaffMember, name: str, may: Callable[[str, dict[str, Any]], bool], secrets: tuple[str, ...]
) -> Caller:
    form = {"badge": who.badge, "pin": who.pin, "next": "/staff/"}
    with requests.Session() as http:
        http.post(f"{place.base}/staff/login", data=form, timeout=TIMEOUT, allow_redirects=False)
        cookie = http.cookies["examroom_staff"]
    return Caller(name, {"examroom_staff": cookie}, csrf_of(cookie), may, staff=True, secrets=secrets)


# ---- what the tables say


def dump(desk: DeskRoom) -> Tables:
    """Every row of both databases, but what the process writes by itself."""
    found: Tables = {}
    for name, path in (("room", desk.config.paths.room_db), ("answers", desk.config.paths.answers_db)):
        connection = connect(path)
        try:
            names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            for (table,) in names:
                if f"{name}.{table}" in OF_THE_ROOM or table.startswith("_sqlite"):
                    continue
                cursor = connection.execute(f'SELECT * FROM "{table}"')  # noqa: S608
                columns = [column[0] for column in cursor.description]
                rows = (tuple(zip(columns, tuple(row), strict=True)) for row in cursor)
                found[f"{name}.{table}"] = Counter(rows)
        finally:
            connection.close()
    return found


def changed(before: Tables, after: Tables) -> list[tuple[str, dict[str, Any]]]:
    """Rows that came, went or differ, each with its table."""
    rows = []
    for table in sorted(before.keys() | after.keys()):
        old, new = before.get(table, Counter()), after.get(table, Counter())
        rows += [(table, dict(row)) for row in ((old - new) + (new - old))]
    return rows


def at_rest(place: Yard) -> Tables:
    """The tables once everything is written."""
    settled(place)
    place.resting = dump(place.desk)
    return place.resting


def begin(place: Yard) -> None:
    """Know what the tables say; nothing to do where the last test has left them at rest."""
    if not place.resting:
        at_rest(place)


def check_tables(place: Yard, who: str, may: Callable[[str, dict[str, Any]], bool]) -> None:
    """Since the tables were last at rest nothing has changed but what `may`; the ledger has only grown."""
    before = place.resting
    after = at_rest(place)
    assert not before["room.ledger"] - after["room.ledger"], "the ledger has lost or changed an entry"
    wrong = [(table, row) for table, row in changed(before, after) if not may(table, row)]
    assert not wrong, f"{who} changed {len(wrong)} rows: {wrong[:3]}"


# ---- what an answer says


def check_answer(place: Yard, caller: Caller, path: str | None, method: str, answer: requests.Response) -> None:
    """No fault, a sentence with every refusal, nothing for those it is not for. `path`: as the document has it."""
    place.count.statuses[answer.status_code] += 1
    where = f"{caller.name}: {method} {answer.request.url} -> {answer.status_code} {answer.text[:300]}"
    assert answer.status_code < 500, where
    for word in caller.secrets:
        assert word.encode() not in answer.content, f"{word}: {where}"
    kind = answer.headers.get("Content-Type", "").partition(";")[0]
    if answer.status_code >= 400:
        if kind == "application/json":
            told = answer.json()
            assert set(told) - {"expected"} == {"error", "zh", "en"}, where
            assert CHINESE.search(told["zh"]) and not CHINESE.search(told["en"]), where
        else:
            assert kind == "text/html" and "/api/" not in str(answer.request.path_url), where
            assert CHINESE.search(answer.text), where
    operation = DOCUMENT["paths"].get(path or "", {}).get(method)
    if operation is None:
        return
    needed = {name for one in operation.get("security", ()) for name in one}
    if answer.ok and answer.status_code != 302:
        assert "tablet" not in needed or caller.tablet, where
        assert "staff" not in needed or caller.staff, where
    said = operation["responses"].get(str(answer.status_code))
    if said is None:  # 308: an address with too many slashes
        assert 400 <= answer.status_code < 500 or answer.status_code == 308, where
        return
    schema = said.get("content", {}).get("application/json", {}).get("schema")
    if schema is not None:
        OAS31Validator(schema, registry=REGISTRY, _resolver=REGISTRY.resolver("")).validate(answer.json())


# ---- requests from the document


def informed_document(place: Yard) -> dict[str, Any]:
    """The document with this room's own ids in it, so that made-up requests reach beyond the first check."""
    document = copy.deepcopy(DOCUMENT)
    parameters, schemas = document["components"]["parameters"], document["components"]["schemas"]
    persons = [row[0] for row in place.desk.db.execute("SELECT person_id FROM candidates WHERE session_id = 'S-1'")]
    known: dict[str, list[Any]] = {
        "session": [place.session, OTHER],
        "person": persons,
        "rubric": ["P01"],
        "camera": ["door"],
        "name": [
            item["image"] for paper in (place.paper, *place.papers) for item in items_of(paper) if "image" in item
        ],
    }
    for name, values in known.items():
        old = parameters[name]["schema"]
        parameters[name]["schema"] = {"anyOf": [{"enum": values}, {"enum": values}, old]}
    own = [item["id"] for paper in (place.paper, *place.papers) for item in items_of(paper)]
    schemas["Answer"]["properties"]["item"] = {"anyOf": [{"enum": own}, schemas["Answer"]["properties"]["item"]]}
    letters = {"type": "array", "maxItems": 3, "items": {"enum": [*"ABCDEF", "1A", "2B", "500,500", "20 mm", ""]}}
    schemas["Answer"]["properties"]["value"] = {"anyOf": [letters, schemas["Answer"]["properties"]["value"]]}
    seat = schemas["Claim"]["properties"]["seat_code"]
    schemas["Claim"]["properties"]["seat_code"] = {"anyOf": [{"enum": place.codes[1:4]}, seat]}
    for name, schema in schemas.items():
        properties = schema.get("properties", {})
        if name not in ("Error",) and properties.get("person", {}).get("type") == "string":
            properties["person"] = {"anyOf": [{"enum": persons}, properties["person"]]}
        if properties.get("rubric", {}).get("type") == "string":
            properties["rubric"] = {"anyOf": [{"enum": ["P01"]}, properties["rubric"]]}
    return document


def items_of(paper: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [item for part in paper["parts"] for item in part["items"]]


@dataclass(frozen=True)
class Request:
    """One to be sent: where by the document, and the arguments of `requests.request`."""

    path: str
    method: str
    arguments: Mapping[str, Any]
    token: str
    """own, stolen, or as made up."""


def made_up(
    place: Yard, about: Callable[[str], bool] = lambda path: path != "/staff/logout"
) -> st.SearchStrategy[Request]:
    """Requests to the operations whose path `about` chooses, half of them not as the document wants them.

    Not to the sign-out: whoever is signed out is nobody.
    """
    import schemathesis
    from schemathesis.generation import GenerationMode

    schema = schemathesis.openapi.from_dict(informed_document(place))
    tokens = st.sampled_from(["own", "own", "own", "stolen", "made up"])
    choices = []
    for found in schema.get_all_operations():
        operation = found.ok()
        if not about(operation.path):
            continue
        modes = [GenerationMode.POSITIVE]
        if operation.definition.raw.get("parameters") or operation.definition.raw.get("requestBody"):
            modes.append(GenerationMode.NEGATIVE)
        for mode in modes:
            cases = operation.as_strategy(generation_mode=mode)
            choices.append(
                st.builds(
                    lambda case, token, path=operation.path, method=operation.method: Request(
                        path, method.lower(), case.as_transport_kwargs(place.base), token
                    ),
                    cases,
                    tokens,
                )
            )
    return st.one_of(choices)


def send(place: Yard, caller: Caller, request: Request) -> None:
    """Send it as this caller and look at the answer. What no HTTP client can put on the wire is not sent."""
    arguments = dict(request.arguments)
    headers = {k: v for k, v in dict(arguments.pop("headers", {})).items() if not k.startswith("X-Schemathesis")}
    if request.token != "made up":
        headers["X-CSRF"] = caller.token if request.token == "own" else place.token(place.victims[0])
    headers |= ELSEWHERE
    cookies = {**(arguments.pop("cookies", None) or {}), **caller.cookies}
    try:
        answer = requests.request(
            **arguments, headers=headers, cookies=cookies, timeout=TIMEOUT, allow_redirects=False, stream=True
        )
    except (requests.exceptions.InvalidHeader, requests.exceptions.InvalidURL, UnicodeError):
        return
    with answer:
        if answer.headers.get("Content-Type", "").startswith("text/event-stream"):
            place.count.statuses[answer.status_code] += 1
            assert caller.staff
            return
        check_answer(place, caller, request.path, request.method, answer)


# ---- bodies that break parsers


def odd_bodies(item: str) -> dict[str, bytes]:
    """By name; each is refused by whatever takes JSON."""
    good = {"op_id": "x" * 16, "seq": 1, "item": item, "base_version": 0, "value": ["A"]}

    def raw(**changes: str) -> bytes:
        """`good` with some values as JSON text of one's own."""
        return ("{" + ",".join(f'"{k}":{changes.get(k, json.dumps(v))}' for k, v in good.items()) + "}").encode()

    return {
        "nothing": b"",
        "null": b"null",
        "a list": b"[]",
        "half": b'{"op_id": "xxxxxxxx", "seq": 1, "item"',
        "deep": b"[" * 30_000,
        "deep and closed": b"[" * 20_000 + b"]" * 20_000,
        "deep inside": raw(value="[" * 5000 + "]" * 5000),
        "NaN": raw(seq="NaN"),
        "Infinity": raw(seq="Infinity"),
        "1e999": raw(seq="1e999"),
        "2**63": raw(seq=str(2**63)),
        "2**64 + 1": raw(base_version=str(2**64 + 1)),
        "a number of 5000 digits": raw(seq="9" * 5000),
        "minus": raw(seq="-1"),
        "a float": raw(seq="1.0"),
        "true for one": raw(seq="true"),
        "text for one": raw(seq='"1"'),
        "NUL": raw(item='"\\u0000"'),
        "a lone surrogate": raw(item='"\\ud800"'),
        "a lone surrogate as value": raw(value='["\\udfff"]'),
        "not UTF-8": raw(item='"?"').replace(b"?", b"\xff\xfe"),
        "a byte order mark": b"\xef\xbb\xbf" + raw(seq="0"),
        "UTF-16": json.dumps(good).encode("utf-16"),
        "too many values": raw(value=json.dumps(["A"] * 1000)),
        "a long value": raw(value=json.dumps(["A" * 50_000])),
        "values that are no text": raw(value='[1, null, {"a": []}]'),
        "one more field": raw(seq='7, "left_ms": 9999999'),
        "a control character": raw(op_id='"\x01\x02\x03\x04\x05\x06\x07\x08"'),
        "an op id of another alphabet": raw(op_id='"١٢٣٤٥٦٧٨٩"'),
    }


# ---- raw bytes


def raw_requests(place: Yard) -> dict[str, bytes]:
    """By name: what is no HTTP, or HTTP of the worst kind."""
    head = b"Host: room\r\nConnection: close\r\n"
    claim_head = b"POST /exam/api/claim HTTP/1.1\r\n" + head
    paths = (
        "/exam/static/../api.py",
        "/exam/static/%2e%2e/api.py",
        "/exam/static/..%2fapi.py",
        "/exam/static/..%5capi.py",
        "/exam/static/%252e%252e/api.py",
        "/ui/static/....//....//config.py",
        "/ui/static//etc/passwd",
        "/exam/static/%00",
        "/exam/static/a%00.js",
        "/exam/api/media/../../../../etc/passwd",
        "/exam/api/media/..%2f..%2fkeys",
        "/exam/api/media/%00",
        "/%ff%fe%fd",
        "/exam/%c0%ae%c0%ae/",
        "//exam//api//clock",
        "/console/api/../../exam/api/clock",
        "/" + "a" * 3000,
    )
    found = {f"path {path[:40]}": f"GET {path} HTTP/1.1\r\n".encode() + head + b"\r\n" for path in paths}
    return found | {
        "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
        "a word": b"HELO room\r\n\r\n",
        "version 9": b"GET / HTTP/9.9\r\n" + head + b"\r\n",
        "no host": b"GET /exam/api/clock HTTP/1.1\r\n\r\n",
        "two hosts": b"GET /exam/api/clock HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "an address as target": b"GET http://other.example/exam/api/clock HTTP/1.1\r\n" + head + b"\r\n",
        "CONNECT": b"CONNECT other.example:443 HTTP/1.1\r\n" + head + b"\r\n",
        "a method of one's own": b"BREW /exam/api/clock HTTP/1.1\r\n" + head + b"\r\n",
        "TRACE": b"TRACE /exam/api/clock HTTP/1.1\r\n" + head + b"\r\n",
        "a header of 100 kB": b"GET / HTTP/1.1\r\n" + head + b"X-Long: " + b"a" * 100_000 + b"\r\n\r\n",
        "2000 headers": b"GET / HTTP/1.1\r\n" + head + b"".join(b"X-%d: 1\r\n" % n for n in range(2000)) + b"\r\n",
        "a cookie of 60 kB": b"GET /exam/api/clock HTTP/1.1\r\n" + head + b"Cookie: a=" + b"b" * 60_000 + b"\r\n\r\n",
        "a header without a name": b"GET / HTTP/1.1\r\n" + head + b": x\r\n\r\n",
        "a header with NUL": b"GET / HTTP/1.1\r\n" + head + b"X-A: \x00\r\n\r\n",
        "a folded header": b"GET / HTTP/1.1\r\n" + head + b"X-A: 1\r\n 2\r\n\r\n",
        "a cookie that is no UTF-8": b"GET /exam/api/clock HTTP/1.1\r\n" + head
        + b"Cookie: examroom_tablet=\x89\xd7\r\n\r\n",
        "line ends in a header": b"GET /exam/api/clock?a=%0d%0aSet-Cookie:%20x=y HTTP/1.1\r\n" + head + b"\r\n",
        "two lengths": claim_head + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}abc",
        "a length below zero": claim_head + b"Content-Length: -1\r\n\r\n{}",
        "a length of 5000 digits": claim_head + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
        "a length that is no number": claim_head + b"Content-Length: 0x10\r\n\r\n{}",
        "a length of a petabyte": claim_head + b"Content-Length: 1125899906842624\r\n\r\n{}",
        "length and chunks": claim_head + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "chunks that are none": claim_head + b"Transfer-Encoding: chunked\r\n\r\nZZZ\r\n{}\r\n0\r\n\r\n",
        "a chunk below zero": claim_head + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        "a chunk beyond counting": claim_head + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{}\r\n",
        "an encoding nobody knows": claim_head + b"Transfer-Encoding: xyz\r\nContent-Length: 2\r\n\r\n{}",
        "a second request inside": claim_head + b"Content-Length: 2\r\n\r\n{}GET /console/ HTTP/1.1\r\n\r\n",
        "gzip that is none": claim_head + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        "a form that is none": b"POST /staff/login HTTP/1.1\r\n" + head
        + b"Content-Type: multipart/form-data; boundary=\r\nContent-Length: 5\r\n\r\n--\r\n-",
        "a charset nobody knows": claim_head + b"Content-Type: application/json; charset=klingon\r\n"
        b"Content-Length: 2\r\n\r\n{}",
        "a range beyond counting": b"GET /exam/static/js/view.js HTTP/1.1\r\n" + head
        + b"Range: bytes=99999999999999999999-\r\n\r\n",
        "a thousand ranges": b"GET /ui/static/base.css HTTP/1.1\r\n" + head
        + b"Range: bytes=" + b",".join(b"0-0" for _ in range(1000)) + b"\r\n\r\n",
        "a date that is none": b"GET /exam/static/js/view.js HTTP/1.1\r\n" + head
        + b"If-Modified-Since: 99999999\r\nIf-None-Match: \xff\r\n\r\n",
        "a language that is none": b"GET /exam/?lang=%00%0d%0a HTTP/1.1\r\n" + head + b"\r\n",
        "a PROXY line": b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET /kiosk/api/state HTTP/1.1\r\n" + head + b"\r\n",
        "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(30),
        "a WebSocket": b"GET /exam/ HTTP/1.1\r\nHost: room\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    }  # fmt: skip


def noise(place: Yard) -> st.SearchStrategy[bytes]:
    """Raw requests with bytes put in, taken out and changed."""
    body = b'{"seat_code": "000000"}'
    honest = (
        b"POST /exam/api/claim HTTP/1.1\r\nHost: room\r\nConnection: close\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n%s" % (len(body), body),
        b"GET /exam/api/clock HTTP/1.1\r\nHost: room\r\nConnection: close\r\nCookie: examroom_tablet=x\r\n\r\n",
        b"POST /staff/logout HTTP/1.1\r\nHost: room\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\ncsrf=\r\n0\r\n\r\n",
    )
    # without those that make the server wait for more than will come
    others = [sent for name, sent in raw_requests(place).items() if len(sent) < 4000 and "petabyte" not in name]
    pieces = st.sampled_from(
        [b"\r\n", b"\x00", b"\xff", b":", b" ", b"%", b"..", b"HTTP/1.1", b"chunked", b"-1", b"=;"]
    )
    changes = st.lists(
        st.tuples(st.floats(0, 1), st.integers(0, 12), pieces | st.binary(max_size=8)), min_size=1, max_size=6
    )

    def mutate(sent: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
        for where, length, new in changes:
            at = int(where * len(sent))
            sent = sent[:at] + new + sent[at + length :]
        return sent

    return st.builds(mutate, st.sampled_from([*honest, *honest, *others]), changes)


def send_raw(place: Yard, name: str, sent: bytes, seconds: float = 3.0) -> bytes:
    """Send bytes as they are; what came back until the server closed, or fell silent for `seconds`."""
    port = int(place.base.rpartition(":")[2])
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as wire, suppress(OSError):
        wire.sendall(sent)
        wire.shutdown(socket.SHUT_WR)
        while part := wire.recv(65536):
            got += part
    place.count.raw += 1
    statuses = [int(code) for code in re.findall(rb"^HTTP/1\.[01] (\d{3}) ", got, re.M)]
    if not statuses:
        place.count.silent += 1
    for status in statuses:
        place.count.statuses[status] += 1
        # 501 is the server's own word for a transfer coding that it does not know; it ends there
        assert status < 500 or (status == 501 and b"transfer coding" in got), f"{name}: {got[:300]!r}"
    for word in (b"from __future__", b"root:", b"BEGIN", MARK.encode()):
        assert word not in got, f"{name}: {got[:300]!r}"
    return got


def memory_kb(place: Yard) -> int:
    """Resident memory of `web`: master and worker together."""
    assert place.web.process is not None
    master = place.web.process.pid
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    total = 0
    for pid in (str(master), *children):
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        total += int(found[1]) if found else 0
    return total


def settled(place: Yard) -> None:
    """Wait until what `web` writes behind is written: notes go to the ledger in the order in which they came."""

    def refusals() -> int:
        noted = ledger.entries(place.desk.db, kinds=("act_refused",))
        return sum(entry.content["by"] == WATCHMAN.id for entry in noted)

    before = refusals()
    told = requests.post(
        f"{place.base}/console/api/{place.session}/nothing",
        json={},
        headers={"X-CSRF": place.flush.token},
        cookies=place.flush.cookies,
        timeout=TIMEOUT,
    )
    assert told.status_code == 403
    until(lambda: refusals() > before, what="the note is in the ledger")
    time.sleep(0.3)  # the jobs behind the notes, in the same round


def still_serves(place: Yard) -> None:
    """After all that an honest candidate's answer is on disk as before, and every answer given stands."""
    for http, paper in zip(place.victims, place.papers, strict=True):
        now = until(lambda http=http: http.get(f"{place.base}/exam/api/paper", timeout=TIMEOUT), what="the paper")
        assert now.status_code == 200, now.text
        assert len(now.json()["responses"]) == 2
        assert MARK in now.text
        assert now.json()["attempt"] == paper["attempt"]
