"""What must never lose an answer: long hours offline, a tablet's clock that jumps, a refusal nobody expected, replies
that get lost on the way, an exam that moves to another tablet, and a cookie that turns up on a second device.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, Page, Route, expect

from edge.ops.desk import Person
from edge.ops.ports import free_port
from support.lossy_front import LossyFront
from support.pictures import shot_both
from support.rooms import DeskRoom, make_desk_room
from support.serving import open_exam, serving, until
from support.tablet_page import (
    CHROMIUM,
    answers_of,
    cached,
    enter_code,
    go_to,
    journal_of,
    paper_of,
    seat,
    steps,
    stored,
    tablet,
)
from support.wifi import Candidate, drop_and_answer, nothing_lost

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists(), reason="Chromium is not installed; see provisioning/test-packages.sh"
    ),
]
MINUTE_MS = 60_000


@pytest.fixture
def room(tmp_path: Path) -> Iterator[DeskRoom]:
    made = make_desk_room(tmp_path, size=2, web={"port": free_port(), "threads": 24})
    yield made
    made.db.close()


@contextmanager
def opened(room: DeskRoom, folder: Path) -> Iterator[tuple[str, Person, list[str]]]:
    with serving(room, folder) as (_, base):
        proctor, codes = open_exam(base, room.session)
        yield base, proctor, codes
        proctor.close()


def answer(page: Page, at: int) -> str:
    """Choose option `at` of the question on the screen, go to the next, and say which item it was."""
    n = page.locator(".cell[aria-current]").inner_text()
    item = next(i["id"] for part in paper_of(page)["parts"] for i in part["items"] if str(i["n"]) == n)
    page.locator("label.option").nth(at).click()
    page.locator(".foot .button.main").click()
    return str(item)


def tile(proctor: Person, session: str, code: str) -> dict[str, Any]:
    board = proctor.get(f"/console/api/{session}/board")
    return next(one for one in board["seats"] if one.get("seat_code") == code)


def ledger(room: DeskRoom, kind: str) -> list[dict[str, Any]]:
    rows = room.db.execute("SELECT entry FROM ledger WHERE kind = ? ORDER BY seq", (kind,)).fetchall()
    return [json.loads(bytes(row["entry"]))["body"] for row in rows]


# ---- long offline, clocks, refusals


@pytest.mark.parametrize("minutes", [30, pytest.param(70, marks=pytest.mark.long)])
def test_minutes_without_network_and_a_reload_lose_nothing(
    browser: Browser, room: DeskRoom, tmp_path: Path, minutes: int
) -> None:
    """The page's own clocks are moved on; the operations say how old they are, and the room takes every age."""
    room.db.execute("UPDATE sessions SET minutes = 240")
    with opened(room, tmp_path) as (base, _, codes), tablet(browser, base, keeps=True) as page:
        page.clock.install()
        seat(page, base, codes[0])
        until(lambda: "/exam/" in cached(page), 15, "the worker keeps the page")
        page.reload()  # a page whose clock is a test's cannot list its files: by the worker it keeps them all
        page.locator("#question").wait_for()
        page.context.set_offline(True)
        first = answer(page, 0)
        page.clock.fast_forward(minutes * MINUTE_MS)
        second = answer(page, 1)
        until(lambda: len(stored(page)["ops"]) == 2, 10, "it is on the tablet")
        page.reload()
        page.locator("#question").wait_for()
        page.clock.fast_forward(5 * MINUTE_MS)
        go_to(page, steps(page)[first])
        answer(page, 1)
        # the first has been tried before the network was found to be gone: a changed answer comes behind it
        assert [op["item"] for _, op in stored(page)["ops"]] == [first, second, first]
        third = answer_third(page, {first, second})
        page.context.set_offline(False)
        page.clock.fast_forward(20_000)
        until(lambda: len(journal_of(room)) == 4, 30, "all that was answered offline arrives")
        rows = journal_of(room)
        assert [row["item_id"] for row in rows] == [first, second, first, third]
        # how old by which clock is for the page's own tests: here the room's time stood still while the page's went on
        assert all(0 <= row["age_ms"] < (minutes + 10) * MINUTE_MS for row in rows)
        assert {row["outcome"] for row in rows} == {"applied"}
        until(lambda: stored(page)["ops"] == [], 5, "nothing is left on the tablet")


def answer_third(page: Page, done: set[str]) -> str:
    item, n = next((item, n) for item, n in steps(page).items() if item not in done)
    go_to(page, n)
    assert answer(page, 0) == item
    return item


@pytest.mark.parametrize(
    "hours", [pytest.param(2, marks=pytest.mark.long), -2, pytest.param(24 * 30, marks=pytest.mark.long)]
)
def test_a_tablet_whose_clock_jumps_over_a_reload_loses_nothing(
    browser: Browser, room: DeskRoom, tmp_path: Path, hours: int
) -> None:
    with opened(room, tmp_path) as (base, _, codes), tablet(browser, base, keeps=True) as page:
        seat(page, base, codes[0])
        until(lambda: "/exam/" in cached(page), 15, "the worker keeps the page")
        page.context.set_offline(True)
        given = [answer(page, 0), answer(page, 1)]
        until(lambda: len(stored(page)["ops"]) == 2, 10, "both are on the tablet")
        page.add_init_script(f"Date.now = ((now) => () => now() + {hours * 3_600_000})(Date.now.bind(Date));")
        page.reload()
        page.locator("#question").wait_for()
        page.context.set_offline(False)
        until(lambda: len(journal_of(room)) == 2, 30, "both arrive")
        assert [(row["item_id"], row["outcome"]) for row in journal_of(room)] == [(one, "applied") for one in given]
        ages = [row["age_ms"] for row in journal_of(room)]
        assert all(0 <= age < 2 * MINUTE_MS for age in ages), "by the room's time, not the tablet's"


def test_an_answer_the_room_refuses_unexpectedly_is_kept_shown_and_told(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    with opened(room, tmp_path) as (base, proctor, codes), tablet(browser, base) as page:
        seat(page, base, codes[0])
        refused: list[str] = []

        def fault(route: Route) -> None:
            sent = json.loads(route.request.post_data or "{}")
            if not refused or sent["item"] in refused:
                refused.append(sent["item"])
                route.fulfill(status=400, json={"error": "body_wrong", "zh": "请求不对。", "en": "-"})
            else:
                route.fallback()

        page.route("**/exam/api/answers", fault)
        first, second = answer(page, 0), answer(page, 1)
        until(lambda: second in answers_of(room), 10, "those behind it go on")
        assert first not in answers_of(room)
        kept = until(lambda: [op for _, op in stored(page)["ops"] if op["held"]], 10, "the first is held back")
        assert [(op["item"], op["held"]["error"]) for op in kept] == [(first, "body_wrong")]
        until(lambda: "answers_refused" in tile(proctor, room.session, codes[0])["alarms"], 15, "the proctor sees it")
        go_to(page, steps(page)[first])
        expect(page.locator(".item-state")).to_contain_text("考场没有接受这个答案")
        shot_both(page, "page-refused-kept")
        page.reload()
        page.locator("#question").wait_for()
        assert [op["item"] for _, op in stored(page)["ops"]] == [first]
        page.unroute("**/exam/api/answers")
        page.reload()
        until(lambda: first in answers_of(room), 15, "asked again, the room takes it")
        until(lambda: stored(page)["ops"] == [], 5, "and the tablet lets go of it")
        expect(page.locator(".item-state")).to_contain_text("已存到考场")
        until(lambda: not tile(proctor, room.session, codes[0])["queued"], 10, "the alarm is over")


@pytest.mark.long
def test_replies_lost_in_mid_air_on_a_dropping_line_lose_and_double_nothing(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    with opened(room, tmp_path) as (_, _, codes):
        front = LossyFront(room.config.web.port, every=3)
        with tablet(browser, front.base) as one, tablet(browser, front.base) as two:
            for page, code in ((one, codes[0]), (two, codes[1])):
                seat(page, front.base, code)
            candidates = [Candidate(one), Candidate(two)]
            drop_and_answer(candidates, front, cycles=3, up_s=2.5, down_s=1.2, pause_s=0.1)
            found = nothing_lost(room, candidates, 60)
            assert front.lost >= 3, found
        front.cut()


# ---- moving, and a second device


def test_moving_to_another_tablet_takes_one_act_and_eight_touches(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    with (
        opened(room, tmp_path) as (base, proctor, codes),
        tablet(browser, base) as old,
        tablet(browser, base) as new,
    ):
        seat(old, base, codes[0])
        one = answer(old, 0)
        until(lambda: one in answers_of(room), 10, "the first answer is in the room")
        new.goto(f"{base}/exam/")
        new.locator("#seat-code").wait_for()
        new.evaluate("() => { window.touches = 0; addEventListener('click', () => { window.touches += 1; }, true); }")
        person = tile(proctor, room.session, codes[0])["person"]
        told = proctor.post(f"/console/api/{room.session}/release-tablet", person=person, reason="平板没电")
        assert told["done"] == "release-tablet"
        began = time.monotonic()
        enter_code(new, codes[0])
        new.locator(".two .button.main").click()
        new.locator("#question").wait_for()
        took = time.monotonic() - began
        touches = new.evaluate("() => window.touches")
        print(f"\nmoved to another tablet: 1 act of the proctor, {touches} touches, code to paper {took:.1f} s")
        assert touches == 6 + 1 + 1  # the digits, their confirmation, and "yes, this is me"
        expect(new.locator(".map-open")).to_contain_text("1/3")


def test_a_cookie_on_a_second_device_reads_nothing_and_the_proctor_sees_it(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    with (
        opened(room, tmp_path) as (base, proctor, codes),
        tablet(browser, base) as page,
        tablet(browser, base) as thief,
    ):
        seat(page, base, codes[0])
        one = answer(page, 0)
        until(lambda: one in answers_of(room), 10, "the first answer is in the room")
        cookies: Any = page.context.cookies()
        thief.context.add_cookies(cookies)
        thief.goto(f"{base}/exam/")
        expect(thief.locator(".screen.gone")).to_contain_text("已有一台平板在使用", timeout=10_000)
        assert "second_device" in tile(proctor, room.session, codes[0])["alarms"]
        secret = next(c["value"] for c in cookies if c["name"] == "examroom_tablet")
        bare = {"Cookie": f"examroom_tablet={secret}"}
        for path in ("paper", "clock"):
            got = requests.get(f"{base}/exam/api/{path}", headers=bare, timeout=10)
            assert (got.status_code, got.json()["error"]) == (403, "tablet_other")
        wrong = bare | {"X-Examroom-Device": "0" * 36}
        got = requests.post(f"{base}/exam/api/answers", headers=wrong, json={}, timeout=10)
        assert (got.status_code, got.json()["error"]) == (403, "tablet_other")
        page.reload()  # the tablet itself goes on
        page.locator("#question").wait_for()
        two = answer(page, 0)
        until(lambda: two in answers_of(room), 10, "its answers are taken")
        until(lambda: [e for e in ledger(room, "tablet") if e["act"] == "second_device"], 10, "the ledger has it")
        assert [e["act"] for e in ledger(room, "tablet")].count("second_device") == 1
        person = tile(proctor, room.session, codes[0])["person"]
        proctor.post(f"/console/api/{room.session}/release-tablet", person=person, reason="另一台设备冒用")
        assert "second_device" not in tile(proctor, room.session, codes[0])["alarms"]
        expect(page.locator(".screen.gone")).to_be_visible(timeout=10_000)
        page.locator(".gone .button.main").click()
        enter_code(page, codes[0])
        page.locator(".two .button.main").click()
        page.locator("#question").wait_for()
        expect(page.locator(".map-open")).to_contain_text("2/3")
        thief.reload()
        expect(thief.locator(".screen.gone, #seat-code").first).to_be_visible(timeout=10_000)


# ---- a tablet that was replaced, over HTTP


class Raw:
    """A tablet as a script sees it: what it sends is what the test says."""

    def __init__(self, base: str, code: str, device: str = "d" * 36) -> None:
        self.base, self.http, self.seq = base, requests.Session(), 0
        got = self.http.post(f"{base}/exam/api/claim", json={"seat_code": code, "device": device}, timeout=10)
        assert got.status_code == 200, got.text
        self.http.headers.update({"X-CSRF": got.json()["csrf"], "X-Examroom-Device": device})

    def send(self, path: str, **body: Any) -> requests.Response:
        body = {"op_id": f"{path}-{self.seq + 1:08d}-{id(self)}", "seq": self.seq + 1, **body}
        got = self.http.post(f"{self.base}/exam/api/{path}", json=body, timeout=10)
        self.seq += got.ok
        return got

    def get(self, path: str) -> requests.Response:
        return self.http.get(f"{self.base}/exam/api/{path}", timeout=10)


def test_what_a_released_tablet_sends_is_kept_for_the_proctor_and_nothing_else_of_it_is_taken(
    room: DeskRoom, tmp_path: Path
) -> None:
    with opened(room, tmp_path) as (base, proctor, codes):
        old = Raw(base, codes[0])
        item = old.get("paper").json()["parts"][0]["items"][0]["id"]
        assert old.send("answers", item=item, base_version=0, value=["A"]).json()["outcome"] == "applied"
        person = tile(proctor, room.session, codes[0])["person"]
        proctor.post(f"/console/api/{room.session}/release-tablet", person=person, reason="平板没电")
        for path in ("paper", "clock", "media/a.png"):
            assert old.get(path).json()["error"] == "tablet_released"
        for path, more in (("handin", {}), ("part", {"part": 0})):
            assert old.send(path, **more).json()["error"] == "tablet_released"
        late = old.send("answers", item=item, base_version=1, value=["B"]).json()
        assert (late["outcome"], late["released"], late["current"]) == ("stale", True, ["A"])
        gap = old.http.post(
            f"{base}/exam/api/answers",
            json={"op_id": "gap-gap-gap", "seq": 9, "item": item, "base_version": 1, "value": ["B"]},
            timeout=10,
        )
        assert (gap.status_code, gap.json()["error"], gap.json()["expected"]) == (409, "sequence_wrong", 3)
        assert old.send("answers", item="nothing-of-this-paper", base_version=0, value=["B"]).status_code == 400
        new = Raw(base, codes[0], "e" * 36)
        assert new.get("paper").json()["responses"][item]["value"] == ["A"]
        assert answers_of(room) == {item: ["A"]}
        kept = proctor.get(f"/console/api/{room.session}/kept/{person}")["kept"]
        assert [(k["value"], k["stands"], k["old_tablet"]) for k in kept] == [(["B"], ["A"], True)]
        for _ in range(499):
            assert old.send("answers", item=item, base_version=1, value=["B"]).json()["outcome"] == "stale"
        assert old.send("answers", item=item, base_version=1, value=["B"]).json()["error"] == "tablet_released"
        assert answers_of(room) == {item: ["A"]}
