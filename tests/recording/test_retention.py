"""Only footage that nothing keeps goes, only while the clock is believed, and never without a ledger entry."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from edge import clock
from edge.clock import Instant, TimeQuality
from edge.config import Config
from edge.domain.footage import Cause, Fragment
from edge.domain.keeping import MARGIN_MS, OPEN_END
from edge.errors import BadInput, Conflict, NotFound
from edge.recording import retention
from edge.recording.retention import Rules, rules_of, settle
from edge.recording.writer import Place, segment_of
from edge.store import holds, ledger, segments
from edge.store import purge as purging
from edge.store.db import transaction
from support.clocked import ClockedSession
from support.rooms import DeskRoom
from support.timed import HeldTime

BOOT = "0123456789abcdef" * 2
DAY = 86_400_000
NOW = clock.wall_ms()
PROCTOR = "P-1"


def footage(desk: DeskRoom, sequence: int, start_ms: int, camera: str = "door", size: int = 9) -> str:
    place = Place(desk.config.paths.recordings, camera, BOOT, sequence)
    place.path.parent.mkdir(parents=True, exist_ok=True)
    place.path.write_bytes(b"footage %d" % sequence)
    at = Instant(start_ms, 0, BOOT, TimeQuality.RTC)
    segment = segment_of(place, at, 4, "00" * 32, [], size, Cause.ROTATED)
    return segments.index(desk.db, segment).id


def sweep(desk: DeskRoom, rules: Rules | None = None, at: int = NOW, **more: Any) -> list[str]:
    now = Instant(at, 0, BOOT, more.pop("quality", TimeQuality.SYNCHRONISED))
    return retention.sweep(desk.db, desk.config.paths.recordings, rules or Rules(), now, **more)


def expire(desk: DeskRoom, quality: TimeQuality = TimeQuality.SYNCHRONISED, days: int = 90) -> list[str]:
    return sweep(desk, Rules(keep_days=days), quality=quality)


def session_times(
    desk: DeskRoom, opened: int, closed: int | None, signed: int | None, purge: int = NOW, **policy: object
) -> None:
    desk.db.execute(
        "UPDATE sessions SET opened_ms = ?, closed_ms = ?, signed_ms = ?, purge_ms = ?, state = ? WHERE id = ?",
        (opened, closed, signed, purge, "signed" if signed else "closed" if closed else "running", desk.session),
    )
    for key, value in policy.items():
        desk.db.execute(
            "UPDATE sessions SET policy = json_set(policy, ?, ?) WHERE id = ?", (f"$.{key}", value, desk.session)
        )


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


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


def test_a_file_the_disk_lets_nobody_delete_keeps_no_other(desk: DeskRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = footage(desk, 1, NOW - 99 * DAY)
    old = [footage(desk, n, NOW - 98 * DAY) for n in (2, 3)]
    real = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if path.name.endswith("-000001.mp4"):
            raise OSError(errno.EIO, "Input/output error")
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(OSError, match="Input/output"):
        expire(desk)
    assert segments.known(desk.db, "door") == {(BOOT, 1)}
    assert [e.body["segment"] for e in ledger.entries(desk.db, kinds=("segment-deleted",))] == old
    monkeypatch.undo()
    assert expire(desk) == [bad]


@pytest.mark.parametrize("quality", [TimeQuality.UNKNOWN, TimeQuality.FLOOR])
def test_nothing_goes_by_a_clock_that_may_be_wrong(desk: DeskRoom, quality: TimeQuality) -> None:
    footage(desk, 1, NOW - 400 * DAY)
    assert expire(desk, quality) == []
    assert expire(desk, days=0) == []
    assert len(expire(desk, TimeQuality.RTC)) == 1


@pytest.mark.parametrize(
    ("closed", "signed", "inspected", "policy", "stays"),
    [
        (NOW - 199 * DAY, None, True, {}, True),  # never signed
        (None, None, True, {}, True),  # never closed
        (NOW - 199 * DAY, NOW - 198 * DAY, False, {}, True),  # not inspected
        (NOW - 199 * DAY, NOW - 198 * DAY, False, {"inspection": "none"}, False),
        (NOW - 199 * DAY, NOW - 198 * DAY, True, {}, False),  # 180 days of the policy's default
        (NOW - 199 * DAY, NOW - 198 * DAY, True, {"keep_recordings_days": 200}, True),
        (NOW - 199 * DAY, NOW - 198 * DAY, True, {"keep_recordings_days": 198}, False),
    ],
)
def test_footage_of_a_session_goes_by_its_signed_policy(
    desk: DeskRoom, closed: int | None, signed: int | None, inspected: bool, policy: dict[str, object], stays: bool
) -> None:
    session_times(desk, NOW - 200 * DAY, closed, signed, **policy)
    if inspected and closed:
        holds.inspect(desk.db, desk.session, PROCTOR)
    footage(desk, 1, NOW - 201 * DAY)  # a day before the session
    within = footage(desk, 2, NOW - 200 * DAY + 3_600_000)
    just_before = footage(desk, 3, NOW - 200 * DAY - 60_000)
    gone = expire(desk)
    assert (within not in gone, just_before not in gone) == (stays, stays)
    assert len(gone) == (1 if stays else 3)
    if not stays:
        days = {e.body["segment"]: e.body["keep_days"] for e in ledger.entries(desk.db, kinds=("segment-deleted",))}
        assert days[within] == policy.get("keep_recordings_days", 180)


def test_a_policy_of_fewer_days_than_the_rooms_own_rules_too(desk: DeskRoom) -> None:
    session_times(
        desk, NOW - 40 * DAY, NOW - 39 * DAY, NOW - 38 * DAY, NOW + DAY, keep_recordings_days=30, inspection="none"
    )
    footage(desk, 1, NOW - 41 * DAY)
    within = footage(desk, 2, NOW - 40 * DAY + 3_600_000)
    assert expire(desk) == [within]


def test_footage_of_practice_goes_as_that_of_no_session_though_nobody_signed_it(desk: DeskRoom) -> None:
    session_times(desk, NOW - 95 * DAY, None, None, NOW - 94 * DAY, practice=True)
    old, young = footage(desk, 1, NOW - 95 * DAY + 3_600_000), footage(desk, 2, NOW - 80 * DAY)
    assert expire(desk) == [old]
    assert sweep(desk, at=NOW + 11 * DAY) == [young]


def test_what_is_held_stays_until_it_is_released(desk: DeskRoom) -> None:
    session_times(desk, NOW - 200 * DAY, NOW - 199 * DAY, NOW - 198 * DAY, inspection="none")
    within, hall = footage(desk, 1, NOW - 200 * DAY + DAY // 2), footage(desk, 2, NOW - 150 * DAY, "hall")
    door = footage(desk, 3, NOW - 150 * DAY)
    session = holds.place_on_session(desk.db, desk.session, "申诉", PROCTOR)
    span = holds.place_on_span(desk.db, "hall", NOW - 151 * DAY, NOW - 149 * DAY, "门口的事", PROCTOR)
    assert holds.place_on_session(desk.db, desk.session, "又一次", PROCTOR) == session, "one hold, not two"
    assert expire(desk) == [door]
    holds.release(desk.db, session, "已了结", PROCTOR)
    holds.release(desk.db, span, "已了结", PROCTOR)
    assert sorted(expire(desk)) == sorted([within, hall])
    told = ledger.entries(desk.db, kinds=("hold", "hold_released"))
    assert [(e.kind, e.body["hold"], e.session_id) for e in told] == [
        ("hold", session, desk.session), ("hold", span, None),
        ("hold_released", session, desk.session), ("hold_released", span, None),
    ]  # fmt: skip
    assert not any("申诉" in e.entry.decode() for e in told), "a person's own words stay out of the ledger"
    assert holds.forget_words(desk.db, clock.wall_ms() + 91 * DAY) == 2
    assert desk.db.execute("SELECT count(*) FROM footage_holds WHERE why <> '' OR salt <> ''").fetchone()[0] == 0


def test_a_hold_of_a_running_session_ends_with_the_session(desk: DeskRoom) -> None:
    session_times(desk, NOW - 200 * DAY, None, None)
    holds.place_on_session(desk.db, desk.session, "申诉", PROCTOR)
    assert holds.keeping(desk.db)[-1].spans[-1][1] == OPEN_END
    session_times(desk, NOW - 200 * DAY, NOW - 199 * DAY, NOW - 198 * DAY, inspection="none")
    within, after = footage(desk, 1, NOW - 200 * DAY), footage(desk, 2, NOW - 198 * DAY)
    assert expire(desk) == [after]
    assert segments.get(desk.db, within).sequence == 1


def test_a_hold_placed_in_the_last_moment_counts(desk: DeskRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    old = footage(desk, 1, NOW - 100 * DAY)
    real = segments.remove

    def held_first(*words: Any) -> None:
        holds.place_on_span(desk.db, None, NOW - 101 * DAY, NOW, "申诉", PROCTOR)
        real(*words)

    monkeypatch.setattr(segments, "remove", held_first)
    assert expire(desk) == []
    assert names(desk.config.paths.recordings / "door") == [f"{BOOT}-000001.mp4"]
    assert segments.get(desk.db, old).sequence == 1


def test_what_cannot_be_held_or_inspected_is_refused(desk: DeskRoom) -> None:
    for act, code in (
        (lambda: holds.place_on_session(desk.db, desk.session, "申诉", PROCTOR), "hold_early"),
        (lambda: holds.place_on_session(desk.db, "S-9", "申诉", PROCTOR), "session_unknown"),
        (lambda: holds.place_on_span(desk.db, None, 5, 5, "申诉", PROCTOR), "hold_span"),
        (lambda: holds.place_on_span(desk.db, None, 5, 6, " 申 ", PROCTOR), "reason_wanted"),
        (lambda: holds.release(desk.db, "0" * 16, "已了结", PROCTOR), "hold_unknown"),
        (lambda: holds.inspect(desk.db, desk.session, PROCTOR), "session_state"),
    ):
        size = ledger.size(desk.db)
        with pytest.raises((BadInput, Conflict, NotFound)) as caught:
            act()
        assert (caught.value.code, ledger.size(desk.db)) == (code, size)
    span = holds.place_on_span(desk.db, None, 5, 6, "申诉", PROCTOR)
    holds.release(desk.db, span, "已了结", PROCTOR)
    with pytest.raises(Conflict) as twice:
        holds.release(desk.db, span, "已了结", PROCTOR)
    assert twice.value.code == "hold_released"


@pytest.mark.parametrize("closed", [None, NOW - 99 * DAY])
def test_a_practice_session_that_is_deleted_takes_no_hold_with_it(desk: DeskRoom, closed: int | None) -> None:
    session_times(desk, NOW - 100 * DAY, None, None, practice=True)
    footage(desk, 1, NOW - 100 * DAY + 3_600_000)
    holds.place_on_session(desk.db, desk.session, "申诉", PROCTOR)
    session_times(desk, NOW - 100 * DAY, closed, None)
    with transaction(desk.db):
        purging.delete_session(desk.db, desk.session)
    assert expire(desk) == []
    (kept,) = holds.keeping(desk.db)
    assert abs(kept.spans[-1][1] - (closed or clock.wall_ms()) - MARGIN_MS) < 60_000, "and keeps nothing of later"


@pytest.fixture
def clocked(desk: DeskRoom, monkeypatch: pytest.MonkeyPatch) -> ClockedSession:
    """An hour after a clock that is a day fast opened the door, and was put right."""
    session = ClockedSession(desk, HeldTime(wall=NOW + DAY).hold(monkeypatch))
    session.opens()
    session.films(3)
    session.is_set(-DAY, "door", "hall")
    session.films(5)
    session.time.go(3_600_000)
    return session


def clocked_sweep(session: ClockedSession, after: int = 6 * 3_600_000) -> list[str]:
    """With the disk short, six hours later."""
    session.time.go(after)
    return sweep(session.desk, Rules(limit=1), session.time.wall, free=lambda _: 0)


@pytest.mark.parametrize("held", [False, True])
def test_a_clock_set_back_takes_no_footage_from_a_session_that_goes_on(clocked: ClockedSession, held: bool) -> None:
    if held:
        holds.place_on_session(clocked.desk.db, clocked.desk.session, "申诉", PROCTOR)
    assert clocked_sweep(clocked) == []
    clocked.closes()
    before_it = clocked.segment(start=Instant(NOW - DAY, 5, BOOT, TimeQuality.RTC))
    assert clocked_sweep(clocked) == [before_it]


def test_a_clock_set_back_takes_no_footage_from_a_session_that_is_over(clocked: ClockedSession) -> None:
    db, name = clocked.desk.db, clocked.desk.session
    clocked.closes()
    kept = segments.known(db, "door")
    assert clocked_sweep(clocked, 91 * DAY) == [], "nobody has signed it"
    hold = holds.place_on_session(db, name, "申诉", PROCTOR)
    db.execute("UPDATE sessions SET state = 'signed', signed_ms = ?", (clocked.time.wall,))
    holds.inspect(db, name, PROCTOR)
    assert clocked_sweep(clocked, 200 * DAY) == [], "it is held"
    assert segments.known(db, "door") == kept
    holds.release(db, hold, "已了结", PROCTOR)
    assert len(clocked_sweep(clocked)) == len(kept) == 8


def test_what_was_entered_during_a_session_is_its_own_whatever_its_clock_said(clocked: ClockedSession) -> None:
    """Of a boot of which nothing but its salvaged footage tells, and of a clock astray that no entry shows."""
    lost = clocked.segment(start=Instant(NOW - 400 * DAY, 30_000, "f" * 32, TimeQuality.UNKNOWN), salvaged=True)
    astray = clocked.segment(start=Instant(NOW - 300 * DAY, 40_000, clocked.time.boot, TimeQuality.UNKNOWN))
    assert clocked_sweep(clocked) == []
    clocked.closes()
    later = clocked.segment(start=Instant(NOW - 400 * DAY, 30_000, "e" * 32, TimeQuality.UNKNOWN), salvaged=True)
    assert clocked_sweep(clocked) == [later]
    holds.place_on_session(clocked.desk.db, clocked.desk.session, "申诉", PROCTOR)
    for one in (lost, astray):
        with pytest.raises(Conflict) as caught:
            segments.remove(clocked.desk.db, segments.get(clocked.desk.db, one), 90)
        assert caught.value.code == "footage_held"


def test_a_clock_astray_for_a_moment_keeps_nothing_of_the_years_it_left_out(clocked: ClockedSession) -> None:
    clocked.is_set(70 * 365 * DAY, "door")
    clocked.films(2)
    clocked.is_set(-70 * 365 * DAY, "door")
    clocked.films(2)
    clocked.closes()
    clocked.time.go(3_600_000)
    after = clocked.films(2)
    assert clocked_sweep(clocked) == after


def test_above_its_limit_the_oldest_of_no_session_goes_first(desk: DeskRoom) -> None:
    session_times(desk, NOW - 9 * DAY, NOW - 8 * DAY, None)
    within = footage(desk, 1, NOW - 9 * DAY, size=400)
    found = [footage(desk, n, NOW - (9 - n) * DAY, ("door", "hall")[n % 2], 100) for n in (2, 3, 4, 5)]
    fresh = footage(desk, 6, NOW - 3_600_000, size=400)
    assert sweep(desk, Rules(limit=1000)) == found[:2], "1,200 are 200 too many"
    told = [e.body for e in ledger.entries(desk.db, kinds=("segment-deleted",))]
    assert [(b["segment"], b["why"]) for b in told] == [(one, "space") for one in found[:2]]
    assert sweep(desk, Rules(limit=1000)) == []
    assert sweep(desk, Rules(limit=1)) == found[2:], "neither the session's nor the last two hours'"
    assert {segments.get(desk.db, one).id for one in (within, fresh)} == {within, fresh}


def test_a_disk_that_is_nearly_full_is_made_room_on_before_recording_stops(desk: DeskRoom) -> None:
    found = [footage(desk, n, NOW - (9 - n) * DAY) for n in (1, 2, 3)]
    config = Config.model_validate(
        {"camera": {"door": {"bitrate": 8_000_000}}, "recording": {"reserve_mb": 100, "limit_gb": 3}}
    )
    rules = rules_of(config)
    assert (rules.limit, rules.reserve, rules.wanted_free) == (3 * 10**9, 100_000_000, 710_000_000)
    left = iter([709_999_999, 709_999_999, 710_000_000])
    assert sweep(desk, rules, free=lambda _: next(left)) == found[:1]
    assert sweep(desk, rules, free=lambda _: 0, quality=TimeQuality.UNKNOWN) == []
    assert sweep(desk, rules, free=lambda _: 0, halt=lambda: True) == []
    assert sweep(desk, rules, free=lambda _: 0) == found[1:]


def test_a_copied_stream_counts_by_what_it_records_and_exports_count_as_free_but_not_to_the_last(
    desk: DeskRoom,
) -> None:
    old = footage(desk, 1, NOW - 9 * DAY)
    rules = Rules(reserve=100 * 10**6, bitrates={"door": 2_000_000})
    assert (rules.wanted_free, retention.room_kept(desk.db, rules)) == (260 * 10**6, 185 * 10**6)
    recent = [Fragment(n, 4 + n, 1, "00" * 32, NOW - 200_000 + n * 1000, n * 1000, 1000) for n in range(100)]
    place = Place(desk.config.paths.recordings, "door", BOOT, 2)
    place.path.write_bytes(b"footage")
    at = Instant(NOW - 200_000, 0, BOOT, TimeQuality.RTC)
    segments.index(desk.db, segment_of(place, at, 4, "00" * 32, recent, 100_000_000, Cause.ROTATED))
    assert retention.room_kept(desk.db, rules) == 410 * 10**6, "8 Mbit/s, as measured"
    for folder in (".exports", ".clips"):
        file = desk.config.paths.recordings / folder / "x.zip"
        file.parent.mkdir()
        with file.open("wb") as sparse:
            sparse.truncate(200 * 10**6)
    assert sweep(desk, rules, free=lambda _: 310 * 10**6) == []
    assert sweep(desk, rules, free=lambda _: 229 * 10**6) == [old], "nobody has made the exports go"


def test_a_camera_no_longer_configured_and_what_lies_beside_are_swept_too(desk: DeskRoom) -> None:
    gone, kept = footage(desk, 1, NOW - 91 * DAY, "yard"), footage(desk, 2, NOW, "yard")
    folder = desk.config.paths.recordings / "yard"
    first, second = (folder / f"{BOOT}-00000{n}" for n in (1, 2))
    for stem in (first, second):
        for suffix in (".mp4.tail", ".thumbs"):
            stem.with_name(stem.name + suffix).write_bytes(b"x")
    assert expire(desk) == [gone]
    assert names(folder) == [second.name + end for end in (".mp4", ".mp4.tail", ".thumbs")]
    assert segments.get(desk.db, kept).camera == "yard"

    forgotten, unknown = folder / f"{first.name}.mp4.tail", folder / f"{BOOT}-000009.mp4.tail"
    for file in (forgotten, unknown):
        file.write_bytes(b"x")
    sweep(desk, tidy=True)
    assert not forgotten.exists(), "the ledger says that its segment is deleted"
    assert unknown.exists(), "nobody knows of this one: it has its date too"
    os.utime(unknown, (NOW / 1000 - 91 * 86_400,) * 2)
    sweep(desk, tidy=True)
    assert not unknown.exists()
    assert names(folder) == [second.name + end for end in (".mp4", ".mp4.tail", ".thumbs")]


def test_two_never_sweep_at_once(desk: DeskRoom) -> None:
    footage(desk, 1, NOW - 91 * DAY)
    with (desk.config.paths.recordings / ".retention.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert expire(desk) == []
    assert len(expire(desk)) == 1


def test_a_hardware_clock_far_from_the_rooms_own_history_deletes_nothing(desk: DeskRoom) -> None:
    footage(desk, 1, NOW - 91 * DAY)
    assert sweep(desk, at=NOW + 400 * DAY, quality=TimeQuality.RTC) == []
    assert len(sweep(desk, quality=TimeQuality.RTC)) == 1


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
    settle(desk.db, desk.config.paths.recordings, "door")  # the row is there: it comes back
    assert [f.name for f in folder.iterdir()] == [f"{BOOT}-000001.mp4"]

    monkeypatch.setattr(segments, "remove", real)
    (folder / f"{BOOT}-000001.mp4").rename(folder / f"{BOOT}-000001.mp4.expired")
    segments.remove(desk.db, segments.get(desk.db, first), 90)
    settle(desk.db, desk.config.paths.recordings, "door")  # the ledger says it is deleted
    assert list(folder.iterdir()) == []
