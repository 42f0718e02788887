"""What the answers of a card come to, without a reader: every kind of card, and answers of any kind."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.domain.ndef import badge_in, message_in
from edge.domain.reasons import REASONS
from edge.errors import BadInput
from edge.hardware.badge.cards import Wanted, read_badge
from support.examples import fuzzed
from support.vcard import OK, Card, record, text, type2, type4

UID = "04A1B2C3D4E5F6"
LONG = b"https://cards.example/" + b"x" * 300 + b"/AB77"
LONG_RECORD = b"\xc1\x01" + (len(LONG) + 1).to_bytes(4, "big") + b"U\0" + LONG


def read(card: Card, **wanted: object) -> tuple[str, str]:
    try:
        return read_badge(card.answer, Wanted(**wanted))  # type: ignore[arg-type]
    except BadInput as error:
        return error.code, ""


@pytest.mark.parametrize(
    ("card", "wanted"),
    [
        (Card(), (UID, "uid")),
        (type4(text("A1234")), ("A1234", "data")),
        (type4(text(" a1234 ")), ("A1234", "data")),
        (type4(record(b"T", b"\x82zh" + "A1234".encode("utf-16"))), ("A1234", "data")),
        (type4(record(b"T", b"\x82zh" + "A1234".encode("utf-16-be"))), ("A1234", "data")),
        (type4(record(b"U", b"\x04cards.example/b/AB77")), ("AB77", "data")),
        (type4(record(b"U", b"\x13badge:AB77")), ("AB77", "data")),
        (type4(LONG_RECORD), ("AB77", "data")),
        (type4(record(b"Sp", b"poster", 0x80) + text("A1234", 0x40)), ("A1234", "data")),
        (type4(record(b"x/y", b"\0\1", 0x80, tnf=2) + text("A1234", 0x40)), ("A1234", "data")),
        (type4(text("A1234", 0x80) + text("A1234", 0x40)), ("A1234", "data")),
        (type2(text("A1234")), ("A1234", "data")),
        (type2(text("A1234"), before=b""), ("A1234", "data")),
        (type2(LONG_RECORD, size=512), ("AB77", "data")),
        (type2(b""), (UID, "uid")),
        (type4(b""), (UID, "uid")),
        (type4(text("李小明")), (UID, "uid")),
        (type4(text("A1234", 0x80) + text("B5678", 0x40)), ("badge_data_several", "")),
        (type4(text("A1234")[:-1]), ("badge_data_broken", "")),
        (type4(text("A1234", 0x40)), ("badge_data_broken", "")),
        (type4(text("A1234", 0xE0)), ("badge_data_broken", "")),
        (type2(text("A1234"), size=8), ("badge_data_broken", "")),
        (type4(text("A12")), ("badge_frame_short", "")),
        (type4(text("A" * 33)), ("badge_frame_long", "")),
        (Card(bytes.fromhex("08A1B2C3")), ("badge_random_uid", "")),
        (Card(bytes.fromhex("A1B2C3")), ("badge_frame_broken", "")),
        (Card(None), ("badge_no_uid", "")),
    ],
)
def test_what_each_card_is(card: Card, wanted: tuple[str, str]) -> None:
    assert read(card) == wanted
    assert wanted[1] or wanted[0] in REASONS


def test_only_what_the_site_wrote_counts_where_it_says_so() -> None:
    wanted = {"content": "data", "prefix": "https://cards.example/", "checksum": "luhn"}
    good = record(b"U", b"\x04cards.example/79927398713")
    assert read(type4(good), **wanted) == ("79927398713", "data")
    assert read(type4(good.replace(b"98713", b"98714")), **wanted)[0] == "badge_checksum"
    assert read(type4(good.replace(b"cards", b"other")), **wanted)[0] == "badge_data_none"
    assert read(Card(), **wanted)[0] == "badge_data_none"
    assert read(type4(good), content="uid") == (UID, "uid")


def test_another_card_in_mid_reading_is_nobody() -> None:
    class Changing(Card):
        def answer(self, command: bytes) -> bytes:
            answer = super().answer(command)
            if command[:2] == b"\x00\xb0":
                self.uid = b"\x04other.."[:7]
            return answer

    whole = type4(text("A1234"))
    assert read(Changing(whole.uid, whole.files))[0] == "badge_frame_cut"


def test_answers_in_pieces_are_put_together() -> None:
    whole = type4(text("A1234"))
    rest = b""

    def answer(command: bytes) -> bytes:
        nonlocal rest
        if command[:2] == b"\x00\xc0":
            return rest + OK
        said = whole.answer(command)
        if command[:2] == b"\x00\xb0" and len(said) > 4:
            rest = said[4:-2]
            return said[:4] + bytes([0x61, len(rest)])
        return said

    assert read_badge(answer, Wanted()) == ("A1234", "data")
    exact = lambda command: bytes([0x6C, 7]) if command == bytes.fromhex("FFCA000000") else Card().answer(command)  # noqa: E731
    assert read_badge(exact, Wanted()) == (UID, "uid")


@fuzzed
@given(st.binary(max_size=150), st.integers(1, 24), st.booleans())
def test_answers_of_any_kind_are_a_badge_or_a_reason(said: bytes, size: int, fine: bool) -> None:
    left = iter([said[at : at + size] + (OK if fine else b"") for at in range(0, len(said), size)])
    try:
        badge, strength = read_badge(lambda _command: next(left, OK), Wanted())
    except BadInput as error:
        assert error.code in REASONS
    else:
        assert badge.isascii() and badge.isalnum() and 4 <= len(badge) <= 32 and strength in ("uid", "data")


@fuzzed
@given(st.binary(max_size=64), st.integers(0, 80), st.text(max_size=3))
def test_memory_of_any_kind_is_a_message_or_a_reason(memory: bytes, size: int, prefix: str) -> None:
    try:
        message, _ = message_in(memory, size)
        if message is not None:
            badge_in(message, prefix)
    except BadInput as error:
        assert error.code in REASONS


NUMBER = "79927398713"


@fuzzed
@given(st.sampled_from([type2, type4]), st.data())
def test_a_byte_misread_never_names_another(make: object, data: st.DataObject) -> None:
    """With the site's check digit; a changed byte of the words themselves is what it is for."""
    card = make(text(NUMBER))  # type: ignore[operator]
    reads = 0
    at = data.draw(st.integers(0, 8))
    change = data.draw(st.tuples(st.integers(0, 60), st.integers(1, 255)))

    def answer(command: bytes) -> bytes:
        nonlocal reads
        said = card.answer(command)
        if len(said) > 2 and command[:2] != b"\xff\xca":
            reads += 1
            if reads == at + 1:
                place = change[0] % (len(said) - 2)
                said = said[:place] + bytes([said[place] ^ change[1]]) + said[place + 1 :]
        return said

    try:
        found, strength = read_badge(answer, Wanted(content="data", checksum="luhn"))
    except BadInput as error:
        assert error.code in REASONS
    else:
        assert (found, strength) == (NUMBER, "data")


@settings(max_examples=30)
@given(st.integers(0, 40))
def test_half_a_message_is_no_badge(cut: int) -> None:
    whole = record(b"T", b"\x02zhA123456789", 0x80) + record(b"U", b"\x04cards.example/A123456789", 0x40)
    with pytest.raises(BadInput) as error:
        badge_in(whole[: min(cut, len(whole) - 2) + 1])
    assert error.value.code == "badge_data_broken"
