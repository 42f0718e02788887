"""Every act about time over real HTTP against the real `web` process, with repeats; and the page with a wrong clock."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from edge.ops.desk import Person
from edge.ops.ports import free_port
from edge.store import ledger
from support.rooms import DeskRoom, make_desk_room
from support.serving import answers, open_exam, serving, until
from support.timed import set_policy

MINUTE = 60_000
CHROMIUM = "/usr/bin/chromium"


@pytest.fixture
def room(tmp_path: Path) -> Iterator[DeskRoom]:
    made = make_desk_room(tmp_path, web={"port": free_port(), "threads": 16})
    yield made
    made.db.close()


class Candidate:
    """A tablet with its own sequence, that sends what it is told to and hears what the room says of time."""

    def __init__(self, base: str, code: str) -> None:
        self._base, self._http, self._seq = base, requests.Session(), 0
        self._csrf = self._post("claim", seat_code=code, claim=str(uuid.uuid4()))["csrf"]

    def clock(self) -> dict[str, Any]:
        answer = self._http.get(f"{self._base}/exam/api/clock", timeout=10)
        assert len(answer.content) < 200
        return dict(answer.json())

    def op(self, path: str, **body: Any) -> Callable[[], dict[str, Any]]:
        """An operation that can be sent as often as one likes."""
        self._seq += 1
        whole = {"op_id": str(uuid.uuid4()), "seq": self._seq, **body}
        return lambda: self._post(path, **whole)

    def answer(self, item: str, **more: Any) -> dict[str, Any]:
        return self.op("answers", item=item, base_version=0, value=["A"], **more)()

    def items(self) -> list[str]:
        parts = self._http.get(f"{self._base}/exam/api/paper", timeout=10).json()["parts"]
        return [item["id"] for part in parts for item in part["items"] if item["type"] == "single"]

    def _post(self, path: str, **body: Any) -> dict[str, Any]:
        headers = {"X-CSRF": getattr(self, "_csrf", "")}
        answer = self._http.post(f"{self._base}/exam/api/{path}", json=body, headers=headers, timeout=10)
        assert answer.status_code < 500
        return dict(answer.json()) | {"status": answer.status_code}

    def close(self) -> None:
        self._http.close()


def act(proctor: Person, session: str, name: str, **body: Any) -> dict[str, Any]:
    return proctor.post(f"/console/api/{session}/{name}", reason="设备故障", **body)


def seat_of(board: dict[str, Any], number: int) -> dict[str, Any]:
    return next(dict(seat) for seat in board["seats"] if seat.get("number") == number)


def near(left: int, minutes: float) -> bool:
    """At most two minutes of a slow machine below the whole figure, never above it."""
    return (minutes - 2) * MINUTE < left <= minutes * MINUTE


def test_every_act_reaches_the_next_poll_and_is_done_once(room: DeskRoom, tmp_path: Path) -> None:
    session = room.session
    with serving(room, tmp_path) as (_, base):
        proctor, codes = open_exam(base, session, admit=3)
        one, two = Candidate(base, codes[0]), Candidate(base, codes[1])
        board = proctor.get(f"/console/api/{session}/board")
        people = {number: seat_of(board, number)["person"] for number in (1, 2)}
        first = one.clock()
        assert first["s"] == "running" and near(first["left"], 60) and 0 <= first["j"] <= 20_000

        for _ in range(2):
            act(proctor, session, "add-time", op_id="add-all-001", minutes=10)
        after = one.clock()  # the very next poll
        assert near(after["left"], 70) and after["left"] > first["left"] and after["v"] != first["v"]
        for _ in range(2):
            act(proctor, session, "add-time", op_id="add-one-001", minutes=20, person=people[1])
        assert near(one.clock()["left"], 90) and near(two.clock()["left"], 70)
        with pytest.raises(RuntimeError, match="act_reused"):
            act(proctor, session, "add-time", op_id="add-one-001", minutes=21, person=people[1])

        for _ in range(2):
            act(proctor, session, "pause", op_id="pause-one-1", person=people[1])
        assert one.clock()["s"] == "paused" and two.clock()["s"] == "running"
        item, standing = one.items()[0], one.clock()["left"]
        time.sleep(0.6)
        assert one.clock()["left"] == standing
        kept = one.answer(item)  # its page knew of the pause: no free time for a page that was changed
        assert (kept["outcome"], kept["flag"], kept["current"]) == ("late", "paused", [])
        (shown,) = proctor.get(f"/console/api/{session}/kept/{people[1]}")["kept"]
        assert (shown["outcome"], shown["value"], shown["stands"]) == ("paused", ["A"], [])
        assert one.answer(one.items()[1], age_ms=4000)["outcome"] == "applied"  # given before the pause
        act(proctor, session, "pause", op_id="pause-all-1")
        assert two.clock()["s"] == "paused"
        for op_id, name, person in (
            ("resume-one1", "resume", people[1]),
            ("resume-all1", "resume", None),
            ("pause-one-1", "pause", people[1]),  # an old act sent again does nothing
            ("pause-all-1", "pause", None),
        ):
            act(proctor, session, name, op_id=op_id, **({"person": person} if person else {}))
        assert one.clock()["s"] == "running" and two.clock()["s"] == "running"
        assert one.answer(item)["outcome"] == "applied"
        kinds = [e.kind for e in ledger.entries(room.db)]
        assert [k for k in kinds if "paused" in k or "resumed" in k or k == "time_added"] == [
            "time_added",
            "time_added",
            "candidate_paused",
            "exam_paused",
            "candidate_resumed",
            "exam_resumed",
        ]
        proctor.close()
        one.close()
        two.close()


def test_parts_open_once_over_http(room: DeskRoom, tmp_path: Path) -> None:
    with serving(room, tmp_path) as (_, base):
        proctor, codes = open_exam(base, room.session, admit=1)
        one = Candidate(base, codes[0])
        send = one.op("part", part=0, age_ms=120)
        assert [send()["outcome"] for _ in range(3)] == ["applied"] * 3
        assert one.op("part", part=9)()["error"] == "part_unknown"
        one._seq -= 1  # a refused operation used up no number
        assert one.op("part", part=1, age_ms=-1)()["error"] == "body_wrong"
        one._seq -= 1
        assert one.op("part", part=1, age_ms=3_600_000_000)()["outcome"] == "applied"  # clamped, never refused
        one.close()
        proctor.close()


def test_the_proctor_lets_in_after_the_latest_minute_on_purpose(room: DeskRoom, tmp_path: Path) -> None:
    set_policy(room.db, room.session, late_join_minutes=0, late_join="full-time", earliest_handin_minutes=30)
    with serving(room, tmp_path) as (_, base):
        proctor, codes = open_exam(base, room.session, admit=2)
        board = proctor.get(f"/console/api/{room.session}/board")
        person = seat_of(board, 3)["person"]
        until(lambda: room.db.execute("SELECT 1 FROM late_gates").fetchone(), what="the gate closes")
        with pytest.raises(RuntimeError, match="late_join_over"):
            act(proctor, room.session, "admit", person=person, route="manual")
        board = act(proctor, room.session, "admit", person=person, route="manual", late=True)["board"]
        late, early = Candidate(base, seat_of(board, 3)["seat_code"]), Candidate(base, codes[0])
        assert late.clock()["left"] > early.clock()["left"]
        refused = early.op("handin")()
        assert (refused["status"], refused["error"]) == (409, "handin_too_early")
        assert early.clock()["s"] == "running"
        for tablet in (late, early):
            tablet.close()
        proctor.close()


def test_a_killed_webs_outage_is_measured_and_credited_once(room: DeskRoom, tmp_path: Path) -> None:
    session = room.session
    with serving(room, tmp_path) as (web, base):
        proctor, codes = open_exam(base, session, admit=1)
        one = Candidate(base, codes[0])
        until(lambda: one.clock()["left"] < 60 * MINUTE - 1500, what="the clock has ticked")
        web.kill()
        time.sleep(6.5)
        web.start()
        until(lambda: answers(base), 30, "web is back")
        outages = until(lambda: proctor.get(f"/console/api/{session}/board")["outages"], what="the outage is listed")
        (outage,) = outages
        assert outage["cause"] == "stopped" and outage["credited"] is None
        assert 6 <= outage["seconds"] == outage["proposed_seconds"]
        before = one.clock()["left"]
        for _ in range(3):
            act(proctor, session, "credit-outage", op_id="credit-0001", outage=outage["id"])
        gained = one.clock()["left"] - before
        assert (outage["seconds"] - 6) * 1000 < gained <= outage["seconds"] * 1000
        with pytest.raises(RuntimeError, match="outage_credited"):
            act(proctor, session, "credit-outage", op_id="credit-0002", outage=outage["id"])
        (now,) = proctor.get(f"/console/api/{session}/board")["outages"]
        assert now["credited"] in (outage["seconds"], outage["seconds"] - 1)
        one.close()
        proctor.close()


def test_time_runs_out_in_the_open_and_more_of_it_opens_again(room: DeskRoom, tmp_path: Path) -> None:
    """An exam of ten seconds with no grace, at its real pace."""
    room.db.execute("UPDATE sessions SET minutes = 1")
    room.db.execute("UPDATE candidates SET extra_ms = -50000")
    set_policy(room.db, room.session, grace_seconds=0)
    with serving(room, tmp_path) as (_, base):
        proctor, codes = open_exam(base, room.session, admit=2)
        one = Candidate(base, codes[0])
        item = one.items()[0]
        assert one.answer(item)["outcome"] == "applied"
        until(lambda: one.clock()["s"] == "done", 90, "the room closes the attempt")
        late = one.op("answers", item=item, base_version=1, value=["B"])()
        assert (late["outcome"], late["current"]) == ("late", ["A"])
        board = until(
            lambda: (b := proctor.get(f"/console/api/{room.session}/board")) and b["counts"]["handed_in"] == 2 and b
        )
        person = seat_of(board, 1)["person"]
        for _ in range(2):
            answer = act(proctor, room.session, "add-time", op_id="again-0001", minutes=5, person=person)
        assert answer["reopened"] == 1
        clock = one.clock()
        assert clock["s"] == "running" and near(clock["left"], 5)
        assert one.op("answers", item=item, base_version=1, value=["B"])()["outcome"] == "applied"
        assert [e.subject for e in ledger.entries(room.db, kinds=("attempt_reopened",))] == [person]
        one.close()
        proctor.close()


# ---- the page


@contextmanager
def tablet_page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 800, "height": 1280}, locale="zh-CN")
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


# the tablet's own time of day is years off, and somebody changes it in mid-exam
WRONG_CLOCK = """
  const real = Date; window.shift = -9 * 365 * 86400000;
  window.Date = class extends real {
    constructor(...given) { given.length ? super(...given) : super(real.now() + window.shift); }
    static now() { return real.now() + window.shift; }
  };
"""


@pytest.mark.browser
@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed")
def test_a_tablet_with_a_wrong_clock_counts_down_right_and_hears_of_more_time(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    with serving(room, tmp_path) as (_, base), tablet_page(browser) as page:
        proctor, codes = open_exam(base, room.session, admit=1)
        page.add_init_script(WRONG_CLOCK)
        page.goto(f"{base}/exam/")
        for digit in codes[0]:
            page.locator(".numpad .key", has_text=digit).first.click()
        page.locator(".numpad .key.go").click()
        page.locator(".two .button.main").click()
        expect(page.locator(".stem")).to_be_visible()
        shown = page.locator("output.timer")

        def seconds() -> int:
            found = re.search(r"(?:(\d+):)?(\d+):(\d\d)", shown.inner_text())
            assert found is not None, shown.inner_text()
            return int(found[1] or 0) * 3600 + int(found[2]) * 60 + int(found[3])

        assert 58 * 60 < seconds() <= 60 * 60
        page.evaluate("window.shift = 3 * 365 * 86400000")
        page.wait_for_timeout(1500)
        assert 58 * 60 < seconds() <= 60 * 60
        act(proctor, room.session, "add-time", op_id="wrong-clock-1", minutes=30)
        until(lambda: seconds() > 88 * 60, 10, "the page shows the new time")
        assert seconds() <= 90 * 60
        proctor.close()


@pytest.mark.browser
@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason="Chromium is not installed")
def test_the_page_hands_in_at_the_end_by_itself_and_goes_on_when_there_is_more_time(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    set_policy(room.db, room.session, grace_seconds=10)
    room.db.execute("UPDATE sessions SET minutes = 1")
    room.db.execute("UPDATE candidates SET extra_ms = -45000")
    with serving(room, tmp_path) as (_, base), tablet_page(browser) as page:
        proctor, codes = open_exam(base, room.session, admit=1)
        person = seat_of(proctor.get(f"/console/api/{room.session}/board"), 1)["person"]
        page.goto(f"{base}/exam/")
        for digit in codes[0]:
            page.locator(".numpad .key", has_text=digit).first.click()
        page.locator(".numpad .key.go").click()
        page.locator(".two .button.main").click()
        page.locator("label.option").first.click()
        until(lambda: room_state(proctor, room.session) == "handed_in", 40, "the page or the room hands in")
        expect(page.locator(".done")).to_be_visible(timeout=20_000)
        act(proctor, room.session, "add-time", op_id="more-time-01", minutes=5, person=person)
        expect(page.locator(".stem")).to_be_visible(timeout=20_000)
        expect(page.locator("label.option input:checked")).to_have_count(1)  # the answer is still there
        page.locator("label.option").nth(1).click()
        expect(page.locator(".item-state .good")).to_be_visible()
        proctor.close()


def room_state(proctor: Person, session: str) -> str:
    return str(seat_of(proctor.get(f"/console/api/{session}/board"), 1)["state"])
