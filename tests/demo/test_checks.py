"""The demo's own checks see what is wrong: each thing broken by hand on a room's disk is a miss."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from edge import clock
from edge.clock import Instant, TimeQuality
from edge.demo import checks, footage
from edge.demo.room import CAMERA
from edge.demo.tablets import Tally
from edge.domain.footage import Cause
from edge.ops.rehearsal.tally import Told
from edge.recording.writer import Place, SegmentWriter
from edge.store import segments
from edge.store.db import connect
from support.cameras import make_packets
from support.rooms import DeskRoom
from support.timed import HeldTime, TimedExam

BOOT = "0123456789abcdef" * 2
Broken = Callable[[sqlite3.Connection, list[Path]], object]


@pytest.fixture
def filmed(desk: DeskRoom, monkeypatch: pytest.MonkeyPatch) -> DeskRoom:
    """A session of ten seconds, in three segments of four with a kill of a second and a half after the second."""
    monkeypatch.setattr(footage, "SESSION", desk.session)
    began = clock.wall_ms() - 60_000
    video, packets = make_packets(4)
    for sequence, start, cause in ((1, 0, Cause.ROTATED), (2, 4000, Cause.KILLED), (3, 9500, Cause.ROTATED)):
        at = Instant(began + start, start, BOOT, TimeQuality.RTC)
        writer = SegmentWriter(Place(desk.config.paths.recordings, CAMERA, BOOT, sequence), video, at, 1)
        for packet in packets:
            writer.write(packet)
        segments.index(desk.db, writer.close(cause))
    video.owner.close()
    times = (began + 1000, began + 11_000, desk.session)
    desk.db.execute("UPDATE sessions SET opened_ms = ?, closed_ms = ? WHERE id = ?", times)
    return desk


def segment_files(desk: DeskRoom) -> list[Path]:
    return sorted((desk.config.paths.recordings / CAMERA).glob("*.mp4"))


def test_footage_is_what_the_files_hold(filmed: DeskRoom) -> None:
    found = footage.footage(filmed.config)
    assert (found["footage_expected_s"], found["footage_recorded_s"], found["footage_files"]) == (10.0, 8.5, 3)
    assert found["footage_wrong"] == []
    assert found["gaps"] == [{"seconds": 1.5, "cause": "killed"}]


def flip(file: Path, at: int) -> None:
    with file.open("r+b") as changed:
        changed.seek(at)
        before = changed.read(1)
        changed.seek(at)
        changed.write(bytes([before[0] ^ 1]))


def shorten(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-5000])


def rewrite_row(db: sqlite3.Connection) -> None:
    """Another segment's hashes in the row: only the ledger still knows better."""
    db.execute("UPDATE segments SET (packed, digest) = (SELECT packed, digest FROM segments WHERE sequence = 1)")


@pytest.mark.parametrize(
    ("broken", "wrong", "recorded_s"),
    [
        pytest.param(lambda db, files: files[1].unlink(), 1, 4.5, id="deleted"),
        pytest.param(lambda db, files: shorten(files[1]), 1, 7.5, id="cut short"),
        pytest.param(lambda db, files: flip(files[1], files[1].stat().st_size - 20), 1, 7.5, id="a byte changed"),
        pytest.param(lambda db, files: flip(files[1], 40), 1, 8.5, id="its head changed"),
        pytest.param(lambda db, files: files[1].write_bytes(files[0].read_bytes()), 1, 4.5, id="another's bytes"),
        pytest.param(lambda db, files: rewrite_row(db), 2, 3.0, id="rows rewritten"),
        pytest.param(
            lambda db, files: (files[1].parent / f"{BOOT}-000009.mp4").write_bytes(files[1].read_bytes()),
            1,
            8.5,
            id="a stranger",
        ),
    ],
)
def test_footage_that_is_not_as_indexed_is_a_miss(
    filmed: DeskRoom, broken: Broken, wrong: int, recorded_s: float
) -> None:
    before = footage.footage(filmed.config)
    broken(filmed.db, segment_files(filmed))
    found = footage.footage(filmed.config)
    assert len(found["footage_wrong"]) == wrong
    assert found["footage_recorded_s"] == recorded_s
    assert missed(before) == []
    expected = ["footage files"] + (["footage"] if recorded_s < 8 else [])
    assert missed(found) == expected


def missed(found: dict[str, object]) -> list[str]:
    """Of the misses of a summary with nothing else in it, those of the footage."""
    return [name for name in checks.misses(GOOD | found) if name.startswith("footage")]


GOOD = {
    "admitted": 30,
    "by_face": 1,
    "manual": 1,
    "by_policy": 28,
    "refusal_reasons": ["face_other_person"],
    "acknowledged": 1140,
    "stored": 1140,
    "answers_lost": 0,
    "answers_doubled": 0,
    "answers_changed": 0,
    "retries": 4,
    "problems": [],
    "footage_expected_s": 90.0,
    "footage_recorded_s": 87.5,
    "footage_files": 5,
    "footage_wrong": [],
    "gaps": [{"seconds": 2.5, "cause": "killed"}],
    "results": 30,
    "results_verified": 30,
    "receipts": 30,
    "arrivals_each": [2],
    "doubled": 0,
    "gateway_stored": 30,
    "alarms": 0,
    "ledger_ok": True,
    "evidence": "evidence/refusal.zip",
    "flips_tried": 100,
    "flips_named": 100,
}


@pytest.mark.parametrize(
    "wrong",
    [
        {"admitted": 29},
        {"by_face": 0},
        {"refusal_reasons": []},
        {"refusal_reasons": ["face_unclear"]},
        {"stored": 1139},
        {"answers_lost": 1},
        {"answers_doubled": 1},
        {"answers_changed": 1},
        {"retries": 0},
        {"problems": ["/exam/api/answers: 409"]},
        {"footage_recorded_s": 80.0},
        {"footage_files": 0},
        {"footage_wrong": ["door-01234567-000002"]},
        {"gaps": [{"seconds": 2.5, "cause": "stopped"}]},
        {"gaps": [{"seconds": 2.5, "cause": "killed"}, {"seconds": 0.0, "cause": "unknown"}]},
        {"gaps": [{"seconds": 25.0, "cause": "killed"}], "footage_recorded_s": 65.0},
        {"receipts": 29},
        {"results_verified": 29},
        {"arrivals_each": [1, 2]},
        {"arrivals_each": []},
        {"doubled": 1},
        {"gateway_stored": 31},
        {"alarms": 1},
        {"ledger_ok": False},
        {"evidence": None},
        {"flips_named": 99},
    ],
)
def test_each_figure_that_is_wrong_is_one_miss(wrong: dict[str, object]) -> None:
    assert checks.misses(GOOD) == []
    assert len(checks.misses(GOOD | wrong)) == 1


@pytest.fixture
def answered(desk: DeskRoom, monkeypatch: pytest.MonkeyPatch) -> tuple[DeskRoom, Tally]:
    """Two candidates' answers and hand-ins, and what their tablets were told."""
    monkeypatch.setattr(checks, "SESSION", desk.session)
    exam = TimedExam.open(desk, HeldTime().hold(monkeypatch), admit=2)
    exam.start()
    tally = Tally()
    for number in (1, 2):
        hand = exam.hand(number)
        for item in exam.singles(number)[:3]:
            op = hand.op(item, ["A"])
            kept = hand.live.save(hand.tablet, op)
            tally.sent.add(op.op_id)
            tally.acknowledge(op.op_id, Told(op.attempt, item, ("A",), kept.outcome, kept.version))
    exam.journal.close()
    return desk, tally


@pytest.mark.parametrize(
    ("sql", "figure"),
    [
        ("""UPDATE journal SET value = '["B"]' WHERE n = 2""", "answers_changed"),
        ("""UPDATE responses SET value = '["B"]' WHERE n = 2""", "answers_changed"),
        ("UPDATE journal SET outcome = 'stale' WHERE n = 2", "answers_changed"),
        ("DELETE FROM journal WHERE n = 2", "answers_lost"),
        ("UPDATE journal SET op_id = 'another' WHERE n = 2", "answers_doubled"),
    ],
)
def test_an_answer_that_is_not_as_acknowledged_is_counted(
    answered: tuple[DeskRoom, Tally], sql: str, figure: str
) -> None:
    desk, tally = answered
    good = checks.people_and_answers(desk.config, tally)
    assert good["acknowledged"] == good["stored"] == 6
    assert [good[name] for name in good if name.startswith("answers_")] == [0, 0, 0]
    connection = connect(desk.config.paths.answers_db)
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute(sql)
    connection.close()
    assert checks.people_and_answers(desk.config, tally)[figure] > 0
