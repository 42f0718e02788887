"""Only footage whose time is over goes, only while the clock is believed, and never without a ledger entry."""

from __future__ import annotations

import sqlite3

import pytest

from edge.clock import Instant, TimeQuality
from edge.domain.footage import Cause
from edge.recording import retention
from edge.recording.writer import Place, segment_of
from edge.store import ledger, segments
from support.rooms import DeskRoom

BOOT = "0123456789abcdef" * 2
DAY = 86_400_000
NOW = 1_780_000_000_000


def footage(desk: DeskRoom, sequence: int, start_ms: int) -> str:
    place = Place(desk.config.paths.recordings, "door", BOOT, sequence)
    place.path.parent.mkdir(parents=True, exist_ok=True)
    place.path.write_bytes(b"footage %d" % sequence)
    at = Instant(start_ms, 0, BOOT, TimeQuality.RTC)
    segment = segment_of(place, at, 4, "00" * 32, [], 9, Cause.ROTATED)
    return segments.index(desk.db, segment).id


def expire(desk: DeskRoom, quality: TimeQuality = TimeQuality.SYNCHRONISED, days: int = 90) -> list[str]:
    now = Instant(NOW, 0, BOOT, quality)
    return retention.expire(desk.db, desk.config.paths.recordings, "door", now, days)


def session_times(desk: DeskRoom, opened: int, closed: int | None, signed: int | None, purge: int) -> None:
    desk.db.execute(
        "UPDATE sessions SET opened_ms = ?, closed_ms = ?, signed_ms = ?, purge_ms = ? WHERE id = ?",
        (opened, closed, signed, purge, desk.session),
    )


def test_old_footage_goes_and_young_stays(desk: DeskRoom) -> None:
    old, young = footage(desk, 1, NOW - 91 * DAY), footage(desk, 2, NOW - 89 * DAY)
    assert expire(desk) == [old]
    folder = desk.config.paths.recordings / "door"
    assert [f.name for f in folder.iterdir()] == [f"{BOOT}-000002.mp4"]
    assert segments.known(desk.db, "door") == {(BOOT, 2)}
    last = ledger.entries(desk.db, kinds=("segment-deleted",))
    assert [e.body["segment"] for e in last] == [old]
    assert expire(desk) == []
    assert segments.get(desk.db, young).sequence == 2


@pytest.mark.parametrize("quality", [TimeQuality.UNKNOWN, TimeQuality.FLOOR])
def test_nothing_goes_by_a_clock_that_may_be_wrong(desk: DeskRoom, quality: TimeQuality) -> None:
    footage(desk, 1, NOW - 400 * DAY)
    assert expire(desk, quality) == []
    assert expire(desk, days=0) == []
    assert len(expire(desk, TimeQuality.RTC)) == 1


@pytest.mark.parametrize(
    ("closed", "signed", "purge", "stays"),
    [
        (NOW - 199 * DAY, None, NOW - DAY, True),  # never signed
        (None, None, NOW - DAY, True),  # never closed
        (NOW - 199 * DAY, NOW - 198 * DAY, NOW + DAY, True),  # its own date is still to come
        (NOW - 199 * DAY, NOW - 198 * DAY, NOW - DAY, False),
    ],
)
def test_footage_of_a_session(desk: DeskRoom, closed: int | None, signed: int | None, purge: int, stays: bool) -> None:
    session_times(desk, NOW - 200 * DAY, closed, signed, purge)
    footage(desk, 1, NOW - 201 * DAY)  # a day before the session
    within = footage(desk, 2, NOW - 200 * DAY + 3_600_000)
    just_before = footage(desk, 3, NOW - 200 * DAY - 60_000)
    gone = expire(desk)
    assert (within not in gone, just_before not in gone) == (stays, stays)
    assert len(gone) == (1 if stays else 3)


def test_what_was_interrupted_is_settled(desk: DeskRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    first = footage(desk, 1, NOW - 91 * DAY)
    folder = desk.config.paths.recordings / "door"
    real = segments.remove

    def cut_before(*_: object) -> None:
        raise sqlite3.OperationalError("power cut")

    monkeypatch.setattr(segments, "remove", cut_before)
    with pytest.raises(sqlite3.OperationalError):
        expire(desk)
    assert [f.name for f in folder.iterdir()] == [f"{BOOT}-000001.mp4.expired"]
    retention.settle(desk.db, desk.config.paths.recordings, "door")  # the row is there: it comes back
    assert [f.name for f in folder.iterdir()] == [f"{BOOT}-000001.mp4"]

    monkeypatch.setattr(segments, "remove", real)
    (folder / f"{BOOT}-000001.mp4").rename(folder / f"{BOOT}-000001.mp4.expired")
    segments.remove(desk.db, segments.get(desk.db, first), 90)
    retention.settle(desk.db, desk.config.paths.recordings, "door")  # the ledger says it is deleted
    assert list(folder.iterdir()) == []
