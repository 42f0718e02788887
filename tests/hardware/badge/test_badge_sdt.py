"""Resident ID card readers: the frames, and the backend on a pseudo-terminal with a reader that errs in each way."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.config import Badge as Options
from edge.domain.idcard import IdCard
from edge.domain.reasons import REASONS
from edge.domain.sdt import DONE, FIND, READ, SELECT, SdtDecoder, card_in, command, encode
from edge.errors import BadInput
from edge.hardware.badge import ReaderState, Tap, open_reader
from edge.hardware.badge.sdt import SdtReader
from support.examples import fuzzed
from support.id_reader import ADDRESS, NAME, IdReader, answer, block, id_reader, number

CARD = IdCard(NAME, number())


def test_the_published_frames() -> None:
    assert command(FIND).hex() == "aaaaaa96690003200122"
    assert command(SELECT).hex() == "aaaaaa96690003200221"
    assert command(READ).hex() == "aaaaaa96690003300132"
    found = SdtDecoder().feed(bytes.fromhex("AAAAAA9669000800009F0000000097"))
    assert [frame.status.hex() for frame in found] == ["00009f"]


def test_name_and_number_are_all_there_is() -> None:
    (frame,) = SdtDecoder().feed(answer(block()))
    card = card_in(frame.data)
    assert (card.name, card.number) == (NAME, number())
    assert vars(card) == {"name": NAME, "number": number()}
    for said in (repr(frame), repr(card), repr(Tap(None, None, 0, card=card))):
        assert not any(words in said for words in (NAME, number(), ADDRESS))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (block(kind="I"), "idcard_foreign"),
        (block(kind="Y"), "idcard_foreign"),
        (block(of=number("91115619810203001")), "idcard_foreign"),
        (block(of="911156198102030010", name=" ", birth="1981"), "idcard_foreign"),  # whatever else is laid out anew
        (block(of=number()[:-1] + "1"), "idcard_broken"),
        (block(birth="19491230"), "idcard_broken"),
        (block(sex="1"), "idcard_broken"),
        (block(of=number("11010519490231002")), "idcard_broken"),
        (block(name=" "), "idcard_broken"),
        (block(name="李\n明"), "idcard_broken"),
        (block()[:-2], "idcard_broken"),
        (b"\x00\xd8" * 15 + block()[30:], "idcard_broken"),
    ],
)
def test_a_block_that_does_not_hold_together_is_a_reason(text: bytes, reason: str) -> None:
    (frame,) = SdtDecoder().feed(answer(text))
    with pytest.raises(BadInput) as error:
        card_in(frame.data)
    assert error.value.code == reason and reason in REASONS


@pytest.mark.parametrize("kind", [" ", "\0"])
def test_a_citizens_card_is_of_no_kind(kind: str) -> None:
    (frame,) = SdtDecoder().feed(answer(block(kind=kind)))
    assert card_in(frame.data) == CARD


def test_a_residence_permit_is_read() -> None:
    (frame,) = SdtDecoder().feed(answer(block(of=number("81000019800101001"), kind="J")))
    assert card_in(frame.data).number.startswith("8100")


# --- any bytes at all


def cards(data: bytes, cuts: list[int] | None = None) -> list[IdCard]:
    """Whose cards the backend could take from these bytes, however they come in."""
    decoder, found, at = SdtDecoder(), [], 0
    for cut in [*sorted(cuts or []), len(data)]:
        for frame in decoder.feed(data[at:cut]):
            if frame.status == DONE:
                try:
                    found.append(card_in(frame.data))
                except BadInput as error:
                    assert error.code in REASONS
        at = max(at, cut)
    return found


WHOLE = answer(block())
SHORT = answer(block(), b"")


@fuzzed
@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=4))
@example(b"\xaa" * 40, [3])
def test_rubbish_is_nobody(data: bytes, cuts: list[int]) -> None:
    assert cards(data, cuts) == []


@fuzzed
@given(st.binary(max_size=40), st.lists(st.integers(0, 400), max_size=4))
def test_a_frame_behind_rubbish_is_found(rubbish: bytes, cuts: list[int]) -> None:
    """Unless the rubbish makes itself out to be a frame that ends later."""
    assert cards(rubbish + SHORT + bytes(4200), cuts) in ([CARD], []) and cards(SHORT, cuts) == [CARD]
    if b"\xaa" not in rubbish:
        assert cards(rubbish + SHORT, cuts) == [CARD]


@fuzzed
@given(st.lists(st.tuples(st.integers(0, len(SHORT) - 1), st.integers(1, 255)), min_size=1, max_size=6))
def test_an_altered_frame_is_nobody_else(changes: list[tuple[int, int]]) -> None:
    altered = bytearray(SHORT)
    for at, by in changes:
        altered[at] ^= by
    assert {card.number for card in cards(bytes(altered))} <= {CARD.number}


@fuzzed
@given(st.data())
def test_cut_doubled_and_interleaved_frames_are_nobody_else(data: st.DataObject) -> None:
    other = answer(block("王二", number("11010519491231004")), b"")
    both = {CARD.number, number("11010519491231004")}
    pieces = data.draw(
        st.lists(st.tuples(st.sampled_from([SHORT, other]), st.integers(0, 270), st.integers(0, 270)), max_size=5)
    )
    line = b"".join(frame[min(a, b) : max(a, b)] for frame, a, b in pieces)
    assert {card.number for card in cards(line)} <= both


@fuzzed
@given(st.binary(max_size=300))
def test_any_block_is_a_card_or_a_reason(data: bytes) -> None:
    cards(encode(DONE + data))
    cards(answer(data[:256].ljust(256, b" "), b""))


# --- the backend


@pytest.fixture
def link(tmp_path: Path) -> Path:
    return tmp_path / "usb-reader"


@pytest.fixture
def far_end(link: Path) -> Iterator[IdReader]:
    with id_reader(link) as reader:
        yield reader


def backend(link: Path, debounce_ms: int = 400) -> SdtReader:
    options = Options(backend="sdt", device=str(link), gap_ms=30, debounce_ms=debounce_ms)
    found = open_reader(options)
    assert isinstance(found, SdtReader)
    return found


def first(reader: SdtReader, timeout_s: float = 6.0) -> Tap:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if taps := reader.poll(0.1):
            return taps[0]
    raise AssertionError("no tap")


def test_a_card_on_the_reader_is_one_tap_until_it_was_away(
    link: Path, far_end: IdReader, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reader = backend(link)
    assert reader.poll(0) == [] and reader.state() == ReaderState(True)
    far_end.card = block()
    tap = first(reader)
    assert (tap.card, tap.badge, tap.reason, tap.strength) == (CARD, None, None, "signed")
    assert reader.poll(0.7) == []
    far_end.card = None
    assert reader.poll(0.5) == []
    far_end.card = block()
    assert first(reader).card == CARD
    assert not any(words in caplog.text for words in (NAME, number(), ADDRESS))
    reader.close()
    reader.close()


@pytest.mark.parametrize(
    ("fault", "wanted"),
    [
        ("slow", None),
        ("noise", None),
        ("truncated", "badge_frame_cut"),
        ("corrupted", "badge_frame_cut"),
        ("interleaved", "badge_frame_cut"),
        ("mixed", "badge_frame_cut"),
        ("two", "badge_frame_cut"),
        ("silent", "badge_frame_cut"),
    ],
)
def test_a_faulty_line_is_a_reason_and_the_next_reading_is_right(
    link: Path, far_end: IdReader, fault: str, wanted: str | None
) -> None:
    reader = backend(link, debounce_ms=0)
    far_end.fault, far_end.once, far_end.card = fault, True, block()
    tap = first(reader)
    assert (tap.reason, tap.card) == (wanted, None if wanted else CARD)
    assert first(reader).card == CARD
    reader.close()


def test_two_readings_that_differ_are_nobody(link: Path, far_end: IdReader) -> None:
    """The damage cancels itself in the frame's check: the number's own sees it, or the second reading."""
    reader = backend(link)
    far_end.fault, far_end.once, far_end.card = "swapped", True, block()
    tap = first(reader)
    assert tap.card is None and tap.reason in ("idcard_broken", "badge_frame_cut")
    reader.close()


def test_a_reader_that_gives_a_card_once_is_believed(link: Path, far_end: IdReader) -> None:
    reader = backend(link)
    far_end.gives_once, far_end.card = True, block()
    assert first(reader).card == CARD
    reader.close()


def test_unplugged_and_plugged_in_again(link: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.hardware.badge.sdt._RETRY_MS", 30)
    reader = backend(link)
    assert reader.state() == ReaderState(False, "reader_missing")
    with id_reader(link) as far_end:
        far_end.card = block()
        assert first(reader).card == CARD
    assert reader.poll(0.1) == []
    assert reader.state() == ReaderState(False, "reader_lost")
    with id_reader(link) as far_end:
        far_end.card = block(of=number("11010519491231004"))
        assert first(reader).card == IdCard(NAME, number("11010519491231004"))
        assert reader.state() == ReaderState(True)
    reader.close()


def test_a_reader_that_is_switched_off_says_so(link: Path, far_end: IdReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.hardware.badge.sdt._ANSWER_S", 0.02)
    monkeypatch.setattr(IdReader, "_answer", lambda *_: None)
    reader = backend(link)
    for _ in range(3):
        reader.poll(0)
    assert reader.state() == ReaderState(False, "reader_mute")
    reader.close()


def test_another_program_on_the_port_is_a_state(link: Path, far_end: IdReader) -> None:
    one, other = backend(link), backend(link)
    assert other.state() == ReaderState(False, "reader_busy")
    one.close()
    other.close()


def test_without_pyserial_it_is_a_state(monkeypatch: pytest.MonkeyPatch, link: Path) -> None:
    monkeypatch.setitem(sys.modules, "serial", None)
    reader = backend(link)
    assert reader.poll(0.01) == [] and reader.state() == ReaderState(False, "serial_driver")
    reader.close()
    assert {"serial_driver", "serial_denied", "reader_mute"} <= set(REASONS)
