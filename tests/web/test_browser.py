"""The pages in a real browser against the real `web` process: a candidate's whole exam, the proctor, every screen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from edge import clock
from edge.demo.people import StaffMember
from edge.demo.tablets import Tally, questions
from edge.domain import consents
from edge.domain.reasons import sentence
from edge.gateway.settings import open_province
from edge.ops.ports import free_port
from edge.recording.boxes import children
from edge.store import checkins, holds, ledger, people, records
from edge.store.db import connect, transaction
from edge.trust.passes import issue
from edge.trust.signer import Ed25519Signer
from edge.trust.verifier import verify_file
from edge.ui.catalogue import TEXTS
from support.clocked import ClockedSession
from support.filmed import film
from support.gateways import gateway_process, make_province, real_room
from support.kinds_room import hundred_document, make_kinds_room
from support.pictures import shot, shot_both
from support.rooms import DeskRoom, make_desk_room
from support.serving import EXAMINER, PROCTOR, SUPERVISOR, claimed, door_speaks, open_exam, serving, until
from support.tablet_page import axe
from support.timed import HeldTime

CHROMIUM = "/usr/bin/chromium"
TABLET, PHONE, DESK, KIOSK = (800, 1280), (390, 780), (1440, 900), (1280, 800)

KEPT = """async () => Boolean(await (await caches.open("examroom-exam-1")).match("/exam/static/js/sitting.js"))
  && Boolean(await (await caches.open("examroom-exam-1")).match("/exam/"))"""

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
def page_of(browser: Browser, size: tuple[int, int], lang: str = "zh") -> Iterator[Page]:
    """A page in a browser of its own; any script error on it fails the test."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, locale="zh-CN")
    context.add_cookies([{"name": "lang", "value": lang, "url": "http://127.0.0.1"}])
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


def enter_code(page: Page, code: str) -> None:
    for digit in code:
        page.locator(".numpad .key", has_text=digit).first.click()
    page.locator(".numpad .key.go").click()


def answers_of(desk: DeskRoom) -> dict[str, str]:
    connection = connect(desk.config.paths.answers_db)
    try:
        rows = connection.execute("SELECT item_id, value FROM responses")
        return {row["item_id"]: row["value"] for row in rows}
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("lang", "wrong_code"), [("zh", "座位码不对"), pytest.param("en", "seat code is wrong", marks=pytest.mark.long)]
)
def test_a_candidates_whole_exam_by_thumb(
    browser: Browser, room: DeskRoom, tmp_path: Path, lang: str, wrong_code: str
) -> None:
    with serving(room, tmp_path) as (_, base), page_of(browser, TABLET, lang) as page:
        with transaction(room.db):
            room.db.execute("UPDATE sessions SET policy = json_set(policy, '$.sound', json('true'))")
        proctor, codes = open_exam(base, room.session, admit=2)
        page.goto(f"{base}/exam/")
        page.locator("#seat-code").wait_for()
        shot(page, "exam-seat", lang)
        enter_code(page, "000000")
        expect(page.locator(".notice.bad")).to_contain_text(wrong_code)
        enter_code(page, codes[0])
        expect(page.locator(".person")).to_be_visible()
        expect(page.locator(".notice", has_text=TEXTS["exam.sound_told"][lang])).to_be_visible()
        shot(page, "exam-confirm", lang)
        page.locator(".two .button.main").click()
        expect(page.locator(".stem")).to_be_visible()
        page.locator("label.option").first.click()
        expect(page.locator(".item-state .good")).to_be_visible()
        assert len(answers_of(room)) == 1
        shot(page, "exam-paper", lang)

        # the network goes: answers stay on the tablet and say so; it comes back: they are saved in order
        page.context.set_offline(True)
        for _ in range(3):
            page.locator(".foot .button.main").click()
            page.locator("label.option").first.click()
        expect(page.locator(".item-state .way")).to_be_visible()
        shot(page, "exam-offline", lang)
        assert len(answers_of(room)) == 1
        page.context.set_offline(False)
        until(lambda: len(answers_of(room)) == 4, 20, "queued answers arrive")
        expect(page.locator(".item-state .good")).to_be_visible(timeout=10_000)

        # a reload loses nothing
        page.reload()
        expect(page.locator(".stem")).to_be_visible()
        expect(page.locator("label.option.on")).to_have_count(1)

        # paused by the proctor, and seen within two seconds or so
        proctor.post(f"/console/api/{room.session}/pause", reason="消防检查")
        expect(page.locator(".cover")).to_be_visible(timeout=6000)
        shot(page, "exam-paused", lang)
        proctor.post(f"/console/api/{room.session}/resume", reason="检查结束")
        expect(page.locator(".cover")).to_have_count(0, timeout=6000)

        page.locator(".map-open").click()
        shot(page, "exam-map", lang)
        page.locator(".handin").click()
        expect(page.locator("[role=dialog], dialog")).to_be_visible()
        shot(page, "exam-handin", lang)
        page.locator("[role=dialog] .button.stop, dialog .button.stop, dialog .button.main").first.click()
        expect(page.locator(".screen.done")).to_be_visible(timeout=10_000)
        shot(page, "exam-done", lang)
        until(lambda: _state(room, 1) == "finished", 10, "the candidate is finished")
        proctor.close()


def _state(desk: DeskRoom, number: int) -> str:
    return next(c.state for c in people.candidates(desk.db, desk.session) if c.number == number)


def test_the_exam_page_is_small_up_to_the_first_question_and_fits_a_phone(browser: Browser, tmp_path: Path) -> None:
    """A paper of a hundred questions in words, everything counted as it came over the wire, headers too."""
    room = make_kinds_room(tmp_path, hundred_document(), web={"port": free_port(), "threads": 48})
    with serving(room, tmp_path) as (_, base), page_of(browser, PHONE, "en") as page:
        loaded: list[float] = []
        tools = page.context.new_cdp_session(page)
        tools.send("Network.enable")
        tools.on("Network.loadingFinished", lambda facts: loaded.append(facts["encodedDataLength"]))
        proctor, codes = open_exam(base, room.session, admit=1)
        page.goto(f"{base}/exam/")
        enter_code(page, codes[0])
        page.locator(".two .button.main").click()
        expect(page.locator(".stem")).to_be_visible()
        assert len(loaded) > 25 and 40_000 < sum(loaded) <= 120_000
        shot_both(page, "exam-phone")
        # kept for a reload without network as it is read, not as it came
        page.evaluate("navigator.serviceWorker.ready")
        until(lambda: page.evaluate(KEPT), 10, "the page is kept")
        page.context.set_offline(True)
        page.reload()
        expect(page.locator(".stem")).to_be_visible()
        proctor.close()
    room.db.close()


def test_a_second_tablet_is_told_and_the_proctor_moves_the_exam(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    pages = page_of(browser, TABLET, "zh"), page_of(browser, TABLET, "en")
    with serving(room, tmp_path) as (_, base), pages[0] as first, pages[1] as second:
        proctor, codes = open_exam(base, room.session, admit=1)
        first.goto(f"{base}/exam/")
        enter_code(first, codes[0])
        first.locator(".two .button.main").click()
        first.locator("label.option").first.click()
        expect(first.locator(".item-state .good")).to_be_visible()
        second.goto(f"{base}/exam/")
        enter_code(second, codes[0])
        expect(second.locator(".notice.bad")).to_contain_text("Another tablet")
        board = proctor.get(f"/console/api/{room.session}/board")
        person = next(seat["person"] for seat in board["seats"] if seat.get("seat_code") == codes[0])
        proctor.post(f"/console/api/{room.session}/release-tablet", person=person, reason="平板没电")
        enter_code(second, codes[0])
        second.locator(".two .button.main").click()
        expect(second.locator("label.option.on")).to_have_count(1)
        expect(first.locator(".screen.gone")).to_be_visible(timeout=8000)
        shot_both(first, "exam-moved")
        proctor.close()


@pytest.mark.parametrize("lang", [pytest.param("zh", marks=pytest.mark.long), "en"])
def test_the_proctor_runs_a_session_from_the_console(
    browser: Browser, room: DeskRoom, tmp_path: Path, lang: str
) -> None:
    with serving(room, tmp_path) as (_, base), page_of(browser, DESK, lang) as page:
        page.goto(f"{base}/console/")
        shot(page, "staff-login", lang)
        page.fill("input[name=badge]", PROCTOR.badge)
        page.fill("input[name=pin]", "wrong")
        page.click("form[action='/staff/login'] button")
        expect(page.locator(".notice.bad")).to_be_visible()
        sign_in(page, base, PROCTOR, "/console/")
        shot(page, "console-list", lang)
        page.goto(f"{base}/kiosk/pair")
        shot(page, "kiosk-pair", lang)
        page.goto(f"{base}/staff/")
        shot(page, "staff-home", lang)
        page.goto(f"{base}/console/{room.session}")
        expect(page.locator("#board h1, #board h2").first).to_be_visible()
        shot(page, "console-planned", lang)
        proctor, codes = open_exam(base, room.session, admit=4)
        tally = Tally()
        tablets = claimed(base, codes[:3], tally)
        for count, tablet in enumerate(tablets, start=1):
            items = questions(tablet.paper())
            for item in items[: 9 * count]:
                tablet.answer(item["id"], tablet.guess(item), 0)
        proctor.post(f"/console/api/{room.session}/incident", kind="device", text="三号座位平板换电源")
        expect(page.locator("#board")).to_contain_text("27/37", timeout=8000)
        shot(page, "console-running", lang)
        withdraws(page, room, lang)
        for person in (*tablets, proctor):
            person.close()


def withdraws(page: Page, room: DeskRoom, lang: str) -> None:
    """A candidate takes their consent back at the proctor's console, having read both options; all of it goes."""
    who = next(c for c in people.candidates(room.db, room.session) if c.seat == "A2")
    with transaction(room.db):
        people.set_photo(room.db, who.person, b"sealed picture")
        people.set_consent(room.db, who.person, consents.ONE_TO_ONE, True, consents.VERSION, "", "roster")
    page.locator("#board .seat", has_text="A2").first.click()
    box = page.locator("dialog[open]")
    box.locator("button", has_text={"zh": "人脸与同意", "en": "Face and consent"}[lang]).click()
    take = page.locator("dialog[open] .button.stop")
    expect(take).to_be_visible()
    expect(page.locator("dialog[open] li")).to_have_count(2)
    shot(page, "console-consent", lang)
    take.click()
    page.locator("dialog[open] form .button.main").last.click()
    until(lambda: people.photo(room.db, who.person) is None, 5, "the photograph is deleted")
    assert people.consent(room.db, who.person, consents.ONE_TO_ONE) is False
    page.locator("button", has_text={"zh": "人脸核验准备情况", "en": "Ready for face"}[lang]).click()
    expect(page.locator("dialog[open] tbody tr")).to_have_count(6)
    shot(page, "console-faces", lang)
    page.locator("dialog[open] .button").last.click()


@pytest.mark.parametrize("lang", [pytest.param("zh", marks=pytest.mark.long), "en"])
def test_the_examiner_scores_and_signs(browser: Browser, room: DeskRoom, tmp_path: Path, lang: str) -> None:
    with serving(room, tmp_path) as (_, base), page_of(browser, TABLET, lang) as page:
        proctor, _ = open_exam(base, room.session, admit=2)
        sign_in(page, base, EXAMINER, "/scoring/")
        shot(page, "scoring-list", lang)
        page.goto(f"{base}/scoring/{room.session}")
        expect(page.locator("#sheet button").first).to_be_visible()
        shot(page, "scoring-candidates", lang)
        page.locator("#sheet button", has_text="A1").first.click()
        page.wait_for_timeout(300)
        shot(page, "scoring-sheet", lang)
        proctor.close()


ASKED = {
    "name_masked": "钱**", "seat": "-", "number": 1, "visit": 5, "session": "S-1",
    "asked": ["face_1to1", "face_1toN", "face_duplicates", "face_still"],
}  # fmt: skip
KIOSK_STATES: list[tuple[str, str, dict[str, Any]]] = [
    ("closed", "checkin_closed", {}),
    ("ready", "kiosk_ready", {}),
    ("consent", "consent_wanted", ASKED),
    ("look", "look_here", {"name_masked": "钱**", "seat": "-", "number": 1, "visit": 7}),
    ("welcome", "welcome", {"name_masked": "钱**", "seat": "A1", "seat_code": "482913", "number": 1, "session": "S-1"}),
    ("see_proctor", "no_template", {"name_masked": "钱**", "seat": "-", "number": 1}),
    ("refused", "face_other_person", {"name_masked": "钱**", "seat": "-", "number": 1}),
    ("try_again", "badge_frame_short", {}),
    ("fault", "camera_blind", {}),
]


@pytest.mark.parametrize("lang", ["zh", pytest.param("en", marks=pytest.mark.long)])
def test_every_state_of_the_kiosk(browser: Browser, room: DeskRoom, tmp_path: Path, lang: str) -> None:
    speaks = door_speaks(room.config)
    with serving(room, tmp_path) as (_, base), page_of(browser, KIOSK, lang) as page, speaks:
        page.goto(f"{base}/kiosk/")
        for state, reason, facts in KIOSK_STATES:
            with transaction(room.db):
                checkins.show(room.db, state, reason, facts)
            expect(page.locator(f"body[data-state={state}]")).to_be_visible(timeout=5000)
            page.wait_for_timeout(150)
            shot(page, f"kiosk-{state}", lang)
            if state == "ready":
                for key in (
                    "4",
                    "7",
                    "Enter",
                    " ",
                ):  # what a card reader types presses nothing; the button of a desk does
                    page.keyboard.press(key)
                acts = until(lambda: checkins.pending_acts(room.db), 5, "a key reaches the store")
                assert [act.act for act in acts] == ["press"]
                with transaction(room.db):
                    checkins.take_acts(room.db, acts[-1].id)
            if state == "consent":
                reads_the_notice(page, lang)
                boxes = [button.bounding_box() for button in page.locator("#stage button").all()]
                areas = [box["width"] * box["height"] for box in boxes if box is not None]
                assert len(areas) == 2 and abs(areas[0] - areas[1]) < 0.02 * areas[0]
                page.locator("#stage button").last.click()
                acts = until(lambda: checkins.pending_acts(room.db), 5, "a touch reaches the store")
                assert [act.act for act in acts] == ["decline"]
            if state == "look":
                declines_while_looked_at(page, room, facts, lang)
            if state == "welcome":
                expect(page.locator(".map rect.here")).to_have_count(1)
                assert page.locator(".map rect").count() == 6
                fits(page, "#stage section > *")
        with transaction(room.db):
            room.db.execute(
                "UPDATE sessions SET state = 'checkin', policy = json_set(policy, '$.face.curtain', json('true'))"
            )
            checkins.show(room.db, "look", "liveness_unsure", {"visit": 9})
        expect(page.locator(".mirror")).to_contain_text({"zh": "不显示画面", "en": "No picture is shown"}[lang])
        assert page.locator("img").count() == 0
        expect(page.locator("#recorded")).to_be_hidden()
        with transaction(room.db):
            room.db.execute("UPDATE sessions SET policy = json_set(policy, '$.sound', json('true'))")
        expect(page.locator("#recorded")).to_be_visible()
        shot(page, "kiosk-recorded", lang)
        fits(page, ".beside > *")  # with the longest sentence there


def fits(page: Page, parts: str) -> None:
    """Whole on the screen, which nobody can scroll."""
    for part in page.locator(parts).all():
        inside = part.bounding_box()
        assert inside is not None and inside["y"] >= 0.08 * KIOSK[1] and inside["y"] + inside["height"] <= KIOSK[1]


def reads_the_notice(page: Page, lang: str) -> None:
    """All of it is on the screen at once, of a size to be read, and each further purpose is a box of its own."""
    terms = page.locator(".terms")
    expect(terms).to_contain_text({"zh": "示例建筑工种培训学校", "en": "nothing is uploaded"}[lang])
    assert terms.evaluate("one => one.scrollHeight <= one.clientHeight + 1 && one.scrollWidth <= one.clientWidth + 1")
    assert terms.evaluate("one => parseFloat(getComputedStyle(one).fontSize)") >= 18
    boxes = terms.locator("input[type=checkbox]")
    assert boxes.count() == 3 and not any(box.is_checked() for box in boxes.all())
    with page.expect_request("**/kiosk/api/act") as sent:  # held back: this visit is used again below
        page.route("**/kiosk/api/act", lambda route: route.abort())
        boxes.nth(1).check()
        page.locator("#stage button").first.click()
    assert sent.value.post_data_json == {"act": "consent", "v": 5, "purposes": ["face_duplicates"]}
    page.unroute("**/kiosk/api/act")
    boxes.nth(1).uncheck()


def declines_while_looked_at(page: Page, room: DeskRoom, facts: dict[str, Any], lang: str) -> None:
    """The button is there, large and whole on the screen; one that comes too late for its person is told so."""
    decline = page.locator("#stage button", has_text={"zh": "不使用人脸", "en": "No face"}[lang])
    box = decline.bounding_box()
    assert box is not None and box["height"] >= 0.15 * KIOSK[1] and box["width"] >= 0.3 * KIOSK[0]
    back = page.locator("#stage button").last.bounding_box()
    assert back is not None and back["y"] + back["height"] < KIOSK[1] and back["y"] > box["y"] + box["height"]
    with transaction(room.db):  # another sentence to the same person in between takes nothing from the touch
        checkins.show(room.db, "look", "face_unsure", facts)
    decline.click()
    acts = until(lambda: checkins.pending_acts(room.db)[1:], 5, "a touch reaches the store")
    assert [(act.act, act.v) for act in acts] == [("decline", 7)]
    expect(page.locator("h1")).to_contain_text({"zh": "还不能确定", "en": "Not certain yet"}[lang])
    shot(page, "kiosk-look-again", lang)
    fits(page, ".beside > *")
    with page.expect_event("requestfailed"):  # what was asked before that may still be answered
        page.route("**/kiosk/api/state*", lambda route: route.abort())
    with transaction(room.db):
        checkins.show(room.db, "look", "look_here", facts | {"visit": 8})
    decline.click()
    note = page.locator("#note")
    expect(note).to_contain_text({"zh": "屏幕上的内容已经更新", "en": "The screen has moved on"}[lang])
    assert len(checkins.pending_acts(room.db)) == 2
    shot(page, "kiosk-moved-on", lang)
    page.unroute("**/kiosk/api/state*")
    expect(page.locator("h1")).to_contain_text({"zh": "请看摄像头", "en": "Please look at the camera."}[lang])
    expect(note).to_be_visible()
    with transaction(room.db):
        checkins.show(room.db, "look", "face_unsure", facts | {"visit": 8})
    expect(note).to_be_hidden(timeout=3000)  # long before its own time: there is something newer to read


def enter_with_a_pass(page: Page, base: str, desk: DeskRoom) -> None:
    """A hand scanner types the code where the cursor is, in the badge field, and then Enter."""
    now = clock.wall_ms()
    root = Ed25519Signer.load(desk.config.paths.keys / "root.key")
    _, text = issue(
        root, name="李检查", rooms=["room-1"], from_ms=now - 30_000, until_ms=now + 30_000,
        not_before_ms=now - 30_000, expires_ms=now + 60_000, export=False,
    )  # fmt: skip
    page.goto(f"{base}/staff/login")
    page.keyboard.type(text)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{base}/spotcheck/")
    page.goto(f"{base}/spotcheck/{desk.session}")
    page.locator(".mark-row").last.click()
    expect(page.locator(".button.play")).to_be_visible()
    expect(page.locator(".button.export")).to_be_hidden()
    page.goto(f"{base}/spotcheck/{desk.session}?at={now - 20_000}&camera=door")
    expect(page.locator(".button.play")).to_be_enabled()


APPENDED = """() => {
  const real = SourceBuffer.prototype.appendBuffer;
  window.appended = [];
  SourceBuffer.prototype.appendBuffer = function (data) {
    window.appended.push([...new Uint8Array(data.slice(0, 4000))]);
    return real.call(this, data);
  };
}"""
STATE = """() => [...document.querySelectorAll('.screen video')].map((video) => ({
  at: video.currentTime, ready: video.readyState, rate: video.playbackRate, empty: !video.nextElementSibling.hidden
}))"""


def is_given_pictures_alone(page: Page) -> None:
    """No browser has to make anything of the text track, nor a buffer of pictures of sound: their boxes are free space
    in what is played."""
    kinds = set[tuple[bytes, ...]]()
    for part in map(bytes, page.evaluate("appended")):
        begin = int.from_bytes(part[:4], "big") if part[4:8] == b"ftyp" else 0
        end = begin + int.from_bytes(part[begin : begin + 4], "big")
        kinds.add(tuple(kind for kind, _ in children(part[begin + 8 : end]) if kind in (b"trak", b"traf", b"free")))
    assert kinds >= {(b"trak", b"free"), (b"traf", b"free")}
    assert all(len([kind for kind in each if kind != b"free"]) == 1 for each in kinds), kinds


HEARD = """() => {
  const [audio, video] = ['audio', 'video'].map((kind) => document.querySelector('.screen[data-camera=door] ' + kind));
  return !audio.paused && audio.buffered.length > 0 && Math.abs(audio.currentTime - video.currentTime) < 0.2
    && audio.currentTime > (window.heardAt = window.heardAt || audio.currentTime) + 0.5;
}"""


def is_heard_in_step(page: Page, lang: str) -> None:
    """From the end of the gap on the door has sound: at 1x it goes with the pictures, faster it is silent."""
    silent = "() => document.querySelector('.screen[data-camera=door] audio').paused"
    assert page.evaluate(silent)
    page.locator(".rate", has_text="1×").click()
    page.locator(".pause").click()
    page.wait_for_function(HEARD)
    page.locator(".button.sound", has_text=TEXTS["spotcheck.sound_on"][lang]).click()
    page.wait_for_function(silent)
    expect(page.locator(".button.sound")).to_have_text(TEXTS["spotcheck.sound_off"][lang])
    page.locator(".button.sound").click()
    page.wait_for_function(HEARD)
    page.locator(".rate", has_text="4×").click()
    page.wait_for_function(silent)
    assert page.locator("video").evaluate_all("(all) => all.some((one) => !one.paused)")
    page.locator(".pause").click()


def plays_in_step(page: Page, lang: str, at_ms: int) -> None:
    """Both cameras from just before the door's gap: the hall goes on, the door comes back, at 4 and 16 times."""
    page.locator(".rate", has_text="4×").click()
    china = (at_ms // 1000 + 8 * 3600) % 86_400
    page.locator("[name=moment]").fill(f"{china // 3600:02}:{china // 60 % 60:02}:{china % 60:02}")
    page.locator(".go-to .button").click()
    page.locator(".screen[data-camera=door] .no-picture", has_text=sentence("gap_killed", lang)).wait_for()
    assert [one["empty"] for one in page.evaluate(STATE)] == [True, False]
    page.locator(".screen[data-camera=door] .no-picture").wait_for(state="hidden")
    page.locator(".pause").click()
    is_heard_in_step(page, lang)
    page.locator(".pause").click()
    page.locator(".rate", has_text="16").click()
    until(lambda: {one["rate"] for one in page.evaluate(STATE)} == {16}, 10, "16 times")
    page.locator(".pause").click()
    page.locator(".thumb").first.click()
    page.wait_for_function(
        "() => [...document.querySelectorAll('video')].every((v) => !v.seeking && v.readyState >= 2)"
    )
    door, hall = page.evaluate(STATE)
    assert abs(door["at"] - hall["at"]) < 0.2, "one clock for both"
    before = page.locator(".wall-clock").inner_text()
    page.locator(".scrub").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".wall-clock")).not_to_have_text(before)


def take_away(page: Page, room: DeskRoom, folder: Path, lang: str) -> None:
    """Evidence of the moment that is chosen: packed while the page shows it, downloaded, verified and deleted."""
    page.locator(".button.export").click()
    link = page.locator("[data-state=ready] a[download]")
    expect(link).to_be_visible(timeout=20_000)
    link.scroll_into_view_if_needed()
    shot(page, "spotcheck-export", lang)
    with page.expect_download() as coming:
        link.click()
    file = folder / coming.value.suggested_filename
    coming.value.save_as(file)
    assert file.name.startswith(f"evidence-{room.session}-door-") and not page.locator("main .notice.bad").is_visible()
    assert verify_file(file, [room.identity.root_public]).ok
    page.locator(".exports .button.delete").click()
    expect(page.locator(".exports")).to_be_hidden()


def shows_the_longest_gaps(page: Page, base: str, room: DeskRoom) -> None:
    """Of a camera that came and went all day: six, the others behind a click."""

    def worse(route: Route) -> None:
        answer = route.fetch()
        told = answer.json()
        gap = told["cameras"][0]["gaps"][0]
        told["cameras"][0]["gaps"] = [{**gap, "ms": 1000 * (n + 1)} for n in range(40)]
        route.fulfill(response=answer, json=told)

    page.route("**/timeline", worse)
    page.goto(f"{base}/spotcheck/{room.session}")
    door = page.locator("#check .summary > section").first
    expect(door.locator("summary")).to_contain_text("34")
    expect(door.locator("li").first).to_contain_text("35")
    assert door.locator("li:visible").count() == 6
    page.unroute("**/timeline")


def hold_and_release(page: Page, base: str, room: DeskRoom, lang: str) -> None:
    """The page of space: a session and a span are put on hold, and the session is let go again."""
    page.goto(f"{base}/spotcheck/space")
    page.locator(f"[data-hold={room.session}]").click()
    page.locator("dialog [name=why]").fill("申诉")
    page.locator("dialog .button.main").click()
    expect(page.locator("[data-release]")).to_have_count(1)
    page.locator("#hold-span").click()
    for name, time in (("from", "2026-01-02T08:00"), ("until", "2026-01-02T09:30")):
        page.locator(f"dialog [name={name}]").fill(time)
    page.locator("dialog [name=why]").fill("门口的事")
    shot(page, "space-hold", lang)
    page.locator("dialog .button.main").click()
    expect(page.locator("[data-release]")).to_have_count(2)
    expect(page.locator("main")).to_contain_text("2026-01-02 08:00 – 2026-01-02 09:30")
    shot(page, "space", lang)
    page.locator("[data-release]").first.click()
    page.locator("dialog [name=why]").fill("已了结")
    page.locator("dialog .button.main").click()
    expect(page.locator("[data-release]")).to_have_count(1)
    assert [hold.session for hold in holds.standing(room.db)] == [None]


@pytest.mark.parametrize("lang", [pytest.param("zh", marks=pytest.mark.long), "en"])
def test_a_session_whose_clock_was_set_is_looked_at_part_by_part(
    browser: Browser, room: DeskRoom, tmp_path: Path, lang: str
) -> None:
    """The longest part is shown; a link, and a mark of the other, lead there."""
    with pytest.MonkeyPatch.context() as patch:
        session = ClockedSession(room, HeldTime(wall=clock.wall_ms() - 4 * 86_400_000).hold(patch))
        session.opens()
        session.films(3)
        session.is_set(-86_400_000, "door")
        session.films(8)
        session.closes()
    with serving(room, tmp_path) as (_, base), page_of(browser, DESK, lang) as page:
        sign_in(page, base, SUPERVISOR, "/spotcheck/")
        page.goto(f"{base}/spotcheck/{room.session}")
        parts = page.locator(".parts")
        expect(parts).to_contain_text(TEXTS["spotcheck.parts"][lang])
        expect(parts.locator("li")).to_have_count(2)
        expect(parts.locator("li").first.locator("strong")).to_have_count(1)
        assert not axe(page)
        shot(page, "spotcheck-parts", lang)
        parts.locator("a").click()
        expect(parts.locator("li").last.locator("strong")).to_have_count(1)
        page.locator(".mark-row", has_text=sentence("mark_exam_closed", lang)).click()
        expect(parts.locator("li").first.locator("strong")).to_have_count(1)
        expect(page.locator(".button.play")).to_be_enabled()


@pytest.mark.parametrize("lang", [pytest.param("zh", marks=pytest.mark.long), "en"])
def test_the_supervisors_page_and_the_error_page(browser: Browser, room: DeskRoom, tmp_path: Path, lang: str) -> None:
    with serving(room, tmp_path) as (_, base), page_of(browser, DESK, lang) as page:
        proctor, _ = open_exam(base, room.session, admit=3)
        filmed = film(room)
        addresses: list[str] = []
        page.on("request", lambda request: addresses.append(unquote_plus(request.url)))
        page.add_init_script(f"({APPENDED})()")
        sign_in(page, base, SUPERVISOR, "/spotcheck/")
        shot(page, "spotcheck-list", lang)
        page.goto(f"{base}/spotcheck/{room.session}")
        expect(page.locator("#check h2").first).to_be_visible()
        expect(page.locator("#check")).to_contain_text(sentence("gap_not_started", lang))
        shot(page, "spotcheck", lang)
        page.locator(".quick").first.click()
        expect(page.locator("#why-trouble")).to_be_visible()  # first the reason, once
        page.locator(".reason", has_text={"zh": "例行", "en": "Routine"}[lang]).click()
        page.wait_for_function("() => [...document.querySelectorAll('video')].some((video) => video.readyState >= 2)")
        is_given_pictures_alone(page)
        media = [address for address in addresses if "/media/" in address]
        assert all(len([one for one in media if f"/media/{camera}-" in one]) <= 6 for camera in ("door", "hall"))
        page.locator(".mark-row").last.click()  # the clock's step: another moment, without another word
        page.wait_for_function("() => [...document.querySelectorAll('video')].some((video) => video.readyState >= 2)")
        viewed = ledger.entries(room.db, session=room.session, kinds=("footage_viewed",))
        assert [(entry.content["by"], entry.body["cameras"]) for entry in viewed] == [
            (SUPERVISOR.id, ["door", "hall"])
        ] * 2
        assert [entry.body["until_ms"] - entry.body["from_ms"] for entry in viewed] == [60_000] * 2
        why = page.locator("input[name=why]").input_value()
        assert why and not [address for address in addresses if why in address]
        page.locator(".player").scroll_into_view_if_needed()
        shot(page, "spotcheck-viewer", lang)
        assert axe(page) == []
        plays_in_step(page, lang, filmed - 32_000)
        page.locator("[name=camera][value=hall]").uncheck()
        page.locator(".quick").first.click()
        take_away(page, room, tmp_path, lang)
        hold_and_release(page, base, room, lang)
        shows_the_longest_gaps(page, base, room)
        enter_with_a_pass(page, base, room)
        page.goto(f"{base}/no/such/page")
        shot(page, "error", lang)
        assert page.locator("body").inner_text()
        proctor.close()


@pytest.mark.parametrize("lang", [pytest.param("zh", marks=pytest.mark.long), "en"])
def test_the_provinces_page(browser: Browser, tmp_path: Path, lang: str) -> None:
    make_province(tmp_path / "province").close()
    with gateway_process(tmp_path / "province") as gateway:
        province = open_province(tmp_path / "province")
        room = real_room(tmp_path / "room", province, gateway, "room-7")
        context = browser.new_context(viewport={"width": DESK[0], "height": DESK[1]}, ignore_https_errors=True)
        page = context.new_page()
        page.goto(f"{gateway.url}/?lang={lang}")
        expect(page.locator("body")).to_contain_text("room-7")
        shot(page, "gateway", lang)
        context.close()
        room.db.close()
        province.close()


@pytest.mark.parametrize("lang", [pytest.param("zh", marks=pytest.mark.long), "en"])
def test_an_examiner_deducts_and_signs_by_hand(browser: Browser, room: DeskRoom, tmp_path: Path, lang: str) -> None:
    with serving(room, tmp_path) as (_, base), page_of(browser, TABLET, lang) as page:
        proctor, _ = open_exam(base, room.session, admit=1)
        sign_in(page, base, EXAMINER, "/scoring/")
        page.goto(f"{base}/scoring/{room.session}")
        page.locator("#sheet button", has_text="A1").first.click()
        page.locator(".plus").first.click()
        page.locator(".button.sign").click()
        page.locator("input[type=password]").fill(EXAMINER.pin)
        shot(page, "scoring-sign", lang)
        page.locator("dialog .button.main, [role=dialog] .button.main").last.click()
        until(lambda: records.rubric_scores(room.db, room.session), 10, "the sheet is signed")
        score = records.rubric_scores(room.db, room.session)[0]
        assert score.examiner == EXAMINER.id
        assert 0 < score.points < 10_000
        proctor.close()
