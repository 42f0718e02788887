"""What a dishonest candidate tries over real HTTP: seats, cookies, operations, time. Each is refused with its sentence.

What is not theirs to read stands in `test_dishonest_reading.py`, more inside the process in `test_dishonest.py`, forged
Safe Exam Browser headers in `test_lockdown.py`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from bench.hostile import MARK, OTHER, OTHERS, TIMEOUT, Yard, claim, items_of, yard
from edge import clock
from edge.bank.build import sample_bank
from edge.domain.timing import ExamClock
from edge.ops.ports import free_port
from edge.store import ledger, timing
from edge.store.db import connect, open_answers
from support.rooms import make_desk_room
from support.serving import answers, open_exam, serving, until
from support.tries import (
    an_answer,
    fresh,
    from_address,
    get,
    ops_of,
    post,
    refused,
    seat_tile,
    staff,
    standing_of,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Yard]:
    with yard(tmp_path_factory.mktemp("dishonest"), size=9) as made:
        yield made


# ---- seats


def test_anothers_seat_code_while_they_sit_there(place: Yard) -> None:
    thief, victim = requests.Session(), place.victims[0]
    code, seat = place.codes[1], place.papers[0]["candidate"]["seat"]
    for body in ({"seat_code": code}, {"seat_code": code, "claim": "k" * 40}):
        refused(post(place, thief, "/exam/api/claim", body), 409, "tablet_other", "已有一台平板在使用")
    assert not thief.cookies
    own = {"seat_code": code, "claim": place.attacker.cookies["examroom_tablet"]}
    refused(post(place, place.attacker, "/exam/api/claim", own), 409, "tablet_other", "已有一台平板在使用")
    assert "second_tablet" in seat_tile(place, seat)["alarms"], "the proctor sees that somebody asked"
    assert get(place, victim, "/exam/api/clock").json()["s"] == "running"


def test_anothers_seat_code_before_they_sit_down(place: Yard) -> None:
    """Whoever knows the code may sit down first: the honest one is told, the proctor moves it, the thief is out."""
    code = place.codes[4]
    thief = claim(place.base, code)
    paper = fresh(place, thief)
    honest = {"seat_code": code, "claim": uuid.uuid4().hex}
    refused(post(place, requests.Session(), "/exam/api/claim", honest), 409, "tablet_other", "请找监考员换平板")
    assert "second_tablet" in seat_tile(place, paper["candidate"]["seat"])["alarms"]

    proctor, token = staff(place)
    person = seat_tile(place, paper["candidate"]["seat"])["person"]
    act = {"reason": "座位码被冒用", "person": person, "op_id": uuid.uuid4().hex}
    assert post(place, proctor, f"/console/api/{place.session}/release-tablet", act, token).ok
    for path in ("/exam/api/paper", "/exam/api/clock", "/exam/api/media/wall-ties.svg"):
        refused(get(place, thief, path), 403, "tablet_released", "本机不能再答题")
    # what it still sends is kept for the proctor's eyes, and not applied
    told = post(place, thief, "/exam/api/answers", an_answer(paper), paper["csrf"]).json()
    assert (told["outcome"], told["released"]) == ("stale", True)
    post(place, thief, "/exam/api/handin", {"op_id": uuid.uuid4().hex, "seq": 2}, paper["csrf"])
    right = requests.Session()
    assert post(place, right, "/exam/api/claim", honest).json()["attempt"] == paper["attempt"]
    again = {"seat_code": code, "claim": thief.cookies["examroom_tablet"]}
    refused(post(place, thief, "/exam/api/claim", again), 409, "tablet_other", "已有一台平板在使用")
    assert standing_of(place, paper["attempt"]) == {}
    assert get(place, right, "/exam/api/clock").json()["s"] == "running", "the thief has handed nothing in"
    proctor.close()


def test_a_tablet_that_holds_a_seat_cannot_take_a_second_one(place: Yard) -> None:
    own = place.attacker.cookies["examroom_tablet"]
    body = {"seat_code": place.codes[5], "claim": own}
    refused(post(place, place.attacker, "/exam/api/claim", body), 409, "tablet_other", "已有一台平板在使用")
    assert fresh(place, place.attacker)["attempt"] == place.paper["attempt"]


def test_one_claim_secret_in_two_browsers_is_one_tablet(place: Yard) -> None:
    """A friend with the same secret sees the same paper, and only one of them can send what comes next."""
    friend = requests.Session()
    friend.cookies.set("examroom_tablet", place.attacker.cookies["examroom_tablet"], path="/exam")
    paper = fresh(place, place.attacker)
    assert fresh(place, friend)["tablet"] == paper["tablet"]
    item = items_of(paper)[2]["id"]
    first, second = (an_answer(paper, item=item, value=[letter]) for letter in "AB")
    assert post(place, place.attacker, "/exam/api/answers", first, paper["csrf"]).json()["outcome"] == "applied"
    refused(post(place, friend, "/exam/api/answers", second, paper["csrf"]), 409, "sequence_wrong", "操作顺序不对")
    assert standing_of(place, paper["attempt"])[item] == ["A"]


def test_a_cookie_copied_to_another_tablet(place: Yard) -> None:
    """Where the page has said which device it is, its cookie is good on that device only, and the proctor sees it."""
    http = requests.Session()
    device = {"X-Examroom-Device": uuid.uuid4().hex}
    body = {"seat_code": place.codes[7], "claim": uuid.uuid4().hex, "device": device["X-Examroom-Device"]}
    paper = post(place, http, "/exam/api/claim", body).json()
    copied = requests.Session()
    copied.cookies.set("examroom_tablet", http.cookies["examroom_tablet"], path="/exam")
    for other in ({}, {"X-Examroom-Device": uuid.uuid4().hex}, {"X-Examroom-Device": ""}):
        for path in ("/exam/api/paper", "/exam/api/clock"):
            refused(get(place, copied, path, **other), 403, "tablet_other", "已有一台平板在使用")
        told = post(place, copied, "/exam/api/handin", {"op_id": uuid.uuid4().hex, "seq": 1}, paper["csrf"], **other)
        refused(told, 403, "tablet_other", "已有一台平板在使用")
    assert get(place, http, "/exam/api/clock", **device).json()["s"] == "running"
    assert ops_of(place, paper["attempt"]) == []
    assert "second_device" in seat_tile(place, paper["candidate"]["seat"])["alarms"]


def test_guessing_seat_codes_is_slowed_down_whatever_address_is_claimed(place: Yard) -> None:
    guesser = from_address("127.0.0.77")
    before = len(ledger.entries(place.desk.db, kinds=("tablet_refused",)))
    for number in range(10):
        forged = {"X-Forwarded-For": f"198.51.100.{number}", "X-Real-IP": "198.51.100.9", "Forwarded": "for=1.2.3.4"}
        told = post(place, guesser, "/exam/api/claim", {"seat_code": f"{number:06}"}, None, **forged)
        refused(told, 404, "seat_code_wrong", "座位码不对")
    right = {"seat_code": place.codes[6]}
    for forged in ({}, {"X-Forwarded-For": "198.51.100.200"}):
        refused(post(place, guesser, "/exam/api/claim", right, None, **forged), 429, "seat_code_tries", "等一分钟再试")
    guesser.close()
    until(lambda: len(ledger.entries(place.desk.db, kinds=("tablet_refused",))) - before == 10, what="all are noted")
    claim(place.base, place.codes[6]).close()  # the honest one, from another address


def test_a_code_of_somebody_who_was_not_let_in_does_not_exist(place: Yard) -> None:
    codes = {row[0] for row in place.desk.db.execute("SELECT seat_code FROM candidates WHERE state = 'expected'")}
    assert codes == {None}
    for code in ("", "12345", "1234567", "١٢٣٤٥٦", "12345a", None, 123456):
        told = post(place, from_address("127.0.0.78"), "/exam/api/claim", {"seat_code": code})
        refused(told, 400, "body_wrong", "提交的内容不对")


# ---- cookies and tokens


def test_a_cookie_of_another_attempt_with_ones_own_token(place: Yard) -> None:
    mixed = requests.Session()
    mixed.cookies.set("examroom_tablet", place.victims[0].cookies["examroom_tablet"], path="/exam")
    own = place.token(place.attacker)
    before = len(ops_of(place, place.papers[0]["attempt"]))
    for token in (own, None, "", "0" * 32, own.upper()):
        told = post(place, mixed, "/exam/api/answers", an_answer(place.papers[0], seq=3), token)
        refused(told, 403, "csrf_wrong", "页面已过期")
    assert len(ops_of(place, place.papers[0]["attempt"])) == before


@pytest.mark.parametrize("cookie", ["", "x", "x" * 43, "x" * 5000, "examroom", "' OR 1=1 --", '"\\077\\377"'])
def test_a_made_up_cookie_is_nobodys(place: Yard, cookie: str) -> None:
    http = requests.Session()
    head = {"Cookie": f"examroom_tablet={cookie}"}
    for path in ("clock", "paper", "media/wall-ties.svg"):
        refused(get(place, http, f"/exam/api/{path}", **head), 401, "tablet_unknown", "请输入座位码")
    for path in ("answers", "part", "handin", "watch"):
        told = post(place, http, f"/exam/api/{path}", {}, "0" * 32, **head)
        refused(told, 401, "tablet_unknown", "还没有绑定考生")


def test_a_cookie_bent_in_one_character_is_nobodys(place: Yard) -> None:
    secret = place.victims[0].cookies["examroom_tablet"]
    for bent in (secret[:-1], secret + "a", secret.swapcase() + "", " " + secret[1:], secret[::-1]):
        if bent != secret:
            told = get(place, requests.Session(), "/exam/api/paper", Cookie=f"examroom_tablet={bent}")
            refused(told, 401, "tablet_unknown", "还没有绑定考生")


def test_what_the_database_holds_signs_nobody_in(place: Yard) -> None:
    """The store keeps hashes: a copy of it is no cookie."""
    stored = [row[0] for row in place.desk.db.execute("SELECT token_hash FROM staff_sessions")]
    connection = connect(place.desk.config.paths.answers_db)
    secrets = [row[0] for row in connection.execute("SELECT secret_hash FROM bindings")]
    connection.close()
    assert stored is not None and secrets
    for value in secrets:
        told = get(place, requests.Session(), "/exam/api/paper", Cookie=f"examroom_tablet={value}")
        refused(told, 401, "tablet_unknown", "还没有绑定考生")
    for value in [*stored, place.attacker.cookies["examroom_tablet"], "0" * 43]:
        told = get(place, requests.Session(), f"/console/api/{place.session}/board", Cookie=f"examroom_staff={value}")
        refused(told, 401, "not_signed_in", "请先用工牌和 PIN 登录")


# ---- operations


def test_numbers_skipped_repeated_and_of_another_tablet(place: Yard) -> None:
    paper, http = fresh(place, place.attacker), place.attacker
    token, item = paper["csrf"], items_of(paper)[3]["id"]
    before = ops_of(place, paper["attempt"])
    for seq in {paper["next_seq"] + 1, paper["next_seq"] + 100, 10**9, max(1, paper["next_seq"] - 1)} - {
        paper["next_seq"]
    }:
        told = post(place, http, "/exam/api/answers", an_answer(paper, item=item, seq=seq), token)
        refused(told, 409, "sequence_wrong", "请重新打开页面")
    for seq in (0, -1, 2**31, "1", 1.5, None, True):
        told = post(place, http, "/exam/api/answers", an_answer(paper, item=item, seq=seq), token)
        refused(told, 400, "body_wrong", "什么都没有改动")
    for extra in ({"tablet": place.papers[0]["tablet"]}, {"attempt": place.papers[0]["attempt"]}, {"at_ms": 1}):
        told = post(place, http, "/exam/api/answers", an_answer(paper, item=item, **extra), token)
        refused(told, 400, "body_wrong", "什么都没有改动")
    assert ops_of(place, paper["attempt"]) == before


def test_an_operation_number_of_another_tablet_tells_nothing(place: Yard) -> None:
    used = ops_of(place, place.papers[0]["attempt"])[0]["op_id"]
    paper = fresh(place, place.attacker)
    told = post(place, place.attacker, "/exam/api/answers", an_answer(paper, op_id=used), paper["csrf"])
    refused(told, 409, "op_id_reused", "同一操作编号")
    assert MARK not in told.text


def test_items_of_anothers_paper(place: Yard) -> None:
    paper = fresh(place, place.attacker)
    own = {item["id"] for item in items_of(paper)}
    foreign = [item["id"] for other in place.papers for item in items_of(other) if item["id"] not in own]
    assert foreign
    for item in (*foreign[:5], "S9999", "S0177", "../S0001", "%", "S0001' OR '1'='1"):
        told = post(place, place.attacker, "/exam/api/answers", an_answer(paper, item=item), paper["csrf"])
        if item in own:  # a case is on the paper, and is answered by its questions only
            assert told.status_code == 400
        else:
            refused(told, 400, "item_not_on_paper", "试卷上没有这道题")
    assert not set(standing_of(place, paper["attempt"])) & set(foreign)


def test_parts_that_the_paper_does_not_have(place: Yard) -> None:
    paper = fresh(place, place.attacker)
    for part in (2, 99):
        body = {"op_id": uuid.uuid4().hex, "seq": paper["next_seq"], "part": part}
        refused(post(place, place.attacker, "/exam/api/part", body, paper["csrf"]), 400, "part_unknown", "没有这一部分")


def test_answers_after_ones_own_hand_in(place: Yard) -> None:
    http = claim(place.base, place.codes[5])
    paper = fresh(place, http)
    token, item = paper["csrf"], items_of(paper)[0]["id"]
    assert post(place, http, "/exam/api/answers", an_answer(paper), token).json()["outcome"] == "applied"
    assert post(place, http, "/exam/api/handin", {"op_id": uuid.uuid4().hex, "seq": 2}, token).ok
    for seq, body in enumerate(
        ({"value": ["B"], "base_version": 1}, {"value": ["B"], "base_version": 1, "age_ms": 3_600_000}), start=3
    ):
        told = post(place, http, "/exam/api/answers", an_answer(paper, seq=seq, **body), token)
        assert told.json()["outcome"] == "late", "kept for the proctor to see, and not applied"
        assert told.json()["current"] == ["A"]
    assert (
        post(place, http, "/exam/api/part", {"op_id": uuid.uuid4().hex, "seq": 5, "part": 0}, token).status_code < 500
    )
    assert standing_of(place, paper["attempt"]) == {item: ["A"]}
    refused(get(place, http, "/exam/api/paper"), 409, "already_finished", "您已经交卷")
    refused(get(place, http, "/exam/api/media/wall-ties.svg"), 409, "already_finished", "您已经交卷")
    http.close()


# ---- too much


def test_a_flood_of_what_the_page_saw_is_counted_and_stays_small(place: Yard) -> None:
    paper, victim = fresh(place, place.attacker), place.victims[1]
    event = {"kind": "copy", "at_ms": 1, "for_ms": 86_400_000}
    noted = [e for e in ledger.entries(place.desk.db, kinds=("focus_lost",)) if e.body["what"] == "copy"]
    for _ in range(100):
        told = post(place, place.attacker, "/exam/api/watch", {"events": [event] * 100}, paper["csrf"])
        assert told.json() == {"noted": 100}
    for body in ({"events": [event] * 101}, {"events": []}, {"events": [event | {"kind": "nothing"}]}):
        refused(post(place, place.attacker, "/exam/api/watch", body, paper["csrf"]), 400, "body_wrong", "不对")
    seen = fresh(place, victim)
    assert seen["responses"], "others are served meanwhile"

    def rows() -> list[Any]:
        found = place.desk.db.execute(
            "SELECT attempt_id, count FROM lockdown WHERE kind = 'copy' AND count >= 10000"
        ).fetchall()
        return [tuple(row) for row in found]

    until(lambda: [attempt for attempt, _ in rows()] == [paper["attempt"]], what="one row, and its count")
    entries = [e for e in ledger.entries(place.desk.db, kinds=("focus_lost",)) if e.body["what"] == "copy"]
    assert len(entries) - len(noted) <= 1, "the ledger hears of it once an hour"


def test_bodies_that_are_too_large(place: Yard) -> None:
    paper = fresh(place, place.attacker)
    big = b'{"op_id": "' + b"x" * 100_000 + b'"}'
    for path in ("answers", "part", "handin", "watch", "claim"):
        told = requests.post(
            f"{place.base}/exam/api/{path}", data=big, cookies=place.attacker.cookies.get_dict(),
            headers={"X-CSRF": paper["csrf"]}, timeout=TIMEOUT,
        )  # fmt: skip
        refused(told, 413, "page_too_large", "太大")
    long = an_answer(paper, value=["A" * 101])
    refused(post(place, place.attacker, "/exam/api/answers", long, paper["csrf"]), 400, "body_wrong", "不对")
    many = an_answer(paper, value=["A"] * 11)
    refused(post(place, place.attacker, "/exam/api/answers", many, paper["csrf"]), 400, "body_wrong", "不对")


def test_the_victims_answers_are_what_they_were(place: Yard) -> None:
    """Last in this room: after all of the above."""
    for http, paper in zip(place.victims, place.papers, strict=True):
        now = fresh(place, http)
        assert sorted(map(tuple, (r["value"] for r in now["responses"].values()))) == sorted(
            map(tuple, standing_of(place, paper["attempt"]).values())
        )
        assert len(ops_of(place, paper["attempt"])) == 2
        assert any(MARK in value for r in now["responses"].values() for value in r["value"])


# ---- time


def test_the_exam_before_its_start(place: Yard) -> None:
    """A seat is taken during check-in; nothing of the paper is told and nothing is taken before the start."""
    proctor, token = staff(place, OTHERS[0])
    base = f"/console/api/{OTHER}"
    board = post(place, proctor, f"{base}/open-checkin", {"reason": "开考"}, token).json()["board"]
    person = next(tile["person"] for tile in board["seats"] if tile["person"])
    admit = {"person": person, "reason": "已核验证件"}
    board = post(place, proctor, f"{base}/admit", admit, token).json()["board"]
    code = next(tile["seat_code"] for tile in board["seats"] if tile["person"] == person)
    http = claim(place.base, code)
    own = place.token(http)
    refused(get(place, http, "/exam/api/paper"), 409, "exam_not_started", "还没有开始")
    refused(get(place, http, "/exam/api/media/wall-ties.svg"), 409, "exam_not_started", "还没有开始")
    assert get(place, http, "/exam/api/clock").json()["s"] == "waiting"
    items = [item.id for item in sample_bank().items]
    taken = 0
    for item in items:
        body = {"op_id": uuid.uuid4().hex, "seq": 1, "item": item, "base_version": 0, "value": []}
        told = post(place, http, "/exam/api/answers", body, own)
        assert told.status_code in (400, 409)
        taken += told.ok
    assert taken == 0
    for path, more in (("part", {"part": 0}), ("handin", {})):
        told = post(place, http, f"/exam/api/{path}", {"op_id": uuid.uuid4().hex, "seq": 1} | more, own)
        refused(told, 409, "exam_not_started", "还没有开始")
    for act in ("start", "resume"):
        refused(post(place, http, f"{base}/{act}", {"reason": "开考"}, own), 401, "not_signed_in", "PIN 登录")


@pytest.fixture
def ending(tmp_path: Path) -> Iterator[Yard]:
    """An exam that has six seconds left, two tablets at it."""
    desk = make_desk_room(tmp_path, size=2, web={"port": free_port(), "threads": 8})
    with serving(desk, tmp_path) as (web, base):
        proctor, codes = open_exam(base, desk.session)
        proctor.close()
        hands = [claim(base, code) for code in codes]
        papers = [http.get(f"{base}/exam/api/paper", timeout=TIMEOUT).json() for http in hands]
        web.kill()
        connection = open_answers(desk.config.paths.answers_db)
        spent = ExamClock(60 * 60_000 - 9000, True, clock.boot_id(), clock.mono_ms(), clock.wall_ms())
        connection.execute("BEGIN")
        timing.save_clock(connection, desk.session, spent)
        connection.execute("COMMIT")
        connection.close()
        web.start()
        until(lambda: answers(base), 30, "web is back")
        yield Yard(desk, web, base, codes, hands[0], papers[0], hands[1:], papers[1:])
        for http in hands:
            http.close()
    desk.db.close()


def test_a_deadline_that_is_argued_with(ending: Yard) -> None:
    """After the end nothing counts from a tablet that was in reach, whatever age it gives its answers."""
    place, http, paper = ending, ending.attacker, ending.paper
    silent, other = place.victims[0], place.papers[0]
    get(place, silent, "/exam/api/clock")
    began = time.monotonic()
    while (now := get(place, http, "/exam/api/clock").json())["s"] == "running":
        assert now["left"] <= 10_000
        time.sleep(0.5)
    assert (now["s"], now["left"]) == ("closed", 0)
    assert 50_000 < now["g"] <= 60_000
    end = max(time.monotonic() + 6, began + 10)
    while time.monotonic() < end:
        get(place, http, "/exam/api/clock")
        time.sleep(0.5)
    token = paper["csrf"]
    since_ms = int((time.monotonic() - began) * 1000)
    for seq, age in enumerate((None, 0, 4999, 7000, since_ms - 1500), start=1):
        body = an_answer(paper, seq=seq, age_ms=age)
        told = post(place, http, "/exam/api/answers", body, token).json()
        assert told["outcome"] == "late", f"an answer said to be {age} ms old"
        assert told["version"] == 0
    for age in (-1, 2**53, 1.5, "5", True):
        told = post(place, http, "/exam/api/answers", an_answer(paper, seq=6, age_ms=age), token)
        refused(told, 400, "body_wrong", "不对")
    for lie in ({"left": 9_999_999}, {"now": 0}, {"at_ms": 1}, {"elapsed_ms": 0}):
        told = post(place, http, "/exam/api/answers", an_answer(paper, seq=6, **lie), token)
        refused(told, 400, "body_wrong", "不对")
    told = post(place, http, "/exam/api/answers", an_answer(paper, seq=6), token, Date="Sat, 01 Jan 2000 00:00:00 GMT")
    assert told.json()["outcome"] == "late"
    assert standing_of(place, paper["attempt"]) == {}
    # the same words from a tablet that really was out of reach are believed, and flagged
    told = post(place, silent, "/exam/api/answers", an_answer(other, seq=1, age_ms=since_ms), other["csrf"]).json()
    assert (told["outcome"], told.get("grace")) == ("applied", True)
