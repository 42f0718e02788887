"""Several readers at once, on real pipes: what one does never holds up another."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge import clock
from edge.config import Badge as Options
from edge.domain.reasons import REASONS
from edge.exam.board import services
from edge.hardware.badge import NoReader, ReaderState, Tap, merged, open_readers
from edge.hardware.badge.merged import MergedReader
from edge.hardware.badge.simulator import tap


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Path]:
    return {"left": tmp_path / "left", "right": tmp_path / "right"}


@pytest.fixture
def reader(places: dict[str, Path]) -> Iterator[MergedReader]:
    found = open_readers({name: Options(backend="events", device=str(path)) for name, path in places.items()})
    assert wait_for(lambda: all(one.present for one in found.states().values()))
    yield found
    found.close()
    found.close()


def wait_for(condition: Callable[[], bool], timeout_s: float = 5.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.005)
    return False


def badges(reader: MergedReader, count: int = 1) -> list[str | None]:
    found: list[Tap] = []
    deadline = time.monotonic() + 5
    while len(found) < count and time.monotonic() < deadline:
        found += reader.poll(0.2)
    return [one.badge for one in found]


def test_two_readers_at_once(reader: MergedReader, places: dict[str, Path]) -> None:
    tap(places["left"], "AB123")
    tap(places["right"], "4711")
    assert sorted(map(str, badges(reader, 2))) == ["4711", "AB123"]
    assert reader.state() == ReaderState(True)


def test_a_card_that_two_readers_see_is_one_tap(reader: MergedReader, places: dict[str, Path]) -> None:
    tap(places["left"], "4711")
    assert badges(reader) == ["4711"]
    tap(places["right"], "4711")
    tap(places["right"], "4712")
    assert badges(reader) == ["4712"]


def test_one_vanishes_and_returns_while_the_other_reads(reader: MergedReader, places: dict[str, Path]) -> None:
    away = places["left"].with_name("away")
    places["left"].rename(away)
    places["left"].touch()  # something stands there that is no reader
    assert wait_for(lambda: reader.states()["left"] == ReaderState(False, "reader_lost"))
    assert reader.state() == ReaderState(True, "reader_lost")
    tap(places["right"], "4711")
    assert badges(reader) == ["4711"]
    places["left"].unlink()
    assert wait_for(lambda: reader.states()["left"].present)
    tap(places["left"], "4712")
    assert badges(reader) == ["4712"]


class Broken:
    def poll(self, timeout_s: float) -> list[Tap]:
        raise RuntimeError("card 110101199001011237")

    def state(self) -> ReaderState:
        return ReaderState(True)

    def close(self) -> None:
        raise RuntimeError


class Good:
    def poll(self, timeout_s: float) -> list[Tap]:
        time.sleep(min(timeout_s, 0.01))
        return [Tap("4711", None, clock.mono_ms())]

    def state(self) -> ReaderState:
        return ReaderState(True)

    def close(self) -> None:
        return


def test_a_driver_that_throws_is_a_state_and_is_opened_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(merged, "_RETRY_S", 0.05)
    ways = iter([Broken, Good])
    reader = MergedReader({"odd": lambda: next(ways)()}, 0)
    assert wait_for(lambda: reader.states()["odd"].reason == "reader_fault")
    assert wait_for(lambda: reader.states()["odd"].present)
    assert badges(reader)[0] == "4711"
    reader.close()
    assert "110101199001011237" not in caplog.text


def test_a_reader_that_hangs_is_told_holds_up_nobody_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merged, "_HANGS_S", 0.3)
    monkeypatch.setattr(merged, "_CLOSE_S", 0.1)
    stuck, inside = threading.Event(), threading.Event()

    class Stuck(Good):
        def poll(self, timeout_s: float) -> list[Tap]:
            if stuck.is_set():
                inside.set()
                while stuck.is_set():
                    time.sleep(0.005)
            return super().poll(timeout_s)

    reader = MergedReader({"stuck": Stuck, "good": Good, "slow": Stuck}, 0, {"slow": 60.0})
    assert wait_for(lambda: reader.state() == ReaderState(True))
    stuck.set()
    assert inside.wait(5)
    assert wait_for(lambda: reader.states()["stuck"] == ReaderState(False, "reader_hangs"))
    assert reader.states()["good"].present and reader.state() == ReaderState(True, "reader_hangs")
    assert reader.states()["slow"].present, "known to take its time"
    assert badges(reader)[0] == "4711"
    stuck.clear()
    assert wait_for(lambda: reader.state() == ReaderState(True))
    stuck.set()
    inside.clear()
    assert inside.wait(5)
    began = time.monotonic()
    reader.close()
    assert time.monotonic() - began < 2
    stuck.clear()


def test_of_several_absent_the_one_to_see_to_is_named() -> None:
    class Absent(NoReader):
        def state(self) -> ReaderState:
            return ReaderState(False, "reader_lost")

    reader = MergedReader({"none": NoReader, "card": Absent}, 0)
    try:
        assert wait_for(lambda: reader.states()["card"].reason == "reader_lost")
        assert reader.state() == ReaderState(False, "reader_lost")
        assert [one.fault for one in reader.states().values()] == [None, "reader_lost"]
        assert (ReaderState(True).fault, ReaderState(False).fault) == (None, "reader_missing")
    finally:
        reader.close()


def test_without_readers_it_says_so() -> None:
    reader = open_readers({})
    assert reader.poll(0.01) == []
    assert (reader.state(), reader.states()) == (ReaderState(False, "reader_off"), {})
    reader.close()


def test_each_reader_has_its_word_on_the_board(reader: MergedReader) -> None:
    readers = {"left": {"present": True, "reason": None}, "id": {"present": False, "reason": "reader_lost"}}
    shown = services({"checkin": {"state": "ready", "mono_ms": clock.mono_ms(), "readers": readers}})
    assert shown["reader-left"] | {"age_ms": 0} == {"state": "running", "reason": None, "sentence": None, "age_ms": 0}
    assert shown["reader-id"]["sentence"] == {"zh": REASONS["reader_lost"].zh, "en": REASONS["reader_lost"].en}
    assert set(services({"checkin": {"readers": "none"}})) == {"checkin"}
