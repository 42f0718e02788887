"""The proctor's whole session by real clicks: open, admit, start, pause, move a tablet, incident, close, sign."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from edge import __version__, clock
from edge.demo.people import STAFF
from edge.demo.tablets import Tablet, Tally
from edge.domain.rehearsal import Held
from edge.exam.forms import FORMS
from edge.exam.readiness import drawn_from
from edge.ops.desk import StaffMember
from edge.ops.ports import free_port
from edge.ops.rehearsal import asking
from edge.ops.rehearsal.progress import told
from edge.store import admissions, checkins, completeness, incidents, ledger, people, rehearsals, sessions
from edge.store.db import transaction
from edge.store.status import write_status
from edge.trust import dsse
from edge.trust.checkpoint import sign_note
from edge.trust.completeness_format import BlindFact, CameraFact, ClockFact, Completeness, GapFact
from support.kinds_room import kinds_document, make_kinds_room
from support.pictures import shot, shot_both, shot_redrawn
from support.rooms import DeskRoom, make_desk_room
from support.serving import claimed, open_exam, serving, signed_in, until

CHROMIUM = "/usr/bin/chromium"
DESK, TABLET = (1280, 800), (820, 1180)
PROCTOR, EXAMINER, SUPERVISOR, _ = STAFF
WITHOUT_PRACTICAL = "UPDATE sessions SET policy = json_set(policy, '$.tests', json('[\"theory\"]'))"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists(), reason="Chromium is not installed; see provisioning/test-packages.sh"
    ),
]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[DeskRoom]:
    made = make_desk_room(tmp_path, web={"port": free_port(), "threads": 48})
    yield made
    made.db.close()


@contextmanager
def page_of(browser: Browser, base: str, size: tuple[int, int], lang: str = "zh") -> Iterator[Page]:
    """A page in a browser of its own; any script error on it fails the test."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="zh-CN")
    context.add_cookies([{"name": "lang", "value": lang, "url": base}])
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert errors == []


def sign_in(page: Page, base: str, who: StaffMember, path: str) -> None:
    page.goto(base + path)
    page.fill("input[name=badge]", who.badge)
    page.fill("input[name=pin]", who.pin)
    page.click("form[action='/staff/login'] button")
    page.wait_for_url(f"**{path}")


def dialog(page: Page) -> Locator:
    return page.locator("dialog[open]").last


def confirm(page: Page, reason: str | None = None) -> None:
    """Give the reason in the open dialog, press its button, and see it close."""
    box = dialog(page)
    if reason is not None:
        box.locator("textarea[name=reason]").fill(reason)
    box.locator("form .button.main").last.click()
    expect(page.locator("dialog[open] form")).to_have_count(0)


def act(page: Page, label: str) -> None:
    page.locator(".acts .button", has_text=label).click()


def seat(page: Page, place: str) -> Locator:
    return page.locator(".slot .seat", has=page.locator(f".place:text-is('{place}')"))


def at_seat(page: Page, place: str, label: str) -> None:
    seat(page, place).click()
    dialog(page).locator(".button", has_text=label).first.click()


def test_a_whole_session_by_clicks(browser: Browser, room: DeskRoom, tmp_path: Path) -> None:
    with transaction(room.db):
        room.db.execute(WITHOUT_PRACTICAL)
    path = f"/console/{room.session}"
    with serving(room, tmp_path) as (_, base), page_of(browser, base, DESK) as page:
        sign_in(page, base, PROCTOR, path)
        rehearsed_before_the_door_opens(page, room)
        act(page, "开放签到")
        confirm(page)
        expect(page.locator("[data-part=rehearsal]")).to_be_hidden()
        expect(page.locator(".acts .button.main")).to_have_text("开始考试")
        person = people.candidates(room.db, room.session)[0].person
        came = {"session": room.session, "person": person, "route": "policy"}
        admissions.note(room.db, "waiting", "no_template", **came)
        page.locator(".case .button", has_text="准许入场").click()
        routes = dialog(page).locator("select[name=route] option")
        expect(routes).to_have_text(["卡加监考员", "人工核验证件"])
        with page.expect_request("**/admit") as sent:
            confirm(page, "已核对身份证")
        case = checkins.recent(room.db, room.session)[-1].id
        assert (sent.value.post_data_json["case"], sent.value.post_data_json["route"]) == (case, "policy")
        expect(seat(page, "A1")).to_contain_text("已签到")
        page.locator(".loose .seat").first.click()
        dialog(page).locator(".button", has_text="准许入场").click()
        expect(routes).to_have_text(["人工核验证件"])
        confirm(page, "已核对身份证")
        expect(seat(page, "A2")).to_contain_text("已签到")

        # an absence by mistake is taken back from the notice
        page.locator(".loose .seat").first.click()
        dialog(page).locator(".button", has_text="登记缺考").click()
        confirm(page, "没有来")
        expect(page.locator(".loose .seat.absent")).to_have_count(1)
        page.locator(".undo .button").last.click()
        expect(page.locator(".loose .seat.absent")).to_have_count(0)

        act(page, "开始考试")
        confirm(page)
        expect(page.locator(".acts .button", has_text="暂停")).to_be_visible()
        codes = [who.seat_code or "" for who in people.candidates(room.db, room.session)[:2]]
        tally = Tally()
        tablets = claimed(base, codes, tally)
        item = next(i for part in tablets[0].paper()["parts"] for i in part["items"] if i["type"] == "single")
        others = [i for part in tablets[1].paper()["parts"] for i in part["items"] if i["type"] == "single"]
        tablets[0].answer(item["id"], ["A"], 0)
        expect(seat(page, "A1")).to_contain_text("作答中")
        expect(seat(page, "A1")).to_contain_text(re.compile("1/[0-9]+"))

        act(page, "暂停")
        confirm(page, "消防检查")
        expect(page.locator(".head .tag", has_text="已暂停")).to_be_visible()
        act(page, "继续")
        confirm(page, "检查结束")
        act(page, "加时")
        dialog(page).locator(".button.slim", has_text="15").click()
        confirm(page, "补回耽误的时间")
        expect(seat(page, "A1")).to_be_visible()
        assert {attempt.extra_ms for attempt in sessions.attempts(room.db, room.session).values()} == {15 * 60_000}

        # a second tablet asks; the proctor moves the exam in one act, and the code stands large
        try:
            claimed(base, codes[:1], tally)
        except Exception as refused:
            assert "409" in str(refused)
        expect(seat(page, "A1")).to_contain_text("另一台平板")
        page.locator("#attention").click()
        expect(page.locator(".slot .seat")).to_have_count(1)
        at_seat(page, "A1", "换平板")
        confirm(page, "平板没电")
        expect(dialog(page).locator(".code")).to_have_text(f"{codes[0][:3]} {codes[0][3:]}")
        shot(page, "console-move", "zh")
        moved = Tablet(base, tally, 9)
        moved.claim(codes[0])
        responses = moved.paper()["responses"]
        assert responses[item["id"]]["value"] == ["A"]
        dialog(page).locator(".button", has_text="关闭").click()
        page.locator("#attention").click()

        act(page, "记录情况")
        box = dialog(page)
        box.locator("select[name=kind]").select_option("conduct-phone")
        expect(box.locator("textarea[name=text]")).to_have_value(re.compile("手机"))
        box.locator("textarea[name=text]").fill("发现手机，已收缴")
        box.locator("select[name=seat]").select_option("A2")
        confirm(page)
        entry = page.locator("[data-part=incidents] li")
        expect(entry).to_contain_text("发现手机，已收缴")
        entry.locator(".button").click()
        dialog(page).locator("textarea[name=text]").fill("发现智能手表，已收缴")
        confirm(page)
        expect(entry.locator(".old")).to_contain_text("手机")
        assert len(incidents.of_session(room.db, room.session)) == 2
        page.locator("[data-part=incidents]").scroll_into_view_if_needed()
        shot(page, "console-incident", "zh")

        act(page, "结束考试")
        confirm(page, "考试时间到")
        expect(page.locator(".acts .button.main")).to_have_text("签发结果")
        expect(page.locator("[data-part=unplug] .missing")).to_contain_text("还没有签发", timeout=15_000)

        # what arrives after the close is kept, and all of one candidate's is accepted with one reason
        for late in others[:2]:
            tablets[1].answer(late["id"], ["B"], 0)
        expect(seat(page, "A2")).to_contain_text("2 个答案迟到未计入", timeout=15_000)
        at_seat(page, "A2", "查看留存的答案（2）")
        expect(dialog(page).locator("tbody tr")).to_have_count(2)
        shot(page, "console-kept", "zh")
        dialog(page).locator(".button", has_text="2 个迟到的答案全部采用").click()
        confirm(page, "网络中断，时间内作答")
        expect(seat(page, "A2")).not_to_contain_text("迟到未计入")
        assert len(ledger.entries(room.db, kinds=("answer_accepted",))[0].body["journal"]) == 2
        act(page, "签发结果")
        confirm(page)
        expect(page.locator(".head .tag", has_text="结果已签发")).to_be_visible()
        expect(page.locator(".unplug-yes")).to_contain_text("可以断电", timeout=15_000)
        page.locator(".unplug-yes").scroll_into_view_if_needed()
        shot(page, "console-end", "zh")
        assert sessions.find(room.db, room.session).state == "signed"
        for kind in ("checkin_opened", "exam_started", "exam_paused", "exam_resumed", "time_added", "exam_closed"):
            assert ledger.entries(room.db, session=room.session, kinds=(kind,))[0].content["by"] == PROCTOR.id
        page.goto(f"{base}{path}/forms/results")
        expect(page.locator(".sheet")).to_contain_text("成绩单")
        expect(page.locator(".root code")).to_have_text(re.compile("^[0-9a-f]{64}$"))
        shot(page, "console-results", "zh")
        for one in (*tablets, moved):
            one.close()


def rehearsed_before_the_door_opens(page: Page, room: DeskRoom) -> None:
    """The card of a planned session, from nothing to a figure; who holds the rehearsal is played here."""
    card, paths = page.locator("[data-part=rehearsal]"), room.config.paths
    button = card.locator(".button", has_text=re.compile("演练一次|Rehearse now"))
    expect(card).to_contain_text("还没有")

    def ready() -> None:
        expect(card.locator("h2")).to_be_visible()
        card.scroll_into_view_if_needed()

    def both(name: str) -> None:
        shot_redrawn(page, f"console-rehearsal-{name}", ready)

    both("before")
    button.click()
    expect(dialog(page).locator("input[name=candidates]")).to_have_value("6")
    shot(page, "console-rehearsal-ask", "zh")
    confirm(page)
    expect(card).to_contain_text("正在启动")
    wanted = asking.take(paths.runtime)
    assert wanted is not None and (wanted.session, wanted.candidates, wanted.by) == (room.session, 6, PROCTOR.id)
    status = {"session": room.session, "candidates": 6, "stage": "answers", "step": 4, "steps": 6, "share": 0.4}
    write_status(paths.status, "rehearse", state="running", detail="24/60", **status)
    expect(card).to_contain_text("第 4/6 步：同时开考、作答 24/60")
    expect(card.locator(".bar > span")).to_have_attribute("style", "width: 57%;")
    expect(page.locator("[data-part=services]")).not_to_contain_text("rehearse")
    both("running")
    write_status(paths.status, "rehearse", state="running", detail="24/60", **status)
    card.locator(".button", has_text="中止演练").click()
    expect(card).to_contain_text("正在中止")
    assert asking.stop_wanted(paths.runtime, os.getpid())
    papers = drawn_from(room.identity, paths.bundles, sessions.find(room.db, room.session))
    figures = {"load_p99_ms": 812.4, "p99_ms": 41.7, "handin_p99_ms": 5204.9}
    figures |= {"reasons": [told("rehearsal_slow", {}), told("rehearsal_clock", {"quality": "unknown"}, False)]}
    with transaction(room.db):
        held = Held(clock.wall_ms(), 6, __version__, papers, 10, 5000)
        rehearsals.add(room.db, held, False, room.session, figures)
    write_status(paths.status, "rehearse", state="done", **status)
    expect(card.locator(".tag.bad")).to_have_text("未通过")
    expect(card.locator(".why").first).to_contain_text("本机太慢")
    expect(card.locator(".figures dd").last).to_have_text("5205 毫秒")
    both("after")


def test_two_people_close_by_badge_and_pin(browser: Browser, room: DeskRoom, tmp_path: Path) -> None:
    with transaction(room.db):
        room.db.execute("""UPDATE sessions SET policy = json_set(policy, '$.two_person', json('["close", "pause"]'))""")
    path = f"/console/{room.session}"
    with serving(room, tmp_path) as (_, base), page_of(browser, base, TABLET, "en") as page:
        room.db.execute(WITHOUT_PRACTICAL)
        proctor, codes = open_exam(base, room.session, admit=1)
        tablets = claimed(base, codes, Tally())
        sign_in(page, base, PROCTOR, path)
        at_seat(page, "A1", "Another tablet")
        confirm(page, "Battery empty")
        expect(dialog(page).locator(".code")).to_be_visible()
        shot(page, "console-move", "en")
        dialog(page).locator(".button", has_text="Close").click()
        act(page, "Note an incident")
        dialog(page).locator("select[name=kind]").select_option("conduct-phone")
        expect(dialog(page).locator("textarea[name=text]")).to_have_value(re.compile("phone"))
        confirm(page)
        expect(page.locator("[data-part=incidents] li").first).to_be_visible()
        page.locator("[data-part=incidents]").scroll_into_view_if_needed()
        shot(page, "console-incident", "en")

        # what comes while a finger is down waits for it: the press still opens its dialog
        entries = page.locator("[data-part=incidents] li")
        entries.first.locator(".button").hover()
        page.mouse.down()
        now = clock.wall_ms()
        with transaction(room.db):
            about = {"by": None, "subject": None, "seat": None}
            incidents.add(room.db, room.session, kind="power", text="Lights out", happened_ms=now, **about)
        page.wait_for_timeout(1200)
        expect(entries).to_have_count(1, timeout=1)
        page.mouse.up()
        expect(dialog(page).locator("textarea[name=text]")).to_have_value(re.compile("phone"))
        expect(entries).to_have_count(2)
        dialog(page).locator(".button", has_text="Cancel").click()

        def asked_to_close() -> None:
            page.locator(".acts .button", has_text=re.compile("结束考试|Close the exam")).click()

        shot_redrawn(page, "console-second", asked_to_close)
        page.keyboard.press("Escape")

        # what two people did, two take back: the notice opens the same question, and stays for a second try
        def second(who: StaffMember) -> None:
            dialog(page).locator("input[name=second_badge]").fill(who.badge)
            dialog(page).locator("input[name=second_pin]").fill(who.pin)

        act(page, "Pause")
        second(EXAMINER)
        confirm(page, "Fire drill")
        page.locator(".undo .button").last.click()
        dialog(page).locator(".button", has_text="Cancel").click()
        page.locator(".undo .button").last.click()
        second(EXAMINER)
        shot(page, "console-undo-second", "en")
        confirm(page)
        expect(page.locator(".undo")).to_have_count(0)
        assert ledger.entries(room.db, kinds=("exam_resumed",))
        assert [e.content["by"] for e in ledger.entries(room.db, kinds=("act_confirmed",))] == [EXAMINER.id] * 2

        act(page, "Close the exam")
        box = dialog(page)
        box.locator("textarea[name=reason]").fill("Time is up")
        box.locator("input[name=second_badge]").fill(PROCTOR.badge)
        box.locator("input[name=second_pin]").fill(PROCTOR.pin)
        box.locator("form .button.main").last.click()
        expect(box.locator(".notice.bad")).to_contain_text("Nobody confirms their own act")
        box.locator("input[name=second_badge]").fill(EXAMINER.badge)
        # as a badge reader does: Enter leads on to the PIN
        box.locator("input[name=second_badge]").press("Enter")
        expect(box.locator("input[name=second_pin]")).to_be_focused()
        box.locator("input[name=second_pin]").fill(EXAMINER.pin)
        confirm(page)
        until(lambda: sessions.find(room.db, room.session).state == "closed", 10, "closed")
        assert ledger.entries(room.db, kinds=("act_confirmed",))[2].content["by"] == EXAMINER.id
        act(page, "Sign the results")
        confirm(page)
        expect(page.locator(".unplug-yes")).to_be_visible(timeout=15_000)
        page.locator(".unplug-yes").scroll_into_view_if_needed()
        shot(page, "console-end", "en")
        page.goto(f"{base}{path}/forms/results")
        expect(page.locator(".root code")).to_be_visible()
        shot(page, "console-results", "en")
        for one in (*tablets, proctor):
            one.close()


@pytest.mark.parametrize("lang", ["zh", pytest.param("en", marks=pytest.mark.long)])
def test_practice_cannot_be_mistaken_for_a_real_session(
    browser: Browser, room: DeskRoom, tmp_path: Path, lang: str
) -> None:
    word = {"zh": "练习", "en": "PRACTICE"}[lang]
    with serving(room, tmp_path) as (_, base), page_of(browser, base, DESK, lang) as page:
        sign_in(page, base, PROCTOR, "/console/")
        expect(page.locator(".practice-band")).to_have_count(0)
        shot(page, "console-list", lang)
        page.locator("#practice").click()
        dialog(page).locator("input[name=candidates]").fill("4")
        dialog(page).locator("form .button.main").click()
        page.wait_for_url("**/console/practice-*")
        session = page.url.rsplit("/", 1)[1]
        expect(page.locator(".practice-band")).to_contain_text(word)
        proctor, codes = open_exam(base, session, admit=2)
        expect(page.locator(".slot .seat:not(.free)")).to_have_count(4)
        shot_redrawn(page, "console-practice", lambda: expect(page.locator(".slot .seat:not(.free)")).to_have_count(4))
        tablet = page.context.new_page()
        tablet.goto(f"{base}/exam/")
        for digit in codes[0]:
            tablet.locator(".numpad .key", has_text=digit).first.click()
        tablet.locator(".numpad .key.go").click()
        expect(tablet.locator("body.practice")).to_be_visible()
        shot_both(tablet, "exam-practice")
        tablet.close()
        page.goto(f"{base}/console/{session}/forms/sign-in")
        expect(page.locator(".sheet.practice .not-real")).to_contain_text(word)
        proctor.post(f"/console/api/{session}/close", reason="练习结束")
        page.goto(f"{base}/console/{session}")
        act(page, {"zh": "删除练习", "en": "Delete the practice"}[lang])
        confirm(page)
        page.wait_for_url("**/console/")
        expect(page.locator(".tile")).to_have_count(1)
        proctor.close()


def test_two_hundred_seats_stay_small_and_calm(browser: Browser, room: DeskRoom, tmp_path: Path) -> None:
    """The whole board once, then changes; the tile that has changed is the only one drawn again."""
    with serving(room, tmp_path) as (_, base), page_of(browser, base, DESK) as page:
        proctor = signed_in(base)
        session = proctor.post("/console/api/practice", candidates=200)["session"]
        board = proctor.post(f"/console/api/{session}/open-checkin", reason="开考")["board"]
        people_there = [seat["person"] for seat in board["seats"] if seat["person"]]
        for person in people_there[:2]:
            proctor.post(f"/console/api/{session}/admit", person=person, reason="已核验证件")
        sign_in(page, base, PROCTOR, f"/console/{session}")
        expect(page.locator(".loose .seat")).to_have_count(198)
        page.evaluate(
            "() => { window.drawn = new Set(); new MutationObserver((all) => all.forEach((one) => {"
            " if (one.addedNodes.length && one.target.classList.contains('slot')) window.drawn.add(one.target); }))"
            ".observe(document.getElementById('board'), { childList: true, subtree: true }); }"
        )
        answer = proctor.post(f"/console/api/{session}/absent", person=people_there[50], reason="没有来")
        assert answer["done"] == "absent"
        expect(page.locator(".loose .seat.absent")).to_have_count(1)
        assert page.evaluate("() => window.drawn.size") == 1
        assert len(json.dumps(answer["board"], ensure_ascii=False).encode()) < 150_000
        shot(page, "console-200", "zh")
        proctor.close()


def keep_certificate(room: DeskRoom, session: str) -> None:
    """Of a bad day: four cameras of long names, each with forty gaps and blind ten times, a clock that went astray."""
    at, minute = clock.wall_ms() - 86_400_000, 60_000
    gaps = [GapFact(from_ms=at + n * minute, until_ms=at + n * minute + 9, ms=9 + n, cause="disk-error", doubt_ms=n)
            for n in range(40)]  # fmt: skip
    blind = [BlindFact(from_ms=at + n * minute, until_ms=at + n * minute + 9, reason="camera_covered")
             for n in range(10)]  # fmt: skip
    size = ledger.size(room.db)
    root, origin = ledger.root(room.db, size), room.identity.certificate.origin
    facts = {"expected_ms": 40 * minute, "recorded_ms": 40 * minute - sum(gap.ms for gap in gaps), "hundredths": 9995}
    names = [f"{name}-{'x' * 24}" for name in ("back", "door", "hall", "left")]
    document = Completeness(
        format=1, version=1, room=room.identity.certificate.room, epoch=1, session=session, from_ms=at,
        until_ms=at + 40 * minute, made_ms=at + 50 * minute,
        cameras=[CameraFact(camera=name, **facts, segments=40, salvaged=3, frames=9, dropped=5, lost_ms=7, gaps=gaps,
                            blind=blind) for name in names],
        clock=[ClockFact(at_ms=at, camera=names[0], step_ms=-n - 1) for n in range(9)],
        deleted=["door-aaaaaaaa-000001"],
        checkpoint=sign_note(origin, size, root, origin, room.identity.keys.sign),
    ).model_dump()  # fmt: skip
    envelope = dsse.sign_envelope(dsse.COMPLETENESS, document, [room.identity.keys.sign])
    with transaction(room.db):
        ledger.save_checkpoint(room.db, size, root, document["checkpoint"])
        completeness.keep(room.db, session, 1, envelope, hashlib.sha256(envelope).hexdigest(), document["made_ms"])


def printed_whole(page: Page, name: str) -> int:
    """How many pages a printer makes of the form; asserts that nothing of it is cut off, and that it says so many."""
    page.emulate_media(media="print")
    heights = page.evaluate(
        "() => Array.from(document.querySelectorAll('.sheet')).map((s) => [s.scrollHeight, s.clientHeight,"
        " s.scrollWidth - s.clientWidth])"
    )
    assert heights and all(tall <= high and wide <= 0 for tall, high, wide in heights), (name, heights)
    printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", printed)) == len(heights), name
    return len(heights)


@pytest.mark.parametrize("lang", ["zh", pytest.param("en", marks=pytest.mark.long)])
def test_what_is_printed_fits_its_pages(browser: Browser, room: DeskRoom, tmp_path: Path, lang: str) -> None:
    """No page of any form is longer than A4, and a printer makes as many pages as the form says."""
    with serving(room, tmp_path) as (_, base), page_of(browser, base, DESK, lang) as page:
        proctor = signed_in(base)
        session = proctor.post("/console/api/practice", candidates=45)["session"]
        board = proctor.post(f"/console/api/{session}/open-checkin", reason="开考")["board"]
        for tile in [tile for tile in board["seats"] if tile["person"]][:3]:
            proctor.post(f"/console/api/{session}/admit", person=tile["person"], reason="已核验证件")
        proctor.post(f"/console/api/{session}/start", reason="开考")
        for length in (2, 80, 400, 1900, 30, 30, 30, 30, 30, 30, 30):
            proctor.post(f"/console/api/{session}/incident", kind="conduct-other", text="记" * length, seat="A1")
        proctor.post(f"/console/api/{session}/close", reason="时间到")
        sign_in(page, base, PROCTOR, f"/console/{session}")
        for name in FORMS:
            page.goto(f"{base}/console/{session}/forms/{name}")
            printed_whole(page, name)
            shot_redrawn(page, f"form-{name}", lambda: None)
            page.emulate_media(media="screen")
        keep_certificate(room, session)
        page.context.clear_cookies(name="examroom_staff")
        sign_in(page, base, SUPERVISOR, "/spotcheck/")
        page.goto(f"{base}/spotcheck/{session}/certificate?lang={lang}")
        expect(page.locator("tbody").last.locator("tr")).to_have_count(12)
        assert printed_whole(page, "certificate") == 1
        proctor.close()


def test_less_time_for_one_and_another_limit_for_a_part(browser: Browser, tmp_path: Path) -> None:
    """Both from the page alone, which shows what the limit is now."""
    desk = make_kinds_room(tmp_path, kinds_document(test_minutes=20), web={"port": free_port(), "threads": 24})
    with serving(desk, tmp_path) as (_, base), page_of(browser, base, DESK) as page:
        proctor, _ = open_exam(base, desk.session)
        sign_in(page, base, PROCTOR, f"/console/{desk.session}")
        at_seat(page, "A1", "缩短时间")
        expect(dialog(page)).to_contain_text("至少留一分钟")
        dialog(page).locator("input[name=minutes]").fill("7")
        confirm(page, "多加了七分钟")
        taken = ledger.last(desk.db, "time_shortened", 1)[0]
        assert (taken.body["minutes"], taken.body["people"]) == (7, 1) and taken.subject
        act(page, "改部分时限")
        box = dialog(page)
        expect(box.locator("option")).to_have_text(["安全（现在 20 分钟）", "理论（现在 20 分钟）"])
        box.locator("select").select_option(index=1)
        expect(box.locator("input[name=minutes]")).to_have_value("20")
        box.locator("input[name=minutes]").fill("12")
        shot(page, "console-part-limit", "zh")
        confirm(page, "这一部分题少")
        board = proctor.get(f"/console/api/{desk.session}/board")
        assert [(one["part"], one["minutes"]) for one in board["session"]["parts"]] == [(0, 20), (1, 12)]
        act(page, "改部分时限")
        expect(dialog(page).locator("option").nth(1)).to_contain_text("现在 12 分钟")
        proctor.close()
    desk.db.close()
