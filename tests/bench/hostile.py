"""Hostile requests against a running `web`, and what must be true after each and after all of them.

The requests (`hostile_requests.py`) are sent as nobody, as a candidate, and as staff of this and of another session.
`Yard` is the room they are sent to, `Caller` one who sends, `Count` what came of it.
"""

from __future__ import annotations

import functools
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from openapi_schema_validator import OAS31Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from edge import clock
from edge.demo import people as cast
from edge.domain.canonical import canonical
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.ops.desk import StaffMember
from edge.ops.ports import free_port
from edge.store import ledger
from edge.store.db import connect
from edge.web.body import csrf_of
from support.contracts import contract
from support.rooms import DeskRoom, make_desk_room
from support.serving import Service, open_exam, serving, until

DOCUMENT = contract("edge.web")
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
ENGLISH = re.compile(r"[A-Za-z]+ [a-z]+")
TIMEOUT = 20.0
# written by the process itself, whoever asks
OF_THE_ROOM = {"answers.exam_clock", "answers.digests", "room.checkpoints", "room.ledger_nodes"}
LEDGER_OF_NOBODY = {"tablet_refused", "request_refused", "staff_refused", "pass_refused", "answers", "act_refused"}

Row = tuple[tuple[str, Any], ...]
Tables = dict[str, Counter[Row]]


@dataclass
class Count:
    """Requests by answer. `sent`: what really went on the wire; one may be answered more than once, or not at all."""

    statuses: Counter[int] = field(default_factory=Counter)
    sent: int = 0
    changed: int = 0
    """Rows that differ and must not."""
    raw: int = 0
    silent: int = 0
    """Connections the server closed without a word."""

    @property
    def refused(self) -> int:
        return sum(n for status, n in self.statuses.items() if 400 <= status < 500)

    @property
    def faults(self) -> int:
        """Answers of 500 and above."""
        return sum(n for status, n in self.statuses.items() if status >= 500)


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


def items_of(paper: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [item for part in paper["parts"] for item in part["items"]]


# ---- who sends


def callers(place: Yard) -> dict[str, Caller]:
    """Everybody, the proctor of this very session last: theirs is the room, so they may change most of it."""
    session, own = place.session, place.paper["attempt"]
    whose = dict(place.desk.db.execute("SELECT person_id, attempt_id FROM papers WHERE session_id = ?", (session,)))
    hidden = (MARK, *place.codes[1:])
    tablet = {"examroom_tablet": place.attacker.cookies["examroom_tablet"]}

    def nothing(table: str, row: dict[str, Any]) -> bool:
        return table == "room.ledger" and row["kind"] in LEDGER_OF_NOBODY

    def mine(table: str, row: dict[str, Any]) -> bool:
        if table == "room.ledger":
            return row["kind"] in LEDGER_OF_NOBODY | {"tablet", "focus_lost", "handed_in"}
        return own in (row.get("attempt_id"), whose.get(row.get("person_id", "")))

    def written_down(table: str, row: dict[str, Any]) -> bool:
        """Each look at footage leaves an entry, with its reason."""
        if table in ("room.reasons", "room.footage_views"):
            return row.get("kind", "footage_viewed") == "footage_viewed"
        return table == "room.ledger" and row["kind"] in ("footage_viewed", "footage_searched", "sample_announced")

    def looks(table: str, row: dict[str, Any]) -> bool:
        kinds = LEDGER_OF_NOBODY | {"staff_signed_in"}
        signs_in = table == "room.staff_sessions" or (table == "room.ledger" and row["kind"] in kinds)
        return signs_in or written_down(table, row)

    def elsewhere(table: str, row: dict[str, Any]) -> bool:
        """Whatever is of another session; nothing of this one, nothing of its answers."""
        if looks(table, row) or table == "room.acts":
            return row.get("session_id") != session
        if table.startswith("answers.") and row.get("attempt_id") is not None:
            return False
        return row.get("session_id", row.get("id")) != session

    def tends(table: str, row: dict[str, Any]) -> bool:
        return elsewhere(table, row) or written_down(table, row)

    def scores(table: str, row: dict[str, Any]) -> bool:
        kept = {"room.sessions", "room.candidates", "room.papers", "room.results", "room.rubrics", "room.people"}
        return looks(table, row) or not (table.startswith("answers.") or table in kept)

    def runs(table: str, row: dict[str, Any]) -> bool:
        """The proctor writes no answer: hand-ins by the room and the candidates' clocks are theirs."""
        return table not in ("answers.responses", "answers.bindings") and (
            table != "answers.journal" or row["kind"] == "handin"
        )

    rights = {"proctor": runs, "examiner": scores, "supervisor": looks, "technician": tends}
    found = {
        "nobody": Caller("nobody", {}, "0" * 32, nothing, secrets=(*hidden, place.codes[0])),
        "candidate": Caller("candidate", tablet, place.token(place.attacker), mine, tablet=True, secrets=hidden),
    }
    for who in OTHERS:
        may = {"supervisor": looks, "technician": tends}.get(who.role, elsewhere)
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
    # whoever looks whether everything is written is seen in the room, too
    return [(table, row) for table, row in rows if row.get("staff_id") != WATCHMAN.id]


def at_rest(place: Yard) -> Tables:
    """The tables once everything is written."""
    settled(place)
    place.resting = dump(place.desk)
    return place.resting


def begin(place: Yard) -> None:
    """Know what the tables say; nothing to do where the last test has left them at rest."""
    if not place.resting:
        at_rest(place)


def wrongly_changed(place: Yard, may: Callable[[str, dict[str, Any]], bool]) -> list[tuple[str, dict[str, Any]]]:
    """The rows that differ since the tables were last at rest though they may not, lost ledger entries too; counted."""
    before = place.resting
    after = at_rest(place)
    wrong = [(table, row) for table, row in changed(before, after) if not may(table, row)]
    wrong += [("room.ledger", dict(row)) for row in before["room.ledger"] - after["room.ledger"]]
    place.count.changed += len(wrong)
    return wrong


def check_tables(place: Yard, who: str, may: Callable[[str, dict[str, Any]], bool]) -> None:
    """Since the tables were last at rest nothing has changed but what `may`; the ledger has only grown."""
    wrong = wrongly_changed(place, may)
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
            assert CHINESE.search(told["zh"]) and ENGLISH.search(told["en"]), where
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
