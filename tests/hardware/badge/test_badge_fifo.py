"""The reader on a real named pipe: whole taps, torn records, garbage, writers and pipes that go and return."""

from __future__ import annotations

import fcntl
import os
import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from edge import clock
from edge.config import Badge as Options
from edge.domain.badges import DOWN, REPEAT, UP, Badge, BadgeError, KeyEvent, WedgeDecoder
from edge.domain.reasons import REASONS
from edge.errors import BadInput, Unavailable
from edge.hardware.badge import BadgeReader, NoReader, ReaderState, Tap, open_reader
from edge.hardware.badge.records import EV_KEY, EV_MSC, EV_SYN, RECORD, SYN_DROPPED, Mark, RecordStream
from edge.hardware.badge.simulator import encode, key_events, press_keys, tap
from support.examples import fuzzed

GAP_MS = 60


def options(path: Path, **more: object) -> Options:
    return Options.model_validate({"backend": "events", "device": str(path), "gap_ms": GAP_MS, "debounce_ms": 0} | more)


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    return tmp_path / "run" / "badge"


@pytest.fixture
def reader(pipe: Path) -> Iterator[BadgeReader]:
    found = open_reader(options(pipe))
    yield found
    found.close()


def told(taps: list[Tap]) -> list[str | None]:
    return [one.badge or one.reason for one in taps]


def drain(reader: BadgeReader, quiet_s: float = 0.2) -> list[str | None]:
    """Everything until the reader has had nothing to say for `quiet_s`."""
    found: list[str | None] = []
    while taps := reader.poll(quiet_s):
        found += told(taps)
    return found


def writer(pipe: Path) -> int:
    return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)


def test_a_tap_arrives(reader: BadgeReader, pipe: Path) -> None:
    assert reader.state() == ReaderState(True)
    before = clock.mono_ms()
    tap(pipe, "AB12345678")
    (one,) = reader.poll(2)
    assert (one.badge, one.reason) == ("AB12345678", None)
    assert before <= one.at_mono_ms <= clock.mono_ms()
    assert reader.poll(0) == []


def test_rubbish_is_each_reason_once_in_a_while(pipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = clock.mono_ms()
    monkeypatch.setattr(clock, "mono_ms", lambda: at)
    reader = open_reader(options(pipe, debounce_ms=1500, min_length=4))

    def typed(*badges: str) -> list[str | None]:
        for badge in badges:
            tap(pipe, badge)
        return told([one for _ in range(3) for one in reader.poll(0)])

    assert typed("1", "2", "AB12345678", "3") == ["badge_frame_short", "AB12345678"]
    at += 1000
    assert typed("4") == []
    at += 600
    assert typed("5") == ["badge_frame_short"]
    reader.close()


def test_many_taps_of_separate_writers_all_arrive_in_order(reader: BadgeReader, pipe: Path) -> None:
    badges = [f"S{number:06d}" for number in range(30)]
    finger = threading.Thread(target=lambda: [tap(pipe, badge) for badge in badges])
    finger.start()
    found = drain(reader, 0.5)
    finger.join()
    assert found == badges


def test_taps_written_at_the_same_time_do_not_mix(reader: BadgeReader, pipe: Path) -> None:
    badges = [character * 32 for character in "ABCDEFGH"]  # each longer than a pipe takes in one piece
    fingers = [threading.Thread(target=tap, args=(pipe, badge)) for badge in badges]
    for finger in fingers:
        finger.start()
    found = drain(reader, 0.5)
    for finger in fingers:
        finger.join()
    assert sorted(filter(None, found)) == badges


def test_a_writer_waits_for_another_to_finish(reader: BadgeReader, pipe: Path) -> None:
    other = writer(pipe)
    fcntl.flock(other, fcntl.LOCK_EX)
    finger = threading.Thread(target=tap, args=(pipe, "4711"))
    finger.start()
    assert reader.poll(0.1) == []
    fcntl.flock(other, fcntl.LOCK_UN)
    assert told(reader.poll(2)) == ["4711"]
    finger.join()
    os.close(other)


def test_the_same_card_at_once_again_is_one_tap(pipe: Path) -> None:
    reader = open_reader(options(pipe, debounce_ms=1000))
    for badge in ("4711", "4711", "4712", "4711"):
        tap(pipe, badge)
    found = drain(reader)
    reader.close()
    assert found == ["4711", "4712"]


def test_poll_waits_no_longer_than_asked(reader: BadgeReader) -> None:
    start = time.monotonic()
    assert reader.poll(0.15) == []
    assert 0.14 <= time.monotonic() - start < 1
    processor = time.process_time()
    reader.poll(0.3)
    assert time.process_time() - processor < 0.15


@pytest.mark.parametrize("cut", [1, 8, 23, 24, 25, 100])
def test_records_may_come_in_pieces(pipe: Path, cut: int) -> None:
    reader = open_reader(options(pipe, gap_ms=3000))
    data = press_keys("12345678")
    hand = writer(pipe)
    os.write(hand, data[:cut])
    assert reader.poll(0.01) == []
    os.write(hand, data[cut:])
    assert told(reader.poll(1)) == ["12345678"]
    os.close(hand)
    reader.close()


def test_a_writer_that_dies_in_mid_record_costs_its_own_tap_only(reader: BadgeReader, pipe: Path) -> None:
    hand = writer(pipe)
    os.write(hand, press_keys("12345678")[:250])
    assert reader.poll(0.01) == []
    os.close(hand)
    assert drain(reader) == ["badge_frame_cut"]
    tap(pipe, "4711")
    assert drain(reader) == ["4711"]
    assert reader.state().present


def test_a_writer_that_stops_in_mid_frame_is_reported_while_it_stays(reader: BadgeReader, pipe: Path) -> None:
    hand = writer(pipe)
    data = press_keys("12345678")
    os.write(hand, data[:250])  # half a record too
    assert told(reader.poll(3)) == ["badge_frame_broken"]
    os.write(hand, data[250:])
    late = drain(reader)
    assert "12345678" not in late and all(str(one).startswith("badge_") for one in late)
    os.write(hand, press_keys("4711", clock.mono_ms() + 10 * GAP_MS))
    assert drain(reader) == ["4711"]
    os.close(hand)


def test_garbage_is_one_reason_and_what_follows_a_pause_is_read(reader: BadgeReader, pipe: Path) -> None:
    hand = writer(pipe)
    noise = random.Random(7).randbytes(5000)
    os.write(hand, noise + press_keys("12345678"))
    assert drain(reader) == ["badge_frame_broken"]
    os.write(hand, press_keys("4711", clock.mono_ms() + 10 * GAP_MS))
    assert drain(reader) == ["4711"]
    os.close(hand)


def test_garbage_in_mid_frame_makes_no_badge(reader: BadgeReader, pipe: Path) -> None:
    data = press_keys("12345678")
    enter = len(data) - 4 * RECORD.size
    for place in [*range(0, enter, 67), enter, enter + 23]:
        hand = writer(pipe)
        os.write(hand, data[:place] + b"\xff" * 31 + data[place:])
        os.close(hand)
        assert drain(reader, 0.08) == ["badge_frame_broken"]
    hand = writer(pipe)
    os.write(hand, data[: enter + 24] + b"\xff" * 31 + data[enter + 24 :])
    os.close(hand)
    assert drain(reader) == ["12345678", "badge_frame_broken"]


def test_events_that_the_kernel_dropped_break_the_frame(reader: BadgeReader, pipe: Path) -> None:
    events = key_events("12345678", clock.mono_ms())
    dropped = RECORD.pack(0, 0, EV_SYN, SYN_DROPPED, 0)
    hand = writer(pipe)
    os.write(hand, encode(events[:6]) + dropped + encode(events[10:]))
    assert drain(reader) == ["badge_frame_broken"]
    os.close(hand)


def test_scan_codes_and_leds_are_passed_over() -> None:
    stream = RecordStream()
    data = b"".join(
        RECORD.pack(1, 2000, EV_MSC, 4, 0x7001E + place) + encode([event])
        for place, event in enumerate(key_events("12", 1002))
    )
    assert stream.feed(data) == key_events("12", 1002)
    assert not stream.unsettled


def test_every_impossible_record_is_refused() -> None:
    good = (5, 0, EV_KEY, 2, 1)
    for field, value in [(0, -1), (0, 1 << 40), (1, -1), (1, 1_000_000), (2, 2), (2, 3), (3, 0x300), (4, 3), (4, -1)]:
        bad = tuple(value if place == field else one for place, one in enumerate(good))
        stream = RecordStream()
        assert [type(one).__name__ for one in stream.feed(RECORD.pack(*bad) + RECORD.pack(*good))] == ["Mark"], bad
        assert stream.feed(RECORD.pack(*good)) == []
        assert stream.quiet() == []
        assert len(stream.feed(RECORD.pack(*good))) == 1


@fuzzed
@given(st.binary(max_size=300), st.lists(st.integers(1, 60), max_size=6))
def test_any_bytes_on_the_pipe_are_key_events_or_a_loss(data: bytes, sizes: list[int]) -> None:
    for one in parts(RecordStream(), data, sizes):
        assert one is Mark.LOST or (isinstance(one, KeyEvent) and one.value in (UP, DOWN, REPEAT))


FIRST, SECOND = "A1234567", "B7654321"


@fuzzed
@given(st.integers(0, len(press_keys(FIRST, 0))), st.binary(max_size=120), st.lists(st.integers(1, 60), max_size=6))
def test_a_torn_tap_with_rubbish_behind_it_is_nobody_else(cut: int, rubbish: bytes, sizes: list[int]) -> None:
    stream, wedge = RecordStream(), WedgeDecoder(4, 32, "none", GAP_MS)
    found: list[Badge | BadgeError] = []
    for now, data in ((1000, press_keys(FIRST, 1000)[:cut] + rubbish), (5000, press_keys(SECOND, 5000))):
        for event in [*parts(stream, data, sizes), *stream.quiet()]:
            if isinstance(event, KeyEvent):
                found += wedge.feed([event])
            else:
                wedge.lost(now)
        found += wedge.idle(now + 2000)
    assert {one.text for one in found if isinstance(one, Badge)} <= {FIRST, SECOND}
    assert {one.reason for one in found if isinstance(one, BadgeError)} <= set(REASONS)


def parts(stream: RecordStream, data: bytes, sizes: list[int]) -> list[KeyEvent | Mark]:
    """What a stream makes of bytes that come in pieces."""
    found: list[KeyEvent | Mark] = []
    for size in [*sizes, len(data)]:
        found += stream.feed(data[:size])
        data = data[size:]
    return found


def test_a_pipe_that_was_removed_is_made_again(reader: BadgeReader, pipe: Path) -> None:
    pipe.unlink()
    assert drain(reader) == []
    assert reader.state().present
    tap(pipe, "4711")
    assert drain(reader) == ["4711"]


def test_a_place_without_a_pipe_is_a_state_until_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "badge"
    path.write_text("no pipe")
    reader = open_reader(options(path))
    assert reader.state() == ReaderState(False, "reader_missing")
    start = time.monotonic()
    assert reader.poll(0.05) == []
    assert time.monotonic() - start >= 0.045
    assert path.read_text() == "no pipe"
    path.unlink()
    assert reader.poll(0.7) == []
    assert reader.state() == ReaderState(True)
    path.unlink()
    path.mkdir()
    reader.poll(0.01)
    assert reader.state() == ReaderState(False, "reader_lost")
    reader.close()


def test_close_twice_and_poll_after_it(pipe: Path) -> None:
    reader = open_reader(options(pipe))
    reader.close()
    reader.close()
    start = time.monotonic()
    assert reader.poll(0.05) == []
    assert time.monotonic() - start >= 0.045
    assert not reader.state().present


def test_nobody_reads(tmp_path: Path, pipe: Path) -> None:
    with pytest.raises(Unavailable, match=r"check-in service") as caught:
        tap(pipe, "4711")
    assert caught.value.code == "reader_nobody"
    reader = open_reader(options(pipe))
    reader.close()
    with pytest.raises(Unavailable, match=r"check-in service"):
        tap(pipe, "4711")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(Unavailable):
        tap(tmp_path / "file", "4711")
    assert (tmp_path / "file").read_bytes() == b""


def test_a_reader_that_is_stuck_does_not_hang_the_writer(reader: BadgeReader, pipe: Path) -> None:
    hand = writer(pipe)
    with pytest.raises(BlockingIOError):
        while True:
            os.write(hand, bytes(4096))
    with pytest.raises(Unavailable) as caught:
        tap(pipe, "4711")
    assert caught.value.code == "reader_stalled"
    os.close(hand)


@pytest.mark.parametrize("text", ["", "ab12", "12 34", "12-3", "张三"])
def test_what_no_reader_types_is_bad_input(reader: BadgeReader, pipe: Path, text: str) -> None:
    with pytest.raises(BadInput) as caught:
        tap(pipe, text)
    assert caught.value.code == "badge_text"
    assert reader.poll(0) == []


def test_wrong_options_are_errors_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=r"needs a device"):
        Options(backend="events")
    with pytest.raises(ValidationError, match=r"needs a device"):
        Options(backend="evdev")
    with pytest.raises(ValidationError, match=r"min_length"):
        options(tmp_path / "badge", min_length=9, max_length=8)
    assert not (tmp_path / "badge").exists()


def test_no_reader_is_a_state_too() -> None:
    reader = open_reader(Options(backend="none"))
    assert isinstance(reader, NoReader)
    assert reader.poll(0.01) == []
    reader.close()
    state = reader.state()
    assert not state.present and state.reason in REASONS
