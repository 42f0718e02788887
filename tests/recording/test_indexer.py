"""The clerk writes when the store lets it, salvages first, and never holds up the recorder."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from sqlite3 import Connection, OperationalError

import pytest

from edge import clock
from edge.clock import Instant, TimeQuality
from edge.domain.footage import Cause
from edge.recording import retention, salvage
from edge.recording.indexer import Abandoned, Closed, Indexer, Note
from edge.recording.retention import Rules
from edge.recording.writer import Place, SegmentWriter
from edge.store import ledger, segments, sessions
from edge.store.db import connect, open_room, transaction
from edge.store.segments import Segment
from support.cameras import make_packets

OTHER = "fedcba9876543210" * 2


def until(done: Callable[[], bool], seconds: float = 8) -> None:
    limit = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < limit, "not in time"
        time.sleep(0.02)


def recorded(place: Place, *, whole: bool = True) -> Segment | None:
    video, packets = make_packets(2.5)
    at = Instant(1_780_000_000_000 + place.sequence * 10_000, 5_000, place.boot_id, TimeQuality.RTC)
    writer = SegmentWriter(place, video, at, 1)
    for packet in packets:
        writer.write(packet)
    if whole:
        done = writer.close(Cause.ROTATED)
    else:
        writer.abandon()
        done = None
    video.owner.close()
    return done


def test_salvage_first_then_what_comes(tmp_path: Path) -> None:
    boot = clock.boot_id()
    recorded(Place(tmp_path, "door", OTHER, 4), whole=False)
    recorded(Place(tmp_path, "door", boot, 1), whole=False)
    own = recorded(Place(tmp_path, "door", boot, 2))
    recorded(Place(tmp_path, "door", boot, 3), whole=False)
    assert own is not None
    indexer = Indexer(tmp_path / "room.db", tmp_path, "door", 2)
    indexer.put(Closed(own))
    indexer.put(Abandoned(Place(tmp_path, "door", boot, 3), Cause.DISK_ERROR))
    indexer.put(Note("clock", {"camera": "door", "step_ms": 700}))
    indexer.start()
    until(lambda: indexer.waiting == 0)
    assert indexer.close(8)
    assert (indexer.salvaged, indexer.waiting, indexer.trouble) == (2, 0, None)
    db = open_room(tmp_path / "room.db")
    try:
        found = [(e.kind, e.body.get("cause"), e.body.get("salvaged")) for e in ledger.entries(db)]
        assert sorted(found[:2]) == [("segment", "killed", True), ("segment", "power", True)]
        assert found[2:] == [
            ("segment", "rotated", False), ("segment", "disk-error", True), ("clock", None, None),
        ]  # fmt: skip
        ledger.check(db)
    finally:
        db.close()


def test_a_locked_store_is_waited_for(tmp_path: Path) -> None:
    own = recorded(Place(tmp_path, "door", clock.boot_id(), 1))
    assert own is not None
    open_room(tmp_path / "room.db").close()
    other = connect(tmp_path / "room.db")
    indexer = Indexer(tmp_path / "room.db", tmp_path, "door", 1)
    try:
        with transaction(other):
            indexer.start()
            began = time.monotonic()
            indexer.put(Closed(own))
            assert time.monotonic() - began < 0.1
            until(lambda: indexer.trouble == "store_busy")
            assert indexer.waiting == 1
        until(lambda: indexer.waiting == 0)
        assert segments.get(other, own.id).ledger_seq == 0
    finally:
        indexer.close(3)
        other.close()


def test_closing_gives_up_in_time(tmp_path: Path) -> None:
    own = recorded(Place(tmp_path, "door", clock.boot_id(), 1))
    assert own is not None
    open_room(tmp_path / "room.db").close()
    other = connect(tmp_path / "room.db")
    indexer = Indexer(tmp_path / "room.db", tmp_path, "door", 1)
    try:
        with transaction(other):
            indexer.start()
            indexer.put(Closed(own))
            began = time.monotonic()
            assert not indexer.close(1.0)
            assert time.monotonic() - began < 3
        until(lambda: not indexer._thread.is_alive())
        assert segments.known(other, "door") == set()
    finally:
        other.close()


def test_one_whose_disk_cannot_be_written_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path, "door", clock.boot_id(), 1)
    recorded(place, whole=False)
    real = salvage.salvage

    def read_only(*_: object) -> Segment:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(salvage, "salvage", read_only)
    indexer = Indexer(tmp_path / "room.db", tmp_path, "door", 1)
    indexer.start()
    indexer.put(Abandoned(place, Cause.DISK_ERROR, dropped=3))
    until(lambda: bool(indexer._held))
    assert indexer.waiting == 1
    monkeypatch.setattr(salvage, "salvage", real)
    assert indexer.close(8)
    db = open_room(tmp_path / "room.db")
    try:
        (segment,) = segments.between(db, "door", 0, 1 << 52)
        assert (segment.cause, segment.salvaged, segment.frames, segment.dropped) == ("disk-error", True, 20, 3)
    finally:
        db.close()


def test_what_an_earlier_process_left_is_tried_again_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for boot in (OTHER, clock.boot_id()):
        recorded(Place(tmp_path, "door", boot, 1), whole=False)
    real = salvage.salvage

    tried = list[int]()

    def unreadable(*_: object) -> Segment:
        tried.append(1)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(salvage, "salvage", unreadable)
    indexer = Indexer(tmp_path / "room.db", tmp_path, "door", 2)
    indexer.start()
    until(lambda: indexer.waiting == 2)
    assert indexer.salvaged == 0
    with open_room(tmp_path / "room.db") as db:
        for _ in range(9):
            indexer._again(db)
    db.close()
    assert len(tried) == 4, "less and less often"
    monkeypatch.setattr(salvage, "salvage", real)
    assert indexer.close(8)
    db = open_room(tmp_path / "room.db")
    try:
        assert {s.cause for s in segments.between(db, "door", 0, 1 << 52)} == {"power", "killed"}
        assert (indexer.salvaged, indexer.waiting) == (2, 0)
    finally:
        db.close()


def test_one_that_cannot_be_indexed_does_not_hold_up_the_rest(tmp_path: Path) -> None:
    boot = clock.boot_id()
    own = recorded(Place(tmp_path, "door", boot, 2))
    assert own is not None
    indexer = Indexer(tmp_path / "room.db", tmp_path, "door", 1)
    indexer.start()
    indexer.put(Abandoned(Place(tmp_path, "door", boot, 1), Cause.DISK_ERROR))  # no such file
    indexer.put(Closed(own))
    assert indexer.close(8)
    db = open_room(tmp_path / "room.db")
    try:
        assert segments.known(db, "door") == {(boot, 2)}
    finally:
        db.close()


@pytest.fixture
def wanting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Indexer, Connection, list[bool | None]]]:
    """A clerk whose thread does not run, and what its store says of sound (None: it cannot be read)."""
    says = list[bool | None]([True])

    def asked(_: Connection) -> bool:
        if says[0] is None:
            raise OperationalError("disk I/O error")
        return says[0]

    monkeypatch.setattr(sessions, "sound_wanted", asked)
    with closing(open_room(tmp_path / "room.db")) as db:
        clerk = Indexer(tmp_path / "room.db", tmp_path, "door", 1, Rules(bitrates={"door": 1}))
        clerk._look(db)
        assert clerk.sound
        yield clerk, db, says


def test_sound_ends_while_the_clerk_deletes_and_while_it_mends(
    wanting: tuple[Indexer, Connection, list[bool | None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """500 deletions, and files that a bad disk gives up on after minutes each: the session closes meanwhile."""
    clerk, db, says = wanting
    seen = list[bool]()

    def sweep(*_: object, halt: Callable[[], bool], **__: object) -> list[str]:
        says[0] = False
        seen.extend((halt(), clerk.sound))
        return []

    monkeypatch.setattr(retention, "sweep", sweep)
    clerk._retain(db)
    assert seen == [False, False]
    says[0] = True
    clerk._look(db)
    heard = list[bool]()

    def unreadable(*_: object) -> Segment:
        heard.append(clerk.sound)
        says[0] = False
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(salvage, "salvage", unreadable)
    clerk._held = [Abandoned(Place(tmp_path, "door", OTHER, n), None) for n in (1, 2)]
    clerk._again(db)
    assert heard == [True, False]


def test_sound_ends_when_nobody_can_say_for_half_a_minute_whether_it_is_wanted(
    wanting: tuple[Indexer, Connection, list[bool | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    clerk, db, says = wanting
    now = clock.mono_ms()
    monkeypatch.setattr(clock, "mono_ms", lambda: now)
    clerk._look(db)
    says[0] = None
    for seconds, sound in ((29, True), (31, False), (3600, False)):
        monkeypatch.setattr(clock, "mono_ms", lambda at=now + seconds * 1000: at)
        clerk._look(db)
        assert (clerk.sound, clerk.sound_unsure) == (sound, not sound)
    says[0] = True
    clerk._look(db)
    assert (clerk.sound, clerk.sound_unsure) == (True, False)
    says[0] = False
    clerk._look(db)
    assert (clerk.sound, clerk.sound_unsure) == (False, False)


def test_what_a_camera_no_longer_configured_left_is_indexed_and_an_old_deletion_finished(tmp_path: Path) -> None:
    left, fresh, half = (Place(tmp_path, "yard", OTHER, n) for n in (1, 2, 3))
    for place in (left, fresh):
        recorded(place, whole=False)
    os.utime(left.path, (time.time() - 7200,) * 2)
    aside = half.path.with_name(half.path.name + ".expired")
    aside.write_bytes(b"x")
    indexer = Indexer(tmp_path / "room.db", tmp_path, "door", 1, Rules(bitrates={"door": 1}))
    indexer.start()
    until(lambda: half.path.exists())
    assert indexer.close(8)
    db = open_room(tmp_path / "room.db")
    try:
        assert segments.known(db, "yard") == {(OTHER, 1)}, "who wrote an hour ago may still write"
        assert not aside.exists(), "no ledger entry says that it was deleted: it is back"
    finally:
        db.close()
