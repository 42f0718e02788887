"""The exam page on a bad line: network gone over a reload and a reboot, by trusted, untrusted and no TLS; Wi-Fi that
drops again and again; two pages, two tablets; handing in without the room; the end of the time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Playwright, Route, expect

from edge.ops.desk import Person
from edge.ops.ports import free_port
from support.pictures import shot_both
from support.rooms import DeskRoom, make_desk_room
from support.serving import Service, open_exam, serving, until
from support.tablet_page import (
    CHROMIUM,
    FLAGS,
    PORTRAIT,
    answers_of,
    axe,
    cached,
    enter_code,
    go_to,
    journal_of,
    paper_of,
    seat,
    stored,
    tab_to,
    tablet,
)
from support.tls_front import NAME, Certificate, Front

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists(), reason="Chromium is not installed; see provisioning/test-packages.sh"
    ),
]
NAMES = f"--host-resolver-rules=MAP {NAME} 127.0.0.1"


@pytest.fixture
def room(tmp_path: Path) -> Iterator[DeskRoom]:
    made = make_desk_room(tmp_path, size=2, web={"port": free_port(), "threads": 24})
    yield made
    made.db.close()


@contextmanager
def opened(room: DeskRoom, folder: Path) -> Iterator[tuple[Service, str, Person, list[str]]]:
    with serving(room, folder) as (web, base):
        proctor, codes = open_exam(base, room.session)
        yield web, base, proctor, codes
        proctor.close()


def answer(page: Page, at: int) -> str:
    """Choose option `at` of the question on the screen, go to the next, and say which item it was."""
    n = page.locator(".cell[aria-current]").inner_text()
    item = next(i["id"] for part in paper_of(page)["parts"] for i in part["items"] if str(i["n"]) == n)
    page.locator("label.option").nth(at).click()
    page.locator(".foot .button.main").click()
    return str(item)


def taken(page: Page, room: DeskRoom, item: str) -> None:
    """Wait until an answer is in the room and the tablet, with nothing else to send, has heard so."""
    until(lambda: item in answers_of(room) and not stored(page)["ops"], 10, "both know of the answer")


@contextmanager
def explained(page: Page, room: DeskRoom) -> Iterator[None]:
    """What fails in here says what went over the line, what the room has, and what the tablet still has."""
    line: list[str] = []
    page.on("request", lambda request: line.append(f"-> {request.method} {request.url} {request.post_data}"))
    page.on("response", lambda response: line.append(f"<- {response.status} {response.url}"))
    page.on("requestfailed", lambda request: line.append(f"!! {request.url} {request.failure}"))
    try:
        yield
    except AssertionError as failed:
        told = [f"journal {[dict(row) for row in journal_of(room)]}", f"tablet {stored(page)['ops']}"]
        raise AssertionError("\n".join([str(failed), *(one for one in line if "/api/" in one), *told])) from failed


def confirm_hand_in(page: Page) -> None:
    page.locator(".map-open").click()
    page.locator(".handin").click()
    page.locator("dialog .button.main").click()


def board_seat(proctor: Person, session: str, code: str) -> dict[str, Any]:
    board = proctor.get(f"/console/api/{session}/board")
    return next(one for one in board["seats"] if one.get("seat_code") == code)


# ---- the three ways a tablet may trust the room


def persistent(playwright: Playwright, folder: Path, *more: str) -> BrowserContext:
    """A tablet's browser with a disk of its own, so that it can be switched off and on again."""
    context = playwright.chromium.launch_persistent_context(
        str(folder),
        executable_path=CHROMIUM,
        args=[*FLAGS, NAMES, *more],
        viewport={"width": PORTRAIT[0], "height": PORTRAIT[1]},
        locale="zh-CN",
    )
    context.set_default_timeout(10_000)
    return context


def test_over_trusted_tls_the_paper_survives_reload_and_reboot_without_network(
    playwright: Playwright, room: DeskRoom, tmp_path: Path
) -> None:
    certificate = Certificate(tmp_path / "tls")
    trust = f"--ignore-certificate-errors-spki-list={certificate.spki}"
    with opened(room, tmp_path) as (_, _, _, codes):
        front = Front(room.config.web.port, certificate)
        context = persistent(playwright, tmp_path / "tablet", trust)
        page = context.pages[0]
        seat(page, front.base, codes[0])
        first = answer(page, 0)
        taken(page, room, first)
        until(lambda: "/exam/" in cached(page), 15, "the worker keeps the page")
        assert page.locator(".banners").inner_text() == ""
        front.cut()
        second = answer(page, 0)
        expect(page.locator(".banners .warn")).to_be_visible(timeout=15_000)
        page.reload()
        page.locator("#question").wait_for()
        third = answer(page, 1)
        assert {op["item"] for _, op in stored(page)["ops"]} == {second, third}
        context.close()

        context = persistent(playwright, tmp_path / "tablet", trust)
        page = context.pages[0]
        page.goto(f"{front.base}/exam/")
        page.locator("#question").wait_for()
        fourth = answer(page, 0)
        assert len(answers_of(room)) == 1
        front.mend()
        until(lambda: len(answers_of(room)) == 4, 30, "all that was answered offline arrives")
        assert [row["item_id"] for row in journal_of(room)] == [first, second, third, fourth]
        context.close()
        front.cut()


@pytest.mark.parametrize("tls", [True, False], ids=["untrusted-tls", "plain-http"])
def test_without_trust_the_queue_is_the_same_and_the_page_says_what_it_cannot(
    browser: Browser, room: DeskRoom, tmp_path: Path, tls: bool
) -> None:
    certificate = Certificate(tmp_path / "tls") if tls else None
    with opened(room, tmp_path) as (_, _, _, codes):
        front = Front(room.config.web.port, certificate)
        with tablet(browser, front.base, keeps=True, ignore_https_errors=tls) as page:
            seat(page, front.base, codes[0])
            assert page.evaluate("() => location.hostname") == NAME
            expect(page.locator(".banners")).to_contain_text("断网时请不要刷新或关闭页面")
            assert cached(page) == {}
            first = answer(page, 0)
            taken(page, room, first)
            front.cut()
            second = answer(page, 0)
            third = answer(page, 0)
            expect(page.locator(".banners .bad")).to_contain_text("断网时请不要刷新")
            shot_both(page, f"page-no-reload-{'tls' if tls else 'http'}")
            assert [op["item"] for _, op in stored(page)["ops"]] == [second, third]
            # a tablet that is reloaded all the same shows nothing, and has lost nothing
            with pytest.raises(Exception, match="ERR_"):
                page.reload()
            front.mend()
            page.wait_for_timeout(300)  # until the browser's own error page is there
            try:
                page.goto(f"{front.base}/exam/")
            except Error as error:  # it was slower, and came between
                if "interrupted by another navigation" not in str(error):
                    raise
                page.goto(f"{front.base}/exam/")
            until(lambda: len(answers_of(room)) == 3, 30, "what was kept arrives")
            assert [row["item_id"] for row in journal_of(room)] == [first, second, third]
        front.cut()


# ---- Wi-Fi that comes and goes


def test_over_wifi_that_keeps_dropping_every_answer_arrives_in_order(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    with opened(room, tmp_path) as (_, base, _, codes), tablet(browser, base) as page:
        seat(page, base, codes[0])
        given: list[str] = []
        for cycle in range(6):
            page.context.set_offline(cycle % 2 == 0)
            for _ in range(3):
                given.append(answer(page, cycle % 2))
                page.wait_for_timeout(120)
        page.context.set_offline(False)
        until(lambda: len(answers_of(room)) == len(set(given)), 30, "every answer arrives")
        rows = journal_of(room)
        assert [row["item_id"] for row in rows] == given
        assert [row["tablet_seq"] for row in rows] == list(range(1, len(given) + 1))
        assert {row["outcome"] for row in rows} == {"applied"}


def test_when_the_network_is_back_the_queue_goes_at_once(browser: Browser, room: DeskRoom, tmp_path: Path) -> None:
    with opened(room, tmp_path) as (_, base, _, codes), tablet(browser, base) as page:
        seat(page, base, codes[0])
        page.context.set_offline(True)
        answer(page, 0)
        expect(page.locator(".banners .warn")).to_be_visible(timeout=15_000)
        page.wait_for_timeout(9000)  # by now it waits long between its tries
        page.evaluate("() => window.addEventListener('online', () => { window.back = performance.now(); })")
        page.evaluate(
            """() => { const real = window.fetch; window.fetch = (url, ...more) => {
            if (String(url).endsWith("/answers") && window.back && !window.sent) window.sent = performance.now();
            return real(url, ...more); }; }"""
        )
        page.context.set_offline(False)
        until(lambda: len(answers_of(room)) == 1, 10, "the queue goes")
        waited = page.evaluate("() => window.sent - window.back")
        # the poll that notices comes first; the longest pause of the queue would have been 15 s and more
        assert 0 <= waited < 5000


# ---- two pages, two tablets


def test_a_second_page_is_told_and_takes_over_without_losing_anything(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    with opened(room, tmp_path) as (_, base, _, codes), tablet(browser, base) as first:
        seat(first, base, codes[0])
        one = answer(first, 0)
        taken(first, room, one)
        second = first.context.new_page()
        second.goto(f"{base}/exam/")
        expect(second.locator(".other-tab")).to_contain_text("另一个页面")
        first.context.set_offline(True)
        two = answer(first, 0)
        assert [op["item"] for _, op in stored(first)["ops"]] == [two]
        first.context.set_offline(False)
        second.locator(".other-tab .button.main").click()
        second.locator("#question").wait_for()
        expect(first.locator(".other-tab")).to_be_visible()
        three = answer(second, 0)
        until(lambda: len(answers_of(room)) == 3, 15, "both pages' answers are in the room")
        assert [row["item_id"] for row in journal_of(room)] == [one, two, three]
        first.locator(".other-tab .button.main").click()
        first.locator("#question").wait_for()
        expect(second.locator(".other-tab")).to_be_visible()
        expect(first.locator(".map-open")).to_contain_text("3/3")


def test_two_pages_that_cannot_hear_each_other_do_not_write_over_each_other(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    """No channel and no storage event: both take themselves for the only one."""
    deaf = "delete window.BroadcastChannel; Object.defineProperty(window, 'localStorage', { value: null });"
    with opened(room, tmp_path) as (_, base, _, codes), tablet(browser, base) as first:
        first.context.add_init_script(deaf)
        seat(first, base, codes[0])
        second = first.context.new_page()
        second.goto(f"{base}/exam/")
        second.locator("#question").wait_for()
        first.context.set_offline(True)
        given = [answer(first, 0), answer(first, 0)]
        second.locator(".foot .button.main").click()
        second.locator(".foot .button.main").click()
        given += [answer(second, 0), answer(second, 0)]
        kept = sorted(op["item"] for _, op in stored(first)["ops"])
        assert kept == sorted(given) and len(set(given)) == 4
        first.context.set_offline(False)
        until(lambda: len(answers_of(room)) == 4, 40, "all four answers are in the room")
        assert {row["outcome"] for row in journal_of(room)} <= {"applied", "stale"}


@pytest.mark.parametrize("deaf", ["clock", pytest.param("answers", marks=pytest.mark.long)])
def test_a_replaced_tablet_hands_what_it_could_not_send_to_the_proctor_and_keeps_nothing(
    browser: Browser, room: DeskRoom, tmp_path: Path, deaf: str
) -> None:
    """Whether it hears of that by an answer it sends or by the clock; the other does not come through at first."""
    with (
        opened(room, tmp_path) as (_, base, proctor, codes),
        tablet(browser, base, keeps=True) as old,
        tablet(browser, base) as new,
    ):
        seat(old, base, codes[0])
        one = answer(old, 0)
        taken(old, room, one)
        old.context.set_offline(True)
        two = answer(old, 1)
        new.goto(f"{base}/exam/")
        enter_code(new, codes[0])
        expect(new.locator(".notice.bad")).to_contain_text("请找监考员")
        person = board_seat(proctor, room.session, codes[0])["person"]
        proctor.post(f"/console/api/{room.session}/release-tablet", person=person, reason="平板没电")
        seat(new, base, codes[0])
        expect(new.locator(".map-open")).to_contain_text("1/3")
        new.locator(".foot .button.main").click()
        answer(new, 0)  # the same question, answered otherwise on the new tablet
        until(lambda: answers_of(room).get(two) == ["A"], 10, "the new tablet's answer stands")
        old.locator(".map-open").click()
        old.locator(".handin").click()
        old.locator("dialog .button.main").click()  # a hand-in of a tablet that was replaced must never count
        old.route(f"**/exam/api/{deaf}*", lambda route: route.abort())
        old.context.set_offline(False)
        expect(old.locator(".screen.gone")).to_be_visible(timeout=40_000)  # the longest wait between two tries
        old.unroute(f"**/exam/api/{deaf}*")
        expect(old.locator(".screen.gone")).to_contain_text("1 条答案已交给监考员", timeout=15_000)
        expect(old.locator(".screen.gone")).to_contain_text("卷子已从这台平板删除")
        assert axe(old) == []
        shot_both(old, "page-replaced")
        assert stored(old)["ops"] == []
        kept = [key for key, _ in stored(old)["notes"]]
        assert not [key for key in kept if key.startswith(("paper/", "marks/", "settings/", "room/", "claim"))], kept
        assert not [text for path, text in cached(old).items() if "/api/" in path or two in text]
        assert old.locator("#question").count() == 0 and not old.context.pages[0].locator("dialog").count()
        rows = [(row["kind"], row["item_id"], row["outcome"]) for row in journal_of(room)]
        assert rows == [("answer", one, "applied"), ("answer", two, "applied"), ("answer", two, "stale")]
        old.reload()
        expect(old.locator(".screen.gone")).to_contain_text("1 条答案已交给监考员", timeout=15_000)
        old.locator(".gone .button.main").click()
        expect(old.locator("#seat-code")).to_be_visible()
        waiting = proctor.get(f"/console/api/{room.session}/kept/{person}")["kept"]
        assert [(row["value"], row["stands"], row["old_tablet"]) for row in waiting] == [(["B"], ["A"], True)]
        assert "kept_answers" in board_seat(proctor, room.session, codes[0])["alarms"]
        accept = {"person": person, "n": [waiting[0]["n"]], "reason": "考生说以旧平板为准"}
        proctor.post(f"/console/api/{room.session}/accept-answer", **accept)
        assert answers_of(room)[two] == ["B"]
        expect(new.locator("#question")).to_be_visible()


# ---- handing in


def test_handing_in_without_the_room_is_kept_over_a_reload_and_arrives(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    with opened(room, tmp_path) as (_, base, _, codes), tablet(browser, base, keeps=True) as page:
        seat(page, base, codes[0])
        until(lambda: "/exam/" in cached(page), 15, "the worker keeps the page")
        page.context.set_offline(True)
        answer(page, 0)
        expect(page.locator(".banners .warn")).to_be_visible(timeout=15_000)
        page.locator(".map-open").click()
        page.locator(".handin").click()
        expect(page.locator("dialog")).to_contain_text("交卷先记在这台平板上")
        page.locator("dialog .button.main").click()
        expect(page.locator(".cover")).to_contain_text("交卷已记在这台平板上")
        expect(page.locator(".cover")).to_contain_text("不要关机")
        shot_both(page, "page-handin-offline")
        page.reload()
        expect(page.locator(".cover")).to_contain_text("交卷已记在这台平板上", timeout=15_000)
        assert [op["kind"] for _, op in stored(page)["ops"]] == ["answer", "handin"]
        page.context.set_offline(False)
        expect(page.locator(".screen.done")).to_be_visible(timeout=20_000)
        assert [row["kind"] for row in journal_of(room)] == ["answer", "handin"]
        expect(page.locator(".lead.num")).to_contain_text("答了 1 题")


def test_a_hand_in_can_be_taken_back_before_it_is_sent(browser: Browser, room: DeskRoom, tmp_path: Path) -> None:
    with opened(room, tmp_path) as (_, base, _, codes), tablet(browser, base) as page:
        seat(page, base, codes[0])
        page.context.set_offline(True)
        answer(page, 0)
        expect(page.locator(".banners .warn")).to_be_visible(timeout=15_000)
        confirm_hand_in(page)
        page.locator(".cover .button").click()
        expect(page.locator(".cover")).to_have_count(0)
        answer(page, 0)
        page.context.set_offline(False)
        until(lambda: len(answers_of(room)) == 2, 20, "both answers are in the room")
        assert [row["kind"] for row in journal_of(room)] == ["answer", "answer"]
        with tablet(browser, base) as other:
            hand_in_without_a_store(other, base, codes[1])
        until(lambda: len(journal_of(room)) == 4, 20, "the other tablet's answer and hand-in are in the room")


def hand_in_without_a_store(page: Page, base: str, code: str) -> None:
    """A browser that has no IndexedDB: the paper, the answers and the hand-in go on, and the page never says "kept"."""
    page.add_init_script("Object.defineProperty(window, 'indexedDB', { value: undefined })")
    seat(page, base, code)
    expect(page.locator(".banners .bad")).to_contain_text("不能可靠存储")
    page.context.set_offline(True)
    page.locator("label.option").first.click()
    expect(page.locator(".item-state")).to_contain_text("只在这一页里：平板没有存下，也还没送达考场")
    expect(page.locator(".banners .warn")).to_contain_text("没送达的答案只在这一页里", timeout=15_000)
    page.locator(".map-open").click()
    page.locator(".handin").click()
    expect(page.locator("dialog")).to_contain_text("这台平板存不下")
    page.locator("dialog .button.main").click()
    expect(page.locator(".cover")).to_contain_text("交卷还没送出，只在这一页里")
    assert "在这台平板上" not in page.locator("body").inner_text()
    page.context.set_offline(False)
    expect(page.locator(".screen.done")).to_be_visible(timeout=20_000)


def test_at_the_sessions_end_the_page_says_so_and_sends_what_it_has(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    with opened(room, tmp_path) as (_, base, proctor, codes), tablet(browser, base) as page:
        seat(page, base, codes[0])
        one = answer(page, 0)
        taken(page, room, one)
        page.context.set_offline(True)
        answer(page, 1)
        proctor.post(f"/console/api/{room.session}/close", reason="时间到")
        page.context.set_offline(False)
        expect(page.locator(".cover.timeup, .screen.done")).to_be_visible(timeout=20_000)
        until(lambda: len(journal_of(room)) >= 2, 20, "the late answer is in the journal")
        assert json.loads(journal_of(room)[0]["value"]) and answers_of(room).keys() == {one}
        expect(page.locator(".screen.done")).to_contain_text("有 1 个答案在时间到后才送达", timeout=20_000)
        shot_both(page, "page-closed")
        until(lambda: "answer" not in [op["kind"] for _, op in stored(page)["ops"]], 10, "nothing is left to send")


def test_answers_left_on_a_tablet_that_was_off_at_the_end_still_reach_the_room(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    with opened(room, tmp_path) as (_, base, proctor, codes), tablet(browser, base) as page:
        seat(page, base, codes[0])
        page.context.set_offline(True)
        items = [answer(page, 0), answer(page, 1)]
        until(lambda: len(stored(page)["ops"]) == 2, 10, "both are on the tablet")
        context = page.context
        page.close()
        proctor.post(f"/console/api/{room.session}/close", reason="时间到")
        context.set_offline(False)
        page = context.new_page()
        told(page, "clock*", {"s": "closed", "left": 0, "v": 1}, {"s": "done", "left": 0, "v": 1})
        # A slow line: the page looks for the paper once more while an answer is on its way.
        page.route("**/exam/api/answers", lambda route: (page.wait_for_timeout(1600), route.continue_()))
        with explained(page, room):
            page.goto(f"{base}/exam/")
            expect(page.locator(".screen.done")).to_contain_text("有 2 个答案在时间到后才送达", timeout=60_000)
        late = [(row["item_id"], row["outcome"]) for row in journal_of(room) if row["kind"] == "answer"]
        assert late == [(item, "late") for item in items]
        until(lambda: stored(page)["ops"] == [], 5, "nothing is left on the tablet")
        assert answers_of(room) == {}


# ---- what an answer's state is, and the end of the time


def told(page: Page, part: str, *bodies: dict[str, Any]) -> None:
    """Let the room's word on `part` of the API be these, one after the other; the last one stays."""
    waiting = list(bodies)

    def answer_with(route: Route) -> None:
        body = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        sent = json.loads(route.request.post_data or "{}")
        status = body.get("status", 200)
        route.fulfill(status=status, json={"op_id": sent.get("op_id"), "version": 1, "at_ms": 0, "current": []} | body)

    page.route(f"**/exam/api/{part}", answer_with)


WORDS: list[tuple[dict[str, Any], str]] = [
    ({"outcome": "applied", "at_ms": 3_600_000}, "已存到考场 09:00:00"),
    ({"outcome": "applied", "grace": True, "at_ms": 3_600_000}, "时间到之前作答，考场已收下 09:00:00"),
    ({"outcome": "late"}, "时间到后才送达，没有计入"),
    ({"outcome": "late", "flag": "paused"}, "暂停时作答，没有计入"),
    ({"outcome": "stale", "version": 2, "current": ["B"]}, "两个不同的答案"),
    ({"status": 400, "error": "option_not_on_item", "zh": "这道题没有这个选项。", "en": "-"}, "这道题没有这个选项。"),
]


def test_the_page_says_what_became_of_each_answer(browser: Browser, room: DeskRoom, tmp_path: Path) -> None:
    """Each word of the room on a question of its own; what did not count is still said after a reload."""
    with opened(room, tmp_path) as (_, base, _, codes), tablet(browser, base) as page:
        seat(page, base, codes[0])
        for n, (word, sentence) in enumerate(WORDS, 1):
            go_to(page, n)
            page.unroute("**/exam/api/answers")
            page.context.set_offline(True)
            page.locator("label.option").first.click()
            expect(page.locator(".item-state")).to_contain_text("在这台平板上，还没送达考场")
            told(page, "answers", word)
            page.context.set_offline(False)
            expect(page.locator(".item-state")).to_contain_text(sentence, timeout=20_000)
        page.reload()
        page.locator("#question").wait_for()
        for n, (word, sentence) in enumerate(WORDS, 1):
            if word.get("outcome") != "applied":
                go_to(page, n)
                expect(page.locator(".item-state")).to_contain_text(sentence)
        assert answers_of(room) == {}
        page.unroute("**/exam/api/answers")
        go_to(page, next(n for n, (word, _) in enumerate(WORDS, 1) if word.get("outcome") == "stale"))
        tab_to(page, ".conflict .button:last-child")  # settled by the keyboard
        page.keyboard.press("Enter")
        expect(page.locator(".conflict")).to_have_count(0)
        until(lambda: answers_of(room), 10, "the answer that was chosen is in the room")


def test_at_the_end_the_page_waits_its_turn_and_hands_in_by_itself(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    """The time is over in 6 s by the room's clock; this tablet is to wait 2.5 s more, then its hand-in goes."""
    with opened(room, tmp_path) as (_, base, _, codes), tablet(browser, base) as page:
        seat(page, base, codes[0])
        clock = {"now": 0, "v": 1, "j": 2500}
        running = [clock | {"s": "running", "left": left} for left in (6000, 4500, 3000)]
        told(page, "clock", *running, clock | {"s": "closed", "left": 0, "g": 60_000})
        expect(page.locator(".timer")).to_have_text(re.compile("00:0[1-5]"), timeout=8000)
        item = answer(page, 0)
        expect(page.locator(".cover.timeup")).to_contain_text("时间到", timeout=8000)
        began = page.evaluate("() => performance.now()")
        until(lambda: item in answers_of(room), 5, "what was answered goes at once")
        assert [row["kind"] for row in journal_of(room)] == ["answer"]
        expect(page.locator(".screen.done")).to_be_visible(timeout=10_000)
        assert page.evaluate("() => performance.now()") - began > 1500
        assert [row["kind"] for row in journal_of(room)] == ["answer", "handin"]
        assert journal_of(room)[1]["age_ms"] is not None


def test_more_time_at_the_last_moment_takes_the_page_back(browser: Browser, room: DeskRoom, tmp_path: Path) -> None:
    with opened(room, tmp_path) as (_, base, _, codes), tablet(browser, base) as page:
        seat(page, base, codes[0])
        clock = {"now": 0, "j": 20_000}
        over = clock | {"s": "closed", "left": 0, "g": 60_000, "v": 1}
        told(page, "clock", over, over, clock | {"s": "running", "left": 300_000, "v": 2})
        expect(page.locator(".cover.timeup")).to_be_visible(timeout=8000)
        expect(page.locator(".cover")).to_have_count(0, timeout=8000)
        item = answer(page, 0)
        until(lambda: item in answers_of(room), 5, "the exam goes on")
        assert [row["kind"] for row in journal_of(room)] == ["answer"]
