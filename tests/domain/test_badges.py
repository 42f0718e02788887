"""The wedge decoder: only what was typed as one whole frame comes out as a badge; anything else is a reason."""

from __future__ import annotations

import string
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.badges import (
    DIGITS,
    DOWN,
    ENTERS,
    KEYPAD,
    LETTERS,
    LOCKS,
    REPEAT,
    SHIFTS,
    UP,
    Badge,
    BadgeError,
    KeyEvent,
    TapFilter,
    WedgeDecoder,
    check_characters,
    checksum_holds,
)
from edge.domain.reasons import REASONS
from edge.errors import BadInput
from edge.hardware.badge.simulator import key_events
from support.examples import fuzzed

GAP = 300
TYPED = {**LETTERS, **DIGITS, **KEYPAD}
REASON_CODES = {"badge_frame_short", "badge_frame_long", "badge_frame_broken", "badge_frame_cut", "badge_checksum"}

texts = st.text(string.ascii_uppercase + string.digits, min_size=4, max_size=32)
digit_texts = st.text(string.digits, min_size=4, max_size=20)


def decoder(checksum: str = "none", shortest: int = 4, longest: int = 32) -> WedgeDecoder:
    return WedgeDecoder(shortest, longest, checksum, GAP)


def run(events: list[KeyEvent], checksum: str = "none") -> list[str]:
    """Badges as their text, errors as their reason, after the silence that follows everything."""
    wedge = decoder(checksum)
    found = wedge.feed(events)
    last = max((event.time_ms for event in events), default=0)
    found += wedge.idle(last + GAP + 1)
    return [one.text if isinstance(one, Badge) else one.reason for one in found]


def shifted(events: list[KeyEvent], by_ms: int) -> list[KeyEvent]:
    return [KeyEvent(event.code, event.value, event.time_ms + by_ms) for event in events]


@given(texts)
def test_every_badge_comes_out_as_it_was_typed(text: str) -> None:
    assert run(key_events(text)) == [text]


@given(st.lists(texts, min_size=1, max_size=4), st.integers(1, 20))
def test_frames_follow_each_other_without_a_pause(badges: list[str], step_ms: int) -> None:
    events: list[KeyEvent] = []
    for text in badges:
        events += key_events(text, events[-1].time_ms + step_ms if events else 0, step_ms)
    assert run(events) == badges


@given(digit_texts)
def test_luhn_badges_come_out_with_their_digit(body: str) -> None:
    text = body + check_characters(body, "luhn")
    assert run(key_events(text), "luhn") == [text]


@given(st.binary(min_size=2, max_size=10))
def test_xor_badges_come_out_with_their_byte(body: bytes) -> None:
    text = body.hex().upper()
    text += check_characters(text, "xor")
    assert run(key_events(text), "xor") == [text]


def test_letters_are_capitals_without_shift_and_keypad_digits_are_digits() -> None:
    codes = {character: code for code, character in LETTERS.items()} | {d: code for code, d in KEYPAD.items()}
    events = []
    for place, character in enumerate("AZ09123456"):
        events += [KeyEvent(codes[character], DOWN, place * 4), KeyEvent(codes[character], UP, place * 4 + 2)]
    assert run([*events, KeyEvent(96, DOWN, 50)]) == ["AZ09123456"]


def test_keys_that_overlap_as_a_fast_reader_sends_them() -> None:
    one, two, three, four, enter = (KeyEvent(code, DOWN, 0) for code in (2, 3, 4, 5, 28))
    order = [one, two, up(one), three, up(two), four, up(three), enter, up(four), up(enter)]
    assert run(order) == ["1234"]


def up(event: KeyEvent) -> KeyEvent:
    return KeyEvent(event.code, UP, event.time_ms)


def test_two_enters_are_one_end() -> None:
    events = key_events("12345678")
    assert run([*events, KeyEvent(28, DOWN, 60), KeyEvent(28, UP, 62)]) == ["12345678"]


@pytest.mark.parametrize(
    ("text", "checksum", "reason"),
    [
        ("123", "none", "badge_frame_short"),
        ("1" * 33, "none", "badge_frame_long"),
        ("79927398710", "luhn", "badge_checksum"),
        ("A9927398713", "luhn", "badge_checksum"),
        ("62E3086CED09", "xor", "badge_checksum"),
        ("62E3086CED080", "xor", "badge_checksum"),
        ("62E3086CEG08", "xor", "badge_checksum"),
    ],
)
def test_a_bad_frame_is_one_reason_and_the_next_is_read(text: str, checksum: str, reason: str) -> None:
    good = {"none": "4711", "luhn": "79927398713", "xor": "62E3086CED08"}[checksum]
    events = key_events(text)
    assert run(events + key_events(good, events[-1].time_ms + 5), checksum) == [reason, good]


@pytest.mark.parametrize(
    "bad",
    [
        [KeyEvent(15, DOWN, 0), KeyEvent(15, UP, 0)],  # Tab
        [KeyEvent(29, DOWN, 0), KeyEvent(29, UP, 0)],  # Ctrl
        [KeyEvent(2, DOWN, 0), KeyEvent(2, REPEAT, 0), KeyEvent(2, UP, 0)],
        [KeyEvent(42, DOWN, 0), KeyEvent(2, DOWN, 0), KeyEvent(2, UP, 0), KeyEvent(42, UP, 0)],  # "!"
        [KeyEvent(2, DOWN, 0), KeyEvent(2, DOWN, 0), KeyEvent(2, UP, 0)],
        [KeyEvent(2, 7, 0)],
    ],
    ids=["tab", "ctrl", "repeat", "shifted digit", "down twice", "unknown value"],
)
@pytest.mark.parametrize("place", [0, 2, 6])
def test_what_no_reader_types_breaks_the_frame(bad: list[KeyEvent], place: int) -> None:
    events = key_events("12345678", 0, 0)
    assert run(events[:place] + bad + events[place:]) == ["badge_frame_broken"]


@pytest.mark.parametrize("code", sorted(LOCKS))
def test_lock_keys_type_nothing(code: int) -> None:
    lock = [KeyEvent(code, DOWN, 0), KeyEvent(code, REPEAT, 0), KeyEvent(code, UP, 0)]
    assert run(lock + key_events("12345678", 0, 0)) == ["12345678"]


def test_a_gap_in_mid_frame_drops_it_and_its_tail_is_nobody() -> None:
    events = key_events("1234567890")
    late = events[:8] + shifted(events[8:], GAP + 1)
    assert run(late) == ["badge_frame_cut", "badge_frame_cut"]
    exactly = events[:8] + shifted(events[8:], GAP - 2)
    assert run(exactly) == ["1234567890"]


def test_after_a_cut_frame_a_later_tap_is_read() -> None:
    events = key_events("1234567890")[:8]
    assert run(events + key_events("4711", 5 * GAP)) == ["badge_frame_cut", "4711"]


def test_after_a_cut_frame_an_enter_makes_the_next_tap_certain() -> None:
    events = key_events("1234567890")[:8]
    enter = [KeyEvent(28, DOWN, 2 * GAP), KeyEvent(28, UP, 2 * GAP + 2)]
    assert run(events + enter + key_events("4711", 2 * GAP + 10)) == ["badge_frame_cut", "4711"]


def test_a_frame_that_stands_still_is_reported_without_a_further_key() -> None:
    wedge = decoder()
    assert wedge.feed(key_events("12345678")[:6]) == []
    assert wedge.busy
    assert wedge.idle(10 + GAP) == []
    assert wedge.idle(10 + GAP + 1) == [BadgeError("badge_frame_cut", 10)]
    assert not wedge.busy
    assert wedge.idle(10_000) == []


def test_a_stuck_key_is_one_reason_and_the_reader_reads_again() -> None:
    stuck = [KeyEvent(30, DOWN, 1000), *(KeyEvent(30, REPEAT, at) for at in range(1250, 20_000, 33))]
    one = decoder()
    found = one.feed(stuck)
    assert [(type(error), error.time_ms < 6500) for error in found] == [(BadgeError, True)]
    assert not one.busy
    assert one.feed([KeyEvent(30, UP, 20_000)]) == []
    (badge,) = one.feed(key_events("AB123", 22_000))
    assert isinstance(badge, Badge) and badge.text == "AB123"


def test_keys_without_an_enter_are_a_reason_now_and_then_and_never_a_badge() -> None:
    one, at, found = decoder(longest=8), 1000, list[Badge | BadgeError]()
    for n in range(400):
        code = list(DIGITS)[n % 10]
        found += one.feed([KeyEvent(code, DOWN, at), KeyEvent(code, UP, at + 20)])
        at += 50
    assert 2 <= len(found) <= 4 and all(isinstance(error, BadgeError) for error in found)
    found = one.feed([KeyEvent(28, DOWN, at), KeyEvent(28, UP, at + 5)])
    assert [type(error) for error in found] == [BadgeError]


def test_a_clock_that_runs_back_in_mid_frame_cuts_it() -> None:
    events = key_events("1234567890", 10_000)
    back = events[:8] + shifted(events[8:], -9_000)
    assert run(back) == ["badge_frame_cut", "badge_frame_cut"]


def test_a_shift_whose_release_was_lost_does_not_outlive_a_pause() -> None:
    assert run([KeyEvent(42, DOWN, 0), *key_events("4711", 2 * GAP)]) == ["4711"]


def test_lost_events_make_the_rest_of_the_frame_nobody() -> None:
    wedge = decoder()
    wedge.lost(0)
    assert wedge.feed(key_events("12345678", 1)) == [BadgeError("badge_frame_broken", 33)]
    assert [one.text for one in wedge.feed(key_events("4711", 50)) if isinstance(one, Badge)] == ["4711"]
    wedge.lost(100)
    assert wedge.idle(100 + GAP + 1) == [BadgeError("badge_frame_broken", 100)]


def test_listening_that_starts_in_mid_frame_reads_no_tail() -> None:
    wedge = decoder()
    wedge.opened(1000)
    tail = key_events("1234567890", 995)[8:]
    assert [one.reason for one in wedge.feed(tail) if isinstance(one, BadgeError)] == ["badge_frame_cut"]
    assert wedge.feed(key_events("4711", 1100)) == [Badge("4711", 1116)]


def test_a_reader_that_goes_ends_its_frame() -> None:
    wedge = decoder()
    wedge.feed(key_events("12345678")[:6])
    assert wedge.ended(20) == [BadgeError("badge_frame_cut", 20)]
    assert wedge.ended(21) == []
    assert wedge.feed(key_events("4711", 30)) == [Badge("4711", 46)]


# --- fuzz ------------------------------------------------------------------------------------------------------------

known_codes = st.sampled_from(sorted(set(TYPED) | ENTERS | SHIFTS | LOCKS))
codes = st.one_of(known_codes, known_codes, st.sampled_from([28, 2, 3]), st.integers(0, 0x2FF))
strokes = st.tuples(codes, st.sampled_from([DOWN, DOWN, UP, UP, REPEAT, 5]), st.sampled_from([0, 1, 5, 299, 300, 301]))


def streams() -> st.SearchStrategy[list[KeyEvent]]:
    """Random events, mostly paired presses and releases so that frames do come about."""
    pair = st.tuples(codes, st.sampled_from([0, 1, 5, 301])).map(lambda p: [(p[0], DOWN, p[1]), (p[0], UP, 1)])
    typed = st.lists(st.sampled_from(sorted(DIGITS)), min_size=2, max_size=6).map(
        lambda keys: [stroke for key in [*keys, 28] for stroke in ((key, DOWN, 1), (key, UP, 1))]
    )
    parts = st.lists(st.one_of(pair, typed, strokes.map(lambda one: [one])), max_size=25)

    def timed(found: list[list[tuple[int, int, int]]]) -> list[KeyEvent]:
        now, events = 0, []
        for code, value, pause in (stroke for part in found for stroke in part):
            now += pause
            events.append(KeyEvent(code, value, now))
        return events

    return parts.map(timed)


@fuzzed
@given(streams())
def test_only_what_was_framed_comes_out(events: list[KeyEvent]) -> None:
    wedge = WedgeDecoder(2, 8, "none", GAP)
    start = 0
    for place, event in enumerate(events):
        for one in wedge.feed([event]):
            if isinstance(one, BadgeError):
                assert one.reason in REASON_CODES
                continue
            assert event.code in ENTERS and event.value == DOWN
            frame = events[start:place]
            assert one.text == "".join(TYPED[e.code] for e in frame if e.value == DOWN and e.code in TYPED)
            assert 2 <= len(one.text) <= 8
            typing = [e for e in frame if e.value == DOWN and e.code in TYPED]
            inside = [e for e in frame if e.time_ms >= typing[0].time_ms] + [event]
            assert all(b.time_ms - a.time_ms <= GAP for a, b in pairwise(inside))
            assert all(e.code in {*TYPED, *SHIFTS, *LOCKS} for e in frame if e.value == DOWN)
            assert not any(e.value == REPEAT and e.code in TYPED for e in frame)
        if event.code in ENTERS and event.value == DOWN:
            start = place + 1
    for one in wedge.idle(10**9):
        assert isinstance(one, BadgeError)


@fuzzed
@given(st.lists(st.builds(KeyEvent, st.integers(), st.integers(), st.integers()), max_size=40))
def test_no_event_of_any_kind_raises(events: list[KeyEvent]) -> None:
    wedge = decoder("luhn", 1, 4)
    for one in wedge.feed(events) + wedge.ended(0):
        assert isinstance(one, Badge) or one.reason in REASON_CODES


@fuzzed
@given(texts, texts, st.data())
def test_one_lost_event_never_makes_another_badge(first: str, second: str, data: st.DataObject) -> None:
    events = key_events(first)
    events += key_events(second, events[-1].time_ms + 5)
    events.pop(data.draw(st.integers(0, len(events) - 1)))
    found = run(events)
    assert set(found) - REASON_CODES <= {first, second}
    assert len(found) <= 2


@fuzzed
@given(digit_texts, st.data())
def test_garbage_between_the_keys_never_makes_another_badge(body: str, data: st.DataObject) -> None:
    """Other keys, repeats, stray releases, pauses, losses. (Well-formed digits typed into a frame are left out: one
    check digit lets one in ten such through, and no decoder can know better.)"""
    text = body + check_characters(body, "luhn")
    wedge = decoder("luhn")
    others = st.integers(0, 0x2FF).filter(lambda code: code not in TYPED)
    found: list[Badge | BadgeError] = []
    delay = 0
    for event in key_events(text):
        for kind in data.draw(st.lists(st.sampled_from(["key", "repeat", "up", "pause", "lost"]), max_size=1)):
            now = event.time_ms + delay
            if kind == "key":
                found += wedge.feed([KeyEvent(data.draw(others), DOWN, now)])
            elif kind == "repeat":
                found += wedge.feed([KeyEvent(data.draw(codes), REPEAT, now)])
            elif kind == "up":
                found += wedge.feed([KeyEvent(data.draw(codes), UP, now)])
            elif kind == "lost":
                wedge.lost(now)
            else:
                delay += data.draw(st.integers(0, 2 * GAP))
        found += wedge.feed(shifted([event], delay))
    assert {one.text for one in found if isinstance(one, Badge)} <= {text}


@fuzzed
@given(digit_texts, st.sampled_from(["luhn", "xor", "ean"]), st.data())
def test_one_digit_misread_is_no_badge(body: str, checksum: str, data: st.DataObject) -> None:
    body = body if len(body) % 2 == 0 else body + "0"
    text = body + check_characters(body, checksum)
    place = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from([d for d in string.digits if d != text[place]]))
    assert run(key_events(text[:place] + other + text[place + 1 :]), checksum) == ["badge_checksum"]


# --- checksums and debounce ------------------------------------------------------------------------------------------


def test_published_examples_of_the_checksums() -> None:
    assert checksum_holds("79927398713", "luhn")
    assert checksum_holds("4539578763621486", "luhn")
    assert not checksum_holds("79927398731", "luhn")
    assert checksum_holds("62E3086CED08", "xor")
    assert not checksum_holds("62E3086CDE08", "xor")
    assert checksum_holds("4006381333931", "ean")
    assert not checksum_holds("4006381333932", "ean")
    assert checksum_holds("07940", "mod11-2") and checksum_holds("079X", "mod11-2")
    assert checksum_holds("11010519491231002X", "mod11-2")
    assert checksum_holds("A12425GABC1234002M", "mod37-36")
    assert not checksum_holds("A12425GABC1234020M", "mod37-36")
    for checksum in ("luhn", "xor", "ean", "mod11-2", "mod37-36"):
        assert not checksum_holds("", checksum)
        assert not checksum_holds("0", checksum)


@pytest.mark.parametrize(
    ("body", "checksum"),
    [
        ("", "luhn"),
        ("12A", "luhn"),
        ("١٢", "luhn"),
        ("123", "xor"),
        ("1G", "xor"),
        ("", "xor"),
        ("1X", "mod11-2"),
        ("a", "mod37-36"),
    ],
)
def test_a_body_that_takes_no_checksum_is_bad_input(body: str, checksum: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_characters(body, checksum)
    assert checksum in caught.value.sentence("en")


def test_a_badge_seen_again_at_once_is_the_same_tap() -> None:
    taps = TapFilter(1500)
    seen = [("A", 0), ("A", 1499), ("B", 1600), ("A", 2900), ("B", 3099), ("A", 4400), ("B", 5000)]
    assert [taps.accept(Badge(text, at)) for text, at in seen] == [True, False, True, False, False, True, True]


def test_no_debounce_and_a_clock_that_ran_back_let_every_tap_through() -> None:
    every = TapFilter(0)
    assert [every.accept(Badge("A", at)) for at in (0, 0, 1)] == [True, True, True]
    taps = TapFilter(1500)
    assert [taps.accept(Badge("A", at)) for at in (5000, 100)] == [True, True]


def test_every_reason_is_in_the_catalogue() -> None:
    assert set(REASONS) >= REASON_CODES | {"badge_text", "badge_checksum_body"}


def test_a_release_whose_press_was_lost_betrays_the_missing_head() -> None:
    events = key_events("12345678")
    assert run(events[1:]) == ["badge_frame_cut"]
    assert run(events[1:2]) == []
