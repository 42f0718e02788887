"""The exam page on the real server: every kind of item by touch and by keyboard, settings, pictures, accessibility."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from edge.ops.ports import free_port
from support.kinds_room import kinds_document, make_kinds_room
from support.pictures import shot, shot_both
from support.rooms import DeskRoom
from support.serving import open_exam, serving, signed_in, until
from support.tablet_page import (
    CHROMIUM,
    LANDSCAPE,
    NARROW,
    PHONE,
    PORTRAIT,
    answers_of,
    axe,
    cached,
    enter_code,
    go_to,
    paper_of,
    seat,
    steps,
    stored,
    tab_to,
    tablet,
    too_wide,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not Path(CHROMIUM).exists(), reason="Chromium is not installed; see provisioning/test-packages.sh"
    ),
]
KINDS = {"K001": "judgement", "K003": "pictures", "K004": "multiple", "K005": "fill", "K006": "order"}
KINDS |= {"K007": "match", "K008": "hotspot", "K009.1": "case", "K010": "media"}


@pytest.fixture
def room(tmp_path: Path) -> Iterator[DeskRoom]:
    made = make_kinds_room(tmp_path, web={"port": free_port(), "threads": 24})
    yield made
    made.db.close()


@contextmanager
def opened(room: DeskRoom, folder: Path) -> Iterator[tuple[str, list[str]]]:
    """The room with its exam under way; its address and the seat codes."""
    with serving(room, folder) as (_, base):
        proctor, codes = open_exam(base, room.session)
        yield base, codes
        proctor.close()


def saved(page: Page) -> None:
    expect(page.locator(".item-state .good")).to_be_visible(timeout=10_000)


def shown_keys(page: Page, item: str) -> dict[str, str]:
    """What the drawn paper calls the options: text -> letter."""
    found = (i for part in paper_of(page)["parts"] for i in part["items"] if i["id"] == item)
    return {option["text"]: option["key"] for option in next(found)["options"]}


def test_every_kind_is_answered_by_touch_and_comes_back_after_a_reload(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    with opened(room, tmp_path) as (base, codes), tablet(browser, base) as page:
        seat(page, base, codes[0])
        n = steps(page)
        want: dict[str, list[str]] = {}

        go_to(page, n["K001"])
        page.locator("label.option").nth(1).click()
        want["K001"] = ["B"]
        saved(page)

        go_to(page, n["K004"])
        for at in (2, 0):
            page.locator("label.option").nth(at).click()
        want["K004"] = ["A", "C"]
        saved(page)

        go_to(page, n["K005"])
        page.locator("input.blank").nth(0).fill(" 1.5ＭＭ ")  # said twice over: it is chosen beside the field
        page.locator("select.unit").select_option("mm")
        expect(page.locator(".unit-word")).to_have_text("度")
        page.locator("input.blank").nth(1).fill("45 度")
        page.locator("input.blank").nth(2).fill("脚手板")
        page.locator("input.blank").nth(2).blur()
        want["K005"] = ["1.5 mm", "45", "脚手板"]
        saved(page)

        go_to(page, n["K006"])
        keys = shown_keys(page, "K006")
        assert page.locator(".item-state .line").inner_text().endswith("还没有作答")
        first = page.locator(".order-row").nth(0).locator(".words").inner_text()
        page.locator(".order-row").nth(0).locator(".move").nth(1).click()
        rows = page.locator(".order-row .words").all_inner_texts()
        assert rows[1] == first
        want["K006"] = [keys[text] for text in rows]
        saved(page)

        go_to(page, n["K007"])
        page.locator("select.pick").nth(2).select_option("A")
        page.locator("select.pick").nth(0).select_option("C")
        want["K007"] = ["1C", "3A"]
        saved(page)

        go_to(page, n["K008"])
        page.locator(".spot").click(position={"x": 9, "y": 9})
        expect(page.locator(".mark-dot")).to_have_count(0)  # nobody marks what they have not seen
        page.locator(".spot-picture button", has_text="kB").click()
        page.locator(".spot-picture.there").wait_for()
        box = page.locator(".spot").bounding_box()
        assert box is not None
        for x, y in ((0.6, 0.7), (0.25, 0.5)):
            page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        expect(page.locator(".mark-dot")).to_have_count(2)
        page.mouse.click(box["x"] + 0.9 * box["width"], box["y"] + 0.9 * box["height"])
        expect(page.locator(".toasts")).to_contain_text("先去掉一个")
        expect(page.locator(".mark-dot")).to_have_count(2)
        saved(page)

        go_to(page, n["K009.2"])
        page.locator("input.blank").fill("9")
        page.locator("select.unit").select_option("m")
        want["K009.2"] = ["9 m"]
        saved(page)

        until(lambda: len(answers_of(room)) == 7, 10, "all answers are in the room")
        found = answers_of(room)
        marks = [[int(part) for part in mark.split(",")] for mark in found.pop("K008")]
        for mark, (x, y) in zip(marks, ((250, 500), (600, 700)), strict=True):
            assert abs(mark[0] - x) <= 4 and abs(mark[1] - y) <= 4
        assert found == want

        page.reload()
        page.locator("#question").wait_for()
        go_to(page, n["K005"])
        assert page.locator("input.blank").nth(0).input_value() == "1.5"
        assert page.locator("select.unit").input_value() == "mm"
        go_to(page, n["K006"])
        assert page.locator(".order-row .words").all_inner_texts() == rows
        go_to(page, n["K007"])
        assert [page.locator("select.pick").nth(at).input_value() for at in range(3)] == ["C", "", "A"]
        go_to(page, n["K008"])
        expect(page.locator(".mark-dot")).to_have_count(2)
        page.locator(".spot-list button").nth(0).click()
        until(lambda: len(answers_of(room)["K008"]) == 1, 10, "a mark is taken away")


def test_an_order_counts_only_when_confirmed_or_touched_and_can_be_dragged(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    with opened(room, tmp_path) as (base, codes), tablet(browser, base) as page:
        seat(page, base, codes[0])
        go_to(page, steps(page)["K006"])
        shown = page.locator(".order-row .words").all_inner_texts()
        keys = shown_keys(page, "K006")
        page.locator(".answer .button.huge").click()
        until(lambda: answers_of(room).get("K006") == [keys[text] for text in shown], 10, "the order as it stood")
        expect(page.locator(".answer .button.huge")).to_be_hidden()
        handle, last = page.locator(".handle").nth(0).bounding_box(), page.locator(".order-row").nth(3).bounding_box()
        assert handle is not None and last is not None
        page.mouse.move(handle["x"] + 10, handle["y"] + 10)
        page.mouse.down()
        page.mouse.move(last["x"] + 20, last["y"] + last["height"] - 8, steps=12)
        page.mouse.up()
        moved = [*shown[1:], shown[0]]
        assert page.locator(".order-row .words").all_inner_texts() == moved
        until(lambda: answers_of(room)["K006"] == [keys[text] for text in moved], 10, "the dragged order")


def test_typing_is_sent_once_it_pauses_and_kept_before(browser: Browser, room: DeskRoom, tmp_path: Path) -> None:
    with opened(room, tmp_path) as (base, codes), tablet(browser, base) as page:
        seat(page, base, codes[0])
        go_to(page, steps(page)["K005"])
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
        page.locator("input.blank").nth(2).press_sequentially("jiaoshouban", delay=30)
        kept = [op for _, op in stored(page)["ops"]]
        assert [op["value"] for op in kept] == [["", "", "jiaoshouban"]]
        saved(page)
        assert len([url for url in sent if url.endswith("/answers")]) == 1
        assert answers_of(room)["K005"] == ["", "", "jiaoshouban"]
        page.locator("input.blank").nth(2).fill("")
        until(lambda: answers_of(room)["K005"] == [], 10, "an emptied blank is no answer")


def test_pictures_and_sound_come_when_asked_for_and_only_once(browser: Browser, room: DeskRoom, tmp_path: Path) -> None:
    with opened(room, tmp_path) as (base, codes), tablet(browser, base) as page:
        asked: list[str] = []
        page.on("request", lambda r: asked.append(r.url.rpartition("/")[2]) if "/api/media/" in r.url else None)
        seat(page, base, codes[0])
        n = steps(page)
        for step in n.values():
            go_to(page, step)
        assert asked == []
        go_to(page, n["K010"])
        expect(page.locator(".media button")).to_have_count(2)
        expect(page.locator(".media button").nth(0)).to_contain_text("kB")
        page.locator(".media button", has_text="录音").click()
        expect(page.locator("audio")).to_be_visible()
        assert page.locator("audio").get_attribute("aria-label") == "现场信号的录音"
        page.locator(".media button", has_text="图片").click()
        expect(page.locator(".media img")).to_be_visible()
        page.wait_for_function("() => document.querySelector('.media img').naturalWidth > 0")
        go_to(page, n["K003"])
        page.locator(".media button").click()
        expect(page.locator(".slot img")).to_have_count(2)
        page.wait_for_function("() => document.querySelector('.slot img').naturalWidth > 0")
        go_to(page, n["K008"])
        page.locator(".spot-picture.there").wait_for()  # it is the option's picture, which is here
        go_to(page, n["K010"])
        expect(page.locator(".media img")).to_be_visible()
        # by names that say nothing
        assert len(set(asked)) == len(asked)
        assert sorted(re.sub(r"^m-[0-9a-f]{24}", "", name) for name in asked) == [".m4a", ".svg", ".svg", ".svg"]
        page.context.set_offline(True)
        go_to(page, n["K003"])
        expect(page.locator(".slot img")).to_have_count(2)


def test_a_picture_that_does_not_come_can_be_asked_for_again(browser: Browser, room: DeskRoom, tmp_path: Path) -> None:
    with opened(room, tmp_path) as (base, codes), tablet(browser, base) as page:
        seat(page, base, codes[0])
        go_to(page, steps(page)["K010"])
        page.context.set_offline(True)
        page.locator(".media button", has_text="图片").click()
        expect(page.locator(".media [role=alert]")).to_be_visible()
        page.context.set_offline(False)
        page.locator(".media button", has_text="图片").click()
        expect(page.locator(".media img")).to_be_visible()


WRITING_OF = """async (text) => {
  const { words } = await import("/exam/static/js/words.js");
  const both = words("蒙古文", { mn: text }, "mn", "words");
  document.body.append(both);
  return getComputedStyle(both.lastChild).writingMode;
}"""
FOCUS_IN_HEAD = """() => {
  const button = document.querySelector(".head .tools .button");
  button.focus();
  return [getComputedStyle(button).outlineColor, getComputedStyle(document.querySelector(".head")).backgroundColor];
}"""


def contrast(one: str, other: str) -> float:
    """Of two colours as a browser gives them, by WCAG."""

    def light(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, bright = sorted((light(one), light(other)))
    return (bright + 0.05) / (dark + 0.05)


def test_the_whole_exam_by_keyboard_alone(browser: Browser, room: DeskRoom, tmp_path: Path) -> None:
    with opened(room, tmp_path) as (base, codes), tablet(browser, base) as page:
        page.goto(f"{base}/exam/")
        tab_to(page, "#seat-code")
        page.keyboard.type(codes[0])
        page.keyboard.press("Enter")
        tab_to(page, ".button.main")
        page.keyboard.press("Enter")
        page.locator("#question").wait_for()
        n = steps(page)
        ring, behind = page.evaluate(FOCUS_IN_HEAD)
        assert contrast(ring, behind) >= 3
        page.locator("#question").focus()
        for at in range(len(n)):
            focus = page.evaluate("() => document.activeElement.outerHTML.slice(0, 200)")
            assert at == 0 or 'id="question"' in focus, focus
            if page.locator(".answer input[type=radio]").count():
                tab_to(page, "input[type=radio]")
                page.keyboard.press("Space")
            elif page.locator(".answer input[type=checkbox]").count():
                tab_to(page, "input[type=checkbox]")
                page.keyboard.press("Space")
            elif page.locator("input.blank").count():
                tab_to(page, "input.blank")
                page.keyboard.type("12")
            elif page.locator(".order-row").count():
                tab_to(page, ".move[aria-disabled=false]")
                page.keyboard.press("Enter")
            elif page.locator("select.pick").count():
                tab_to(page, "select.pick")
                page.keyboard.press("ArrowDown")
            else:
                tab_to(page, ".spot-picture button")
                page.keyboard.press("Enter")
                page.locator(".spot-picture.there").wait_for()
                assert page.evaluate("() => document.activeElement.matches('.spot')")
                for key in ("ArrowRight", "ArrowRight", "Shift+ArrowUp", "Enter"):
                    page.keyboard.press(key)
                expect(page.locator(".mark-dot")).to_have_count(1)
            expect(page.locator(".item-state .line.way, .item-state .line.good")).to_be_visible()
            if page.locator(".media button", has_text="录音").count():
                tab_to(page, ".media button")
                page.keyboard.press("Enter")
                tab_to(page, "audio")
            if at < len(n) - 1:
                tab_to(page, ".foot .button.main")
                page.keyboard.press("Enter")
        tab_to(page, ".foot .button.main")
        page.keyboard.press("Enter")
        expect(page.locator("dialog")).to_contain_text("都答完了")
        tab_to(page, "dialog .button.main")
        page.keyboard.press("Enter")
        expect(page.locator(".screen.done")).to_be_visible(timeout=10_000)
        found = answers_of(room)
        assert set(found) == set(n)
        assert found["K008"] == ["520,499"]
        assert all(found.values())


def test_a_case_keeps_its_material_beside_every_question(browser: Browser, room: DeskRoom, tmp_path: Path) -> None:
    with opened(room, tmp_path) as (base, codes), tablet(browser, base, PHONE) as page:
        seat(page, base, codes[0])
        n = steps(page)
        assert n["K009.1"].endswith(".1") and n["K009.2"].endswith(".2")
        go_to(page, n["K009.1"])
        expect(page.locator(".material-text")).to_contain_text("大风停工")
        go_to(page, n["K009.2"])
        expect(page.locator(".material-text")).to_be_hidden()
        page.locator(".material summary").click()
        expect(page.locator(".material-text")).to_be_visible()
        go_to(page, n["K001"])
        expect(page.locator(".material")).to_have_count(0)
        go_to(page, n["K009.2"])
        expect(page.locator(".material-text")).to_be_visible()


def test_text_size_contrast_and_second_language_survive_a_reload(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    with opened(room, tmp_path) as (base, codes), tablet(browser, base) as page:
        seat(page, base, codes[0])
        n = steps(page)
        go_to(page, n["K004"])
        assert page.locator(".more").count() == 0
        page.locator(".head .tools .button").nth(0).click()
        page.locator("dialog label", has_text="更大").click()
        page.locator("dialog label", has_text="黑底白字").click()
        page.locator("dialog label", has_text="English").click()
        page.locator("dialog .button.main").click()
        expect(page.locator(".stem.more")).to_have_text("What is checked before putting up a scaffold?")
        page.reload()
        page.locator("#question").wait_for()
        expect(page.locator(".stem.more")).to_have_attribute("lang", "en")
        assert page.locator(".question .stem").first.get_attribute("lang") == "zh-CN"
        assert page.locator(".option .more").count() == 4
        # beside the first where both have room, under it where not
        for size, beside in ((LANDSCAPE, True), (PHONE, False)):
            page.set_viewport_size({"width": size[0], "height": size[1]})
            page.evaluate("() => { document.documentElement.dataset.size = '0'; }")
            for pair in (".question .both", ".option:nth-of-type(1) .both"):
                first, more = (page.locator(f"{pair} > span").nth(at).bounding_box() for at in (0, 1))
                assert first is not None and more is not None
                assert (more["x"] >= first["x"] + first["width"]) is beside, pair
                assert (more["y"] >= first["y"] + first["height"]) is not beside, pair
            shot(page, f"page-both-{size[0]}")
        page.set_viewport_size({"width": PORTRAIT[0], "height": PORTRAIT[1]})
        page.evaluate("() => { document.documentElement.dataset.size = '2'; }")
        root = page.locator("html")
        assert (root.get_attribute("data-size"), root.get_attribute("data-contrast")) == ("2", "1")
        assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(0, 0, 0)"
        shot_both(page, "page-contrast")
        assert axe(page) == []
        page.locator(".head .tools .button").nth(0).click()
        page.locator("dialog label", has_text="ئۇيغۇرچە").click()
        page.locator("dialog .button.main").click()
        expect(page.locator(".stem.more")).to_have_attribute("dir", "auto")
        assert page.evaluate("() => getComputedStyle(document.querySelector('.stem.more')).direction") == "rtl"
        for text, runs in (("ᠮᠣᠩᠭᠣᠯ", "vertical-lr"), ("монгол", "horizontal-tb")):
            assert page.evaluate(WRITING_OF, text) == runs


def test_after_a_confirmed_hand_in_nothing_of_the_paper_is_left(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    with opened(room, tmp_path) as (base, codes), tablet(browser, base, keeps=True) as page:
        seat(page, base, codes[0])
        n = steps(page)
        go_to(page, n["K005"])
        page.locator("input.blank").nth(2).fill("一个很特别的词")
        saved(page)
        go_to(page, n["K008"])
        page.locator(".spot-picture button").click()
        page.locator(".spot-picture.there").wait_for()
        until(lambda: any("/exam/" in path for path in cached(page)), 15, "the shell is kept for use offline")
        words = [item["stem"] for part in paper_of(page)["parts"] for item in part["items"]]
        assert len(words) == 10 and "一个很特别的词" in str(stored(page))
        blob = page.locator(".spot img").get_attribute("src")
        hand_in(page)
        left = str(stored(page)) + str(cached(page)) + page.content()
        for gone in [*words, "一个很特别的词", "第一种", "大风停工", "M100 400V40"]:
            assert gone not in left, gone
        keys = [key for key, _ in stored(page)["notes"]]
        assert not [key for key in keys if key.startswith(("paper/", "marks/", "room/", "settings/", "claim"))]
        assert stored(page)["ops"] == []
        assert page.evaluate("(url) => fetch(url).then(() => true, () => false)", blob) is False
        page.reload()
        expect(page.locator(".screen.done")).to_be_visible(timeout=10_000)
        expect(page.locator(".lead.num")).to_contain_text("答了 1 题，共 11 题")
        page.locator(".done .button").last.click()
        enter_code(page, codes[1])
        page.locator(".two .button.main").click()
        page.locator("#question").wait_for()
        expect(page.locator(".map-open")).to_contain_text("0/11")


def hand_in(page: Page) -> None:
    if page.locator(".map-open").is_visible():
        page.locator(".map-open").click()
    page.locator(".handin").click()
    page.locator("dialog .button.main").click()
    expect(page.locator(".screen.done")).to_be_visible(timeout=10_000)


@pytest.mark.parametrize("lang", ["zh", pytest.param("en", marks=pytest.mark.long)])
def test_axe_finds_nothing_serious_on_any_screen(browser: Browser, room: DeskRoom, tmp_path: Path, lang: str) -> None:
    with serving(room, tmp_path) as (_, base), tablet(browser, base, PORTRAIT, lang) as page:
        seen: list[str] = []

        def look(name: str, again: Callable[[], object] = lambda: None) -> None:
            """`again`: what leads to this screen once more, where the language's switch draws it afresh."""
            page.wait_for_timeout(200)
            box = name in ("settings", "map", "handin")  # a dialog's words stay as it was opened
            for contrast, rules, more in (("1", ("color-contrast",), "-strong"), ("0", (), "")):
                page.evaluate("(wanted) => { document.documentElement.dataset.contrast = wanted; }", contrast)
                assert axe(page, *rules) == [], name + more
                if box:
                    shot(page, f"page-{name}{more}", lang)
                else:
                    shot_both(page, f"page-{name}{more}", again)
            seen.append(name)

        page.goto(f"{base}/exam/")
        page.locator("#seat-code").wait_for()

        def wrong_code() -> None:
            enter_code(page, "000000")
            expect(page.locator(".notice.bad")).to_be_visible()

        wrong_code()
        look("seat-wrong", wrong_code)
        proctor, codes = open_exam(base, room.session)
        enter_code(page, codes[0])
        page.locator(".person").wait_for()
        look("confirm")
        not_me = page.locator(".two .button").first
        not_me.click()
        look("not-me", not_me.click)
        page.locator(".two .button.main").click()
        page.locator("#question").wait_for()
        n = steps(page)
        for item, name in KINDS.items():
            go_to(page, n[item])
            look(name)
        page.locator(".head .tools .button").nth(0).click()
        look("settings")
        page.locator("dialog .button.main").click()
        page.locator(".map-open").click()
        look("map")
        page.locator(".handin").click()
        look("handin")
        page.locator("dialog .two .button").first.click()
        page.context.set_offline(True)
        go_to(page, n["K001"])
        page.locator("label.option").first.click()
        expect(page.locator(".banners .warn")).to_be_visible(timeout=15_000)
        look("offline")
        page.context.set_offline(False)
        expect(page.locator(".item-state .good")).to_be_visible(timeout=20_000)
        proctor.post(f"/console/api/{room.session}/pause", reason="消防检查")
        expect(page.locator(".cover")).to_be_visible(timeout=8000)
        look("paused")
        proctor.post(f"/console/api/{room.session}/resume", reason="检查结束")
        expect(page.locator(".cover")).to_have_count(0, timeout=8000)
        second = page.context.new_page()
        second.goto(f"{base}/exam/")
        expect(second.locator(".other-tab")).to_be_visible()
        shot_both(second, "page-second-tab")
        assert axe(second) == []
        second.close()
        hand_in(page)
        look("done")
        proctor.close()
        assert len(seen) == len(KINDS) + 9


def test_who_comes_early_waits_and_the_paper_appears_by_itself(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    with serving(room, tmp_path) as (_, base), tablet(browser, base, PORTRAIT) as page:
        proctor = signed_in(base)
        act = f"/console/api/{room.session}/"
        board = proctor.post(act + "open-checkin", reason="开考")["board"]
        person = next(one["person"] for one in board["seats"] if one["person"])
        board = proctor.post(act + "admit", person=person, reason="已核验证件")["board"]
        code = next(one["seat_code"] for one in board["seats"] if one.get("seat_code"))
        page.goto(f"{base}/exam/")
        enter_code(page, code)
        page.locator(".two .button.main").click()
        expect(page.locator(".screen.waiting")).to_be_visible()
        shot_both(page, "page-waiting")
        assert axe(page) == []
        assert not [key for key, _ in stored(page)["notes"] if key.startswith("paper/")]
        proctor.post(act + "start", reason="开考")
        page.locator("#question").wait_for()
        proctor.close()


@pytest.mark.parametrize("lang", [pytest.param("zh", marks=pytest.mark.long), "en"])
def test_no_screen_needs_sideways_scrolling(browser: Browser, room: DeskRoom, tmp_path: Path, lang: str) -> None:
    """Phones, a tablet on its side, and 320 pixels, which is what 1280 at 400 % leaves."""
    sizes = (PHONE, LANDSCAPE, NARROW)
    with opened(room, tmp_path) as (base, codes), tablet(browser, base, PHONE, lang) as page:
        page.goto(f"{base}/exam/")
        page.locator("#seat-code").wait_for()

        def fits(name: str) -> None:
            for width, height in sizes:
                page.set_viewport_size({"width": width, "height": height})
                page.wait_for_timeout(150)
                shot(page, f"page-{name}-{lang}-{width}")
                assert not too_wide(page), (name, width)
                assert small_targets(page) == [], (name, width)

        fits("code")
        enter_code(page, codes[0])
        page.locator(".two .button.main").click()
        page.locator("#question").wait_for()
        n = steps(page)
        for item, name in KINDS.items():
            go_to(page, n[item])
            fits(name)
        page.locator(".head .tools .button").nth(0).click()
        fits("settings")


def small_targets(page: Page) -> list[str]:
    """Whatever one can press and is smaller than 44 by 44 pixels; what lies under a label counts by its label."""
    found: list[str] = page.evaluate(
        """() => Array.from(document.querySelectorAll("button, select, summary, label, input.blank, input.code"))
        .filter((e) => e.offsetParent && !e.hidden).map((e) => [e, e.getBoundingClientRect()])
        .filter(([e, box]) => box.width < 44 || box.height < 44).map(([e]) => e.outerHTML.slice(0, 80))"""
    )
    return found


def test_at_two_hundred_percent_nothing_is_cut_off(browser: Browser, room: DeskRoom, tmp_path: Path) -> None:
    """1280 by 1024 at 200 % is 640 by 512; the largest text on top of it."""
    with opened(room, tmp_path) as (base, codes), tablet(browser, base, (640, 512), device_scale_factor=2) as page:
        seat(page, base, codes[0])
        n = steps(page)
        page.locator(".head .tools .button").nth(0).click()
        page.locator("dialog label", has_text="最大").click()
        page.locator("dialog .button.main").click()
        for item, name in KINDS.items():
            go_to(page, n[item])
            page.wait_for_timeout(100)
            shot(page, f"page-{name}-zoomed")
            assert not too_wide(page), name
            page.locator(".foot .button.main").scroll_into_view_if_needed()
            assert page.locator(".foot .button.main").is_visible()


def test_reading_aloud_is_offered_only_where_there_is_a_chinese_voice(
    browser: Browser, room: DeskRoom, tmp_path: Path
) -> None:
    voices = """(lang) => {
      const said = window.said = [];
      const synth = { getVoices: () => [{ lang, name: "v" }], cancel() { said.push("stop"); },
        speak(u) { said.push(u.text); }, addEventListener() {} };
      Object.defineProperty(window, "speechSynthesis", { value: synth });
      window.SpeechSynthesisUtterance = function (text) { this.text = text; };
    }"""
    with opened(room, tmp_path) as (base, codes):
        for at, (lang, offered) in enumerate((("en-US", False), ("zh-CN", True))):
            with tablet(browser, base) as page:
                page.add_init_script(f"({voices})('{lang}')")
                seat(page, base, codes[at])
                go_to(page, steps(page)["K004"])
                assert page.locator(".read").is_visible() is offered
                assert [one for one in page.evaluate("() => window.said") if one != "stop"] == []
                if offered:
                    page.locator(".read").click()
                    said = [one for one in page.evaluate("() => window.said") if one != "stop"]
                    assert said[0] == "搭设前要检查什么？" and len(said) == 5
                    # each question by itself, for who wants it so
                    page.locator(".head .tools .button").nth(0).click()
                    page.locator("dialog label", has_text="每题自动朗读").click()
                    page.locator("dialog .button.main").click()
                    page.evaluate("() => { window.said.length = 0; }")
                    go_to(page, steps(page)["K006"])
                    said = page.evaluate("() => window.said")
                    assert said[0] == "stop" and "把搭设步骤按先后排好。" in said
                    page.reload()
                    page.locator("#question").wait_for()
                    go_to(page, steps(page)["K004"])
                    assert "搭设前要检查什么？" in page.evaluate("() => window.said")


def test_parts_with_a_limit_are_begun_on_purpose_and_not_returned_to(browser: Browser, tmp_path: Path) -> None:
    room = make_kinds_room(tmp_path, kinds_document(20), web={"port": free_port(), "threads": 24})
    with opened(room, tmp_path) as (base, codes), tablet(browser, base) as page:
        page.goto(f"{base}/exam/")
        enter_code(page, codes[0])
        page.locator(".two .button.main").click()
        expect(page.locator(".cover.part")).to_contain_text("20 分钟")
        shot_both(page, "page-parts")
        assert axe(page) == []
        tab_to(page, ".cover .button")  # a part, too, is begun and left by the keyboard
        page.keyboard.press("Enter")
        expect(page.locator(".part-timer")).to_contain_text("19:5")
        page.locator("label.option").first.click()
        saved(page)
        page.locator(".foot .button.main").click()
        expect(page.locator(".foot .button.main")).to_contain_text("下一部分")
        page.locator(".foot .button.main").click()
        expect(page.locator("dialog")).to_contain_text("不能再回到“安全”")
        shot(page, "page-part-box-zh")
        tab_to(page, "dialog .button.main")
        page.keyboard.press("Enter")
        expect(page.locator(".count")).to_contain_text("第 3 题")
        expect(page.locator(".foot .button").first).to_be_disabled()
        page.reload()
        page.locator("#question").wait_for()
        expect(page.locator(".count")).to_contain_text("第 3 题")
        expect(page.locator(".part-timer")).to_contain_text("19:5")
        page.locator(".map-open").click()
        assert page.locator(".cell[disabled]").count() == 2
    room.db.close()
