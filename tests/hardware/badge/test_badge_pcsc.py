"""PC/SC: real pcscd and vpcd, real pyscard, and a card in software at the far end of vpcd's line."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest

from edge.config import Badge as Options
from edge.domain.reasons import REASONS
from edge.hardware.badge import ReaderState, Tap, open_reader
from edge.hardware.badge.pcsc import PcscReader
from support.vcard import Card, Held, Pcscd, debian_pyscard, pcscd, record, text, type2, type4, wait_for


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pcscd]:
    with pcscd(tmp_path_factory.mktemp("pcscd")) as running:
        yield running


@pytest.fixture
def pyscard(monkeypatch: pytest.MonkeyPatch) -> None:
    debian_pyscard(monkeypatch)


def reader_of(**options: object) -> PcscReader:
    found = open_reader(Options.model_validate({"backend": "pcsc", "debounce_ms": 0} | options))
    assert isinstance(found, PcscReader)
    return found


def first(reader: PcscReader, timeout_s: float = 10.0) -> Tap:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if taps := reader.poll(0.3):
            assert len(taps) == 1
            return taps[0]
    raise AssertionError(f"no tap; the reader says {reader.state()}")


def told(reader: PcscReader, card: Card, port: int) -> tuple[str | None, str]:
    """What a card held to the reader once gives: its badge or the reason, and the strength."""
    held = Held(card, port)
    tap = first(reader)
    assert reader.poll(0.25) == [], "the same card is still held: one tap"
    held.take_away()
    wait_for(lambda: reader.poll(0.1) == [] and not any(reader._held.values()), "the card is away")
    return tap.badge or tap.reason, tap.strength


def test_what_each_card_is(service: Pcscd, pyscard: None) -> None:
    reader = reader_of()
    assert reader.poll(0) == []
    assert reader.state() == ReaderState(True)
    cards = [
        (Card(), ("04A1B2C3D4E5F6", "uid")),
        (type4(text("A1234")), ("A1234", "data")),
        (type2(record(b"U", b"\x04cards.example/b?id=AB77")), ("AB77", "data")),
        (type4(text("A1234")[:-1]), ("badge_data_broken", "uid")),
    ]
    assert [told(reader, card, service.port) for card, _ in cards] == [wanted for _, wanted in cards]
    reader.close()
    reader.close()


def test_two_slots_and_a_reader_by_name(service: Pcscd, pyscard: None) -> None:
    both, second = reader_of(), reader_of(device="00 01")
    one, other = Held(type4(text("A1111")), service.port), Held(type4(text("B2222")), service.port + 1)
    found: set[str | None] = set()
    wait_for(lambda: found.update(tap.badge for tap in both.poll(0.1)) or found == {"A1111", "B2222"}, "both cards")
    assert first(second).badge == "B2222"
    for held in (one, other):
        held.take_away()
    wait_for(lambda: both.poll(0.1) == [] and not any(both._held.values()), "both are away")
    none = reader_of(device="another make")
    assert none.poll(0) == [] and none.state() == ReaderState(False, "reader_missing")
    for reader in (both, second, none):
        reader.close()


class TornAway(Card):
    """Taken away in the middle of being read."""

    def answer(self, command: bytes) -> bytes:
        if command[:2] == b"\x00\xb0":
            raise ConnectionAbortedError
        return super().answer(command)


def test_a_card_torn_away_is_a_reason(service: Pcscd, pyscard: None) -> None:
    reader = reader_of()
    whole = type4(text("A1234"))
    torn = TornAway(whole.uid, whole.files)
    held = Held(torn, service.port)
    assert first(reader).reason == "badge_frame_cut"
    held.take_away()
    wait_for(lambda: reader.poll(0.1) == [] and not any(reader._held.values()), "the card is away")
    assert told(reader, whole, service.port) == ("A1234", "data")
    reader.close()


def test_a_service_that_ends_and_returns(service: Pcscd, pyscard: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.hardware.badge.pcsc._RETRY_MS", 50)
    reader = reader_of()
    reader.poll(0)
    assert reader.state() == ReaderState(True)
    service.stop()
    wait_for(lambda: reader.poll(0.05) == [] and reader.state() == ReaderState(False, "pcsc_service"), "it is noticed")
    service.start()
    wait_for(lambda: reader.poll(0.05) == [] and reader.state().present, "it is back")
    assert told(reader, type4(text("A1234")), service.port) == ("A1234", "data")
    reader.close()


def test_without_pyscard_it_is_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smartcard", None)
    monkeypatch.setitem(sys.modules, "smartcard.scard", None)
    reader = reader_of()
    assert reader.poll(0.01) == []
    assert reader.state() == ReaderState(False, "pcsc_driver")
    reader.close()
    assert {"pcsc_driver", "pcsc_service", "pcsc_denied", "badge_mute"} <= set(REASONS)
