"""Malformed and hostile requests to a real `web`: no fault, a sentence for each refusal, nobody else's rows changed.

Some 700 here; ten thousand and more in `make soak`. What a dishonest person would try stands in `test_dishonest.py`.
"""

from __future__ import annotations

import json
import socket
import time
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bench.hostile import (
    MARK,
    TIMEOUT,
    Caller,
    Yard,
    at_rest,
    begin,
    callers,
    changed,
    check_answer,
    check_tables,
    dump,
    items_of,
    memory_kb,
    still_serves,
    yard,
)
from bench.hostile_requests import Request, made_up, odd_bodies, raw_requests, send, send_raw
from edge.store import journal
from edge.store.db import connect
from support.examples import examples

# the same requests each time: what is found is found in the soak run, which makes up new ones
FIXED = settings(
    database=None,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
MEMORY_KB = 150_000


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    with yard(tmp_path_factory.mktemp("hostile")) as made:
        yield made


@pytest.fixture(scope="module")
def everybody(place: Yard) -> dict[str, Caller]:
    return callers(place)


op_of_a_tablet = st.fixed_dictionaries(
    {
        "where": st.sampled_from(["answers", "answers", "answers", "part", "watch"]),
        "seq": st.sampled_from([0, 0, 0, 1, -1, 5, 10**9]),
        "item": st.integers(0, 60),
        "whose": st.sampled_from(["own", "own", "own", "another's", "none"]),
        "base": st.sampled_from([0, 0, 1, 2, 999_999]),
        "value": st.sampled_from(
            [["A"], ["B"], [], ["A", "B"], ["Z"], ["1A"], ["500,500"], ["20 mm"], [""], ["A"] * 10]
        ),
        "again": st.integers(1, 3),
        "age": st.sampled_from([None, None, 0, 1, 3_600_000]),
        "token": st.sampled_from(["own", "own", "own", "another's"]),
    }
)


@settings(FIXED, max_examples=25)
@given(ops=st.lists(op_of_a_tablet, min_size=1, max_size=8))
def test_sequences_of_operations(place: Yard, ops: list[dict[str, Any]]) -> None:
    """Whatever order, number, item and token: own operations are numbered without a gap, others' rows stay."""
    before = dump(place.desk)
    attempt, head = place.paper["attempt"], place.token(place.attacker)
    own, foreign = items_of(place.paper), items_of(place.papers[0])
    next_seq = place.attacker.get(f"{place.base}/exam/api/paper", timeout=TIMEOUT).json()["next_seq"]
    for op in ops:
        items = foreign if op["whose"] == "another's" else own
        item = "NOWHERE" if op["whose"] == "none" else items[op["item"] % len(items)]["id"]
        common = {"op_id": uuid.uuid4().hex, "seq": max(1, next_seq + op["seq"]), "age_ms": op["age"]}
        body: dict[str, Any] = {
            "answers": common | {"item": item, "base_version": op["base"], "value": op["value"]},
            "part": common | {"part": op["item"] % 4},
            "watch": {"events": [{"kind": "copy", "at_ms": op["item"], "for_ms": op["item"]}]},
        }[op["where"]]
        token = head if op["token"] == "own" else place.token(place.victims[0])
        told = []
        for _ in range(op["again"]):
            answer = place.attacker.post(
                f"{place.base}/exam/api/{op['where']}", json=body, headers={"X-CSRF": token}, timeout=TIMEOUT
            )
            place.count.statuses[answer.status_code] += 1
            assert answer.status_code < 500, answer.text
            assert MARK not in answer.text
            told.append((answer.status_code, answer.json().get("outcome")))
        assert len(set(told)) == 1, "the same operation is answered the same"
        assert op["token"] == "own" or told[0][0] == 403
        if told[0][0] == 200 and op["where"] != "watch":
            next_seq += 1
    connection = connect(place.desk.config.paths.answers_db)
    try:
        kept = journal.find_ops(connection, attempt)
    finally:
        connection.close()
    assert [row["tablet_seq"] for row in kept] == list(range(1, next_seq))
    touched = [
        (table, row)
        for table, row in changed(before, dump(place.desk))
        if row.get("attempt_id") != attempt and table not in ("room.ledger", "room.staff_sessions", "room.lockdown")
    ]
    assert not touched
    place.resting = {}


def test_the_check_itself_can_fail(place: Yard, everybody: dict[str, Caller]) -> None:
    """What is allowed the attacker is not allowed nobody, and a victim's paper in anybody's hands is noticed."""
    before = at_rest(place)
    item = items_of(place.paper)[0]["id"]
    paper = place.attacker.get(f"{place.base}/exam/api/paper", timeout=TIMEOUT).json()
    version = paper["responses"].get(item, {"version": 0})["version"]
    body = {"op_id": uuid.uuid4().hex, "seq": paper["next_seq"], "item": item, "base_version": version, "value": ["A"]}
    head = {"X-CSRF": paper["csrf"]}
    assert place.attacker.post(f"{place.base}/exam/api/answers", json=body, headers=head, timeout=TIMEOUT).ok
    check_tables(place, "candidate", everybody["candidate"].may)
    place.resting = before
    with pytest.raises(AssertionError, match="nobody changed"):
        check_tables(place, "nobody", everybody["nobody"].may)
    with pytest.raises(AssertionError, match=MARK):
        answer = place.victims[0].get(f"{place.base}/exam/api/paper", timeout=TIMEOUT)
        check_answer(place, everybody["candidate"], "/exam/api/paper", "get", answer)
    place.count.statuses[answer.status_code] -= 1
    place.resting = {}


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["nobody"], 150),
        (["candidate"], 210),
        (["other-proctor", "other-examiner", "other-technician", "technician"], 180),
        (["other-supervisor", "supervisor"], 90),
        (["examiner"], 90),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else str(value),
)
def test_requests_made_up_from_the_document(
    place: Yard, everybody: dict[str, Caller], names: list[str], wanted: int
) -> None:
    begin(place)

    @settings(FIXED, max_examples=examples(wanted))
    @given(request=made_up(place), name=st.sampled_from(names))
    def run(request: Request, name: str) -> None:
        send(place, everybody[name], request)

    run()
    check_tables(place, names[0], everybody[names[0]].may)
    still_serves(place)


def test_bodies_that_break_parsers(place: Yard, everybody: dict[str, Caller]) -> None:
    """To each address that takes JSON, as somebody who may use it: refused, and nothing is written but that."""
    begin(place)
    bodies = odd_bodies(items_of(place.paper)[0]["id"])
    first, second = dict(list(bodies.items())[::2]), dict(list(bodies.items())[1::2])
    sent = [
        ("candidate", "/exam/api/answers", bodies),
        ("candidate", "/exam/api/claim", first),
        ("candidate", "/exam/api/watch", second),
        ("examiner", f"/scoring/api/{place.session}/draft", first),
        ("examiner", f"/scoring/api/{place.session}/pictures", second),
        ("proctor", f"/console/api/{place.session}/pause", bodies),
        ("proctor", "/console/api/practice", first),
        ("supervisor", f"/spotcheck/api/{place.session}/exports", second),
        ("nobody", "/kiosk/api/act", first),
    ]
    for name, address, chosen in sent:
        caller = everybody[name]
        headers = {"X-CSRF": caller.token, "Accept": "application/json", "Content-Type": "application/json"}
        for what, body in chosen.items():
            answer = requests.post(
                place.base + address, data=body, headers=headers, cookies=caller.cookies, timeout=TIMEOUT
            )
            assert 400 <= answer.status_code < 500, (address, what, answer.text)
            check_answer(place, caller, None, "post", answer)
    check_tables(place, "nonsense", everybody["supervisor"].may)


def test_bytes_that_are_no_http(place: Yard, everybody: dict[str, Caller]) -> None:
    begin(place)
    for name, sent in raw_requests(place).items():
        got = send_raw(place, name, sent)
        if name.startswith("path "):
            assert b" 200 " not in got[:15], f"{name}: {got[:200]!r}"
        assert b"<html>" not in got, f"{name}: a page of the server's own: {got[:200]!r}"
        if name == "an encoding nobody knows":
            head, _, body = got.partition(b"\r\n\r\n")
            told = json.loads(body)
            assert b" 400 " in head[:15] and told["error"] == "page_request" and told["zh"] and told["en"]
    check_tables(place, "noise", everybody["nobody"].may)
    still_serves(place)


def test_bodies_that_never_end_hold_up_nobody(place: Yard) -> None:
    """Half the threads wait for the rest of a body; everybody else is answered meanwhile, and then they are let go."""
    port = int(place.base.rpartition(":")[2])
    wires = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(8)]
    try:
        for wire in wires:
            wire.sendall(b"POST /exam/api/claim HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n{")
        time.sleep(0.3)
        still_serves(place)
    finally:
        for wire in wires:
            wire.close()
    assert requests.get(f"{place.base}/healthz", timeout=TIMEOUT).ok


def test_requests_made_up_as_the_proctor_of_this_session(place: Yard, everybody: dict[str, Caller]) -> None:
    """Last but one, since the proctor may close the exam: whatever comes of it, no answer is written or lost."""
    caller = everybody["proctor"]
    begin(place)

    @settings(FIXED, max_examples=60)
    @given(request=made_up(place, lambda path: path.startswith(("/console", "/scoring", "/kiosk"))))
    def run(request: Request) -> None:
        send(place, caller, request)

    run()
    check_tables(place, "proctor", caller.may)


def test_after_all_this_it_serves_and_has_not_grown(place: Yard) -> None:
    count = place.count
    assert count.sent > 100, count  # how many hypothesis makes of its examples is its own affair
    assert count.faults == 0
    assert memory_kb(place) < MEMORY_KB * 2, "resident memory of web"
    assert "page_fault" not in place.web.said()
    assert "a request failed" not in place.web.said()
    assert requests.get(f"{place.base}/healthz", timeout=TIMEOUT).json() == {"ok": True}
