"""A bank under two shares in a room: locked, opened by two codes, kept, locked again; and what a thief would have."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from edge import clock
from edge.bank.outline import stock
from edge.cli import main
from edge.config import Config
from edge.domain.paper import shortages
from edge.errors import BadInput, Conflict, ExamroomError, Refused, TooMany
from edge.exam import conduct, marking, results, unlock
from edge.exam.acts import Op
from edge.exam.banks import banks_of, manifest_of, open_bank, plan_sealed, stock_of
from edge.exam.journal import AnswerJournal
from edge.exam.live import LiveExam
from edge.ops.rehearsal.fitness import planned
from edge.store import ledger, sessions, unlocks
from edge.store import purge as purge_rows
from edge.store.db import open_room, transaction
from edge.trust import enrolment, shares
from edge.trust.shares import new_codes
from support.rooms import DeskRoom, make_config, make_desk_room
from support.serving import write_config
from support.unlocking import locked_room

OP = Op("op-unlock-1", "S-1", "unlock-bank", "d", "P-001", "E-001")
HOUR_MS = 3_600_000


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[tuple[DeskRoom, tuple[str, str]]]:
    desk, codes = locked_room(tmp_path)
    yield desk, codes
    desk.db.close()


def enter(desk: DeskRoom, codes: tuple[str, str], op: Op = OP) -> dict[str, object]:
    return unlock.unlock(desk.db, desk.identity, desk.config.paths.bundles, desk.session, codes, HOUR_MS, op)


def open_now(desk: DeskRoom) -> object:
    return open_bank(desk.identity, desk.config.paths.bundles, sessions.find(desk.db, desk.session))


def stolen(desk: DeskRoom, to: Path) -> tuple[Config, sqlite3.Connection]:
    """Everything on the box, keys and all, on another machine."""
    shutil.copytree(desk.config.paths.state, to / "state")
    config = make_config(to)
    return config, open_room(config.paths.room_db)


def papers_check(desk: DeskRoom) -> str | None:
    checks = planned(desk.db, desk.config, desk.identity)
    return next(check.reason for check in checks if check.name == f"papers:{desk.session}")


def refused(db: sqlite3.Connection) -> list[dict[str, object]]:
    return [dict(entry.body) for entry in ledger.entries(db, kinds=("bank_unlock_refused",))]


def test_a_stolen_box_reads_nothing_before_and_nothing_after(
    locked: tuple[DeskRoom, tuple[str, str]], tmp_path: Path
) -> None:
    desk, codes = locked
    config, db = stolen(desk, tmp_path / "before")
    with pytest.raises(Refused) as error:
        open_bank(enrolment.load(config.paths), config.paths.bundles, sessions.find(db, desk.session), whenever=True)
    assert error.value.code == "bank_locked"
    db.close()
    enter(desk, codes)
    assert open_now(desk)
    sealed = bytes(desk.db.execute("SELECT sealed FROM unlocks").fetchone()[0])
    assert unlock.lock(desk.db, desk.session, "P-001") == 1
    for file in desk.config.paths.state.rglob("*"):
        if file.is_file():
            assert sealed[12:] not in file.read_bytes(), file
    config, db = stolen(desk, tmp_path / "after")
    with pytest.raises(Refused):
        open_bank(enrolment.load(config.paths), config.paths.bundles, sessions.find(db, desk.session), whenever=True)
    db.close()


def test_two_codes_open_it_and_a_restart_needs_nobody(locked: tuple[DeskRoom, tuple[str, str]]) -> None:
    desk, codes = locked
    with pytest.raises(Refused):
        open_now(desk)
    assert enter(desk, codes) == {"bank": sessions.find(desk.db, desk.session).bank_id, "version": 1}
    again = open_room(desk.config.paths.room_db)
    found = sessions.find(again, desk.session)
    again.close()
    assert "unlocked" not in repr(found)
    assert open_bank(desk.identity, desk.config.paths.bundles, found).items
    [entry] = ledger.entries(desk.db, kinds=("bank_unlocked",))
    assert (entry.body["way"], entry.body["second"]) == ("codes", "E-001")
    assert not any(code in str(e.body) for e in ledger.entries(desk.db) for code in codes)
    with pytest.raises(Conflict) as done:
        enter(desk, codes, Op("op-unlock-2", "S-1", "unlock-bank", "d", "P-001", "E-001"))
    assert done.value.code == "unlock_not_needed"


def test_wrong_codes_are_counted_slip_by_slip_and_told(locked: tuple[DeskRoom, tuple[str, str]]) -> None:
    desk, codes = locked
    other = new_codes()
    for left in (4, 3, 2, 1):
        with pytest.raises(Refused) as error:
            enter(desk, (codes[0], other[1]))
        assert (error.value.code, error.value.facts) == ("unlock_code_wrong_left", {"slip": 2, "left": left})
    for _ in range(2):  # the fifth, and one more although it is the right one
        with pytest.raises(TooMany) as wait:
            enter(desk, (codes[0], other[1]))
        assert wait.value.facts == {"slip": 2, "minutes": 10}
        other = codes
    with pytest.raises(Refused) as first:
        enter(desk, (new_codes()[0], codes[1]))
    assert first.value.facts == {"slip": 1, "left": 4}
    for wrong, code in (((codes[1], codes[0]), "unlock_code_other"), (("12", codes[1]), "unlock_code_form")):
        with pytest.raises(BadInput) as typed:
            enter(desk, wrong)
        assert typed.value.code == code
    assert len(refused(desk.db)) == 9
    assert refused(desk.db)[0]["slip"] == 2
    desk.db.execute("UPDATE unlock_tries SET locked_until_ms = 1")
    enter(desk, codes)
    assert open_now(desk)


def test_two_persons_and_not_too_early(
    locked: tuple[DeskRoom, tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, codes = locked
    with pytest.raises(Refused) as alone:
        enter(desk, codes, Op("op-unlock-3", "S-1", "unlock-bank", "d", "P-001", None))
    assert alone.value.code == "second_wanted"
    desk.db.execute("UPDATE sessions SET planned_ms = planned_ms + ?", (3 * HOUR_MS,))
    monkeypatch.setattr(clock, "quality", lambda: clock.TimeQuality.RTC)
    with pytest.raises(Refused) as early:
        enter(desk, codes)
    assert early.value.code == "unlock_early" and early.value.facts["at"]
    monkeypatch.setattr(clock, "quality", lambda: clock.TimeQuality.UNKNOWN)
    enter(desk, codes)  # a clock nobody vouches for keeps nobody from the exam


def test_an_exam_is_marked_closed_and_signed_and_locked_in_that_order(locked: tuple[DeskRoom, tuple[str, str]]) -> None:
    desk, codes = locked
    desk.db.execute("UPDATE sessions SET policy = json_set(policy, '$.tests', json('[\"theory\"]'))")
    enter(desk, codes)
    bank = open_bank(desk.identity, desk.config.paths.bundles, sessions.find(desk.db, desk.session))
    conduct.open_checkin(desk.db, desk.session, bank, "P-001")
    conduct.start(desk.db, desk.session, "P-001")
    journal = AnswerJournal(desk.config.paths.answers_db)
    live = LiveExam(journal, lambda s: open_bank(desk.identity, desk.config.paths.bundles, s))
    live.refresh(desk.db)
    live.set_running(desk.session, True)
    marking.close(desk.db, journal, live, desk.session, bank, "时间到", "P-001")
    journal.close()
    kinds = [entry.kind for entry in ledger.entries(desk.db)]
    assert kinds.index("bank_unlocked") < kinds.index("exam_closed") < kinds.index("bank_locked")
    assert sessions.find(desk.db, desk.session).unlocked == {}
    with pytest.raises(Refused):
        open_now(desk)
    # to accept a kept answer after the close, the two unlock again; signing locks
    enter(desk, codes, Op("op-unlock-4", "S-1", "unlock-bank", "d", "P-001", "E-001"))
    assert open_now(desk)
    assert results.sign_results(desk.db, desk.identity, desk.session, "P-001") == 6
    assert sessions.find(desk.db, desk.session).unlocked == {}


def test_what_was_unlocked_for_nothing_is_locked_after_a_day_and_purged(
    locked: tuple[DeskRoom, tuple[str, str]],
) -> None:
    desk, codes = locked
    enter(desk, codes)
    assert unlock.lock_left_open(desk.db) == []
    desk.db.execute("UPDATE sessions SET planned_ms = planned_ms - ?", (25 * HOUR_MS,))
    assert unlock.lock_left_open(desk.db) == [desk.session]
    enter(desk, codes, Op("op-unlock-5", "S-1", "unlock-bank", "d", "P-001", "E-001"))
    with transaction(desk.db):
        purge_rows.purge_session(desk.db, desk.session)
    assert desk.db.execute("SELECT count(*) FROM unlocks").fetchone()[0] == 0


def test_a_locked_bank_says_how_many_items_it_has_and_no_more(locked: tuple[DeskRoom, tuple[str, str]]) -> None:
    desk, codes = locked
    session = sessions.find(desk.db, desk.session)
    [bank] = banks_of(session)
    facts = manifest_of(desk.identity, desk.config.paths.bundles, bank).facts
    before = stock_of(desk.identity, desk.config.paths.bundles, session)
    assert papers_check(desk) is None
    enter(desk, codes)
    opened = open_bank(desk.identity, desk.config.paths.bundles, sessions.find(desk.db, desk.session))
    after = stock_of(desk.identity, desk.config.paths.bundles, sessions.find(desk.db, desk.session))
    assert len(before) == len(after) == len(opened.items)
    said = str(facts["stock"])
    for item in opened.items:
        assert item.id not in said and item.stem not in str(facts)
    fewer = {**facts, "stock": [[*row[:-1], 0] for row in facts["stock"]]}
    assert shortages(stock(fewer), session.blueprint)
    assert [s.detail for s in shortages(before, session.blueprint)] == [
        s.detail for s in shortages(after, session.blueprint)
    ]
    with pytest.raises(BadInput):
        stock({"stock": [["theory"]]})


def test_a_count_that_the_blueprint_cannot_be_drawn_from_fails_the_rehearsal(
    locked: tuple[DeskRoom, tuple[str, str]],
) -> None:
    desk, _ = locked
    desk.db.execute("UPDATE sessions SET blueprint = json_set(blueprint, '$.parts[0].draw[0].count', 900)")
    assert papers_check(desk) == "bank_short"


def test_the_command_line_builds_slips_and_plans_a_session(tmp_path: Path) -> None:
    desk = make_desk_room(tmp_path)
    desk.db.close()
    paths, runner = desk.config.paths, CliRunner()
    config = ["--config", str(write_config(desk.config, tmp_path))]
    build = [
        "bank", "build", "sample", "--root-key", str(paths.keys / "root.key"), "--version", "7",
        "--certificate", str(paths.trust / "certificate.json"), "--out", str(tmp_path / "b.bundle"),
    ]  # fmt: skip
    assert runner.invoke(main, [*config, *build, "--two-person"]).exit_code == 2
    out = tmp_path / "slips"
    made = runner.invoke(main, [*config, *build, "--two-person", "--codes-out", str(out)])
    assert made.exit_code == 0, made.output
    assert sorted(f.name for f in out.iterdir()) == ["slip-1.html", "slip-1.txt", "slip-2.html", "slip-2.txt"]
    assert all(f.stat().st_mode & 0o077 == 0 for f in out.iterdir())
    codes = [
        next(line.strip() for line in (out / f"slip-{n}.txt").read_text().splitlines() if line.startswith("    "))
        for n in (1, 2)
    ]
    assert codes[0] in (out / "slip-1.html").read_text() and codes[1] not in (out / "slip-1.txt").read_text()
    again = runner.invoke(main, [*config, *build, "--two-person", "--codes-out", str(out)])
    assert again.exit_code == 2 and "slips_exist" not in again.output
    manifest, shell = plan_sealed(desk.identity, (tmp_path / "b.bundle").read_bytes())
    assert (manifest.shares, shell.items, bool(shell.blueprints)) == (2, [], True)
    assert manifest.release is not None
    for slip in (1, 2):
        assert shares.open_slip(manifest.release, manifest.content, slip, shares.read_code(codes[slip - 1], slip))


def test_every_refusal_is_a_sentence(locked: tuple[DeskRoom, tuple[str, str]]) -> None:
    desk, codes = locked
    for typed in ((codes[1], codes[0]), ("", ""), new_codes()):
        with pytest.raises(ExamroomError) as error:
            enter(desk, typed)
        assert "{" not in str(error.value)
    assert unlocks.key("a", 1) == "a@1"
