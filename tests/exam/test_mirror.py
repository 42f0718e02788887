"""The second medium: an answer acknowledged while it is well is on it; its failure holds up nobody and is told of."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from edge import clock
from edge.bank.build import sample_bank
from edge.errors import Conflict, NotFound, Refused, Unavailable
from edge.exam import consent
from edge.exam.banks import open_bank
from edge.exam.journal import AnswerJournal
from edge.exam.live import LiveExam
from edge.exam.mirror import open_mirror
from edge.exam.purge import empty_log
from edge.ops.restore import find, restore
from edge.store import ledger, people, sessions
from edge.store.db import connect, transaction
from edge.store.mirrorlog import generations
from edge.trust import enrolment
from support.mirrored import Mirrored, lost, restored_ops
from support.rooms import DeskRoom, make_desk_room
from support.serving import until


@pytest.fixture
def exam(tmp_path: Path) -> Iterator[Mirrored]:
    running = Mirrored(tmp_path / "room", tmp_path / "medium")
    until(running.well, 20, "the mirror is well")
    yield running
    running.close()


def test_what_is_acknowledged_is_on_the_medium_at_that_moment(exam: Mirrored, tmp_path: Path) -> None:
    for n in range(5):
        exam.answer(n % len(exam.hands), 3)
        assert exam.well()
        assert restored_ops(exam.medium, tmp_path / f"spare-{n}") == exam.acknowledged
    assert exam.told == []


def test_many_at_once_and_checkpoints_of_the_log_between(exam: Mirrored, tmp_path: Path) -> None:
    def work(hand: int) -> None:
        exam.answer(hand, 150)

    threads = [threading.Thread(target=work, args=(hand,)) for hand in range(len(exam.hands))]
    for thread in threads:
        thread.start()
    exam.journal.submit(lambda c: None)
    for thread in threads:
        thread.join()
    assert exam.well()
    assert len(exam.acknowledged) == 150 * len(exam.hands)
    assert restored_ops(exam.medium, tmp_path / "spare") == exam.acknowledged


class Failing:
    """The journal's connection; as long as it fails, so does every commit."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.fails = True

    def execute(self, statement: str, *values: Any) -> Any:
        if self.fails and statement == "COMMIT":
            raise sqlite3.OperationalError("disk I/O error")
        return self.connection.execute(statement, *values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


def test_after_commits_that_failed_the_medium_is_in_step(exam: Mirrored, tmp_path: Path) -> None:
    exam.answer(0, 2)
    failing = Failing(exam.journal._connection)
    exam.journal._connection = failing  # type: ignore[assignment]
    with pytest.raises(Unavailable):
        exam.answer(0, 1)
    failing.fails = False
    exam.versions.clear()
    exam.answer(1, 3)
    assert exam.well()
    assert restored_ops(exam.medium, tmp_path / "spare") == exam.acknowledged
    assert exam.told == []


def test_the_restored_room_goes_on_but_does_not_sign(exam: Mirrored, tmp_path: Path) -> None:
    exam.answer(0, 4)
    paths = exam.desk.config.paths
    until(lambda: find(exam.medium, None).files.keys() >= {"keys/seal.key", "trust/certificate.json"}, 10)
    found = find(exam.medium, None)
    assert not {name for name in found.files if name in ("keys/sign.key", "keys/root.key")}
    spare = tmp_path / "spare"
    facts = restore(found, spare)
    assert (facts["answers"], facts["room"]) == (len(exam.acknowledged), "room-1")
    moved = paths.model_copy(update={"state": spare})
    here = enrolment.load(moved)
    room = connect(spare / "room.db")
    session = sessions.find(room, exam.desk.session)
    assert open_bank(here, moved.bundles, session).bank == sample_bank().bank
    assert [e.kind for e in ledger.last(room, "room_restored", 1)] == ["room_restored"]
    with pytest.raises(Refused) as refused:
        here.keys.sign.sign(b"anything")
    assert refused.value.code == "restored_enrol_first"
    # the tablets' cookies hold: an exam goes on where it stood
    own = AnswerJournal(spare / "answers.db")
    live = LiveExam(own, lambda _: sample_bank())
    live.refresh(room)
    hand = exam.hands[0]
    again = live.paper(live.tablet(hand.secret))
    assert again["next_seq"] == hand.seq + 1
    own.close()
    after = enrolment.certify_locally(moved, "示例学校", "room-1", 2, clock.wall_ms())
    assert after.keys.sign.sign(b"anything")
    room.close()
    with pytest.raises(Conflict) as full:
        restore(found, spare)
    assert full.value.code == "restore_not_empty"


def test_the_room_store_follows_within_seconds(exam: Mirrored) -> None:
    with transaction(exam.desk.db) as connection:
        ledger.append(connection, "clock", {"mark": "told"})

    def there() -> bool:
        return b"told" in bytes(find(exam.medium, None).databases["room.db"])

    until(there, 10, "the room store's change is on the medium")


def test_a_new_generation_takes_the_place_of_one_that_holds_what_was_purged(exam: Mirrored) -> None:
    before = generations(exam.medium)
    exam.answer(0)
    with transaction(exam.desk.db) as connection:
        connection.execute("UPDATE sessions SET purged_ms = 1")
    until(lambda: generations(exam.medium) and generations(exam.medium)[-1] not in before, 10)
    until(lambda: len(generations(exam.medium)) == 1, 10, "the old generation is gone")
    until(exam.well, 10)


def test_a_sealed_medium_says_nothing_without_its_secret(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("correct horse battery\n")
    exam = Mirrored(tmp_path / "room", tmp_path / "medium", mirror_secret=str(secret))
    try:
        until(exam.well, 20)
        exam.answer(0, 2)
        name = people.candidates(exam.desk.db, exam.desk.session)[0].name.encode()
        assert all(name not in file.read_bytes() for file in generations(exam.medium))
        for wrong, code in ((None, "mirror_secret_wanted"), (b"another one", "mirror_secret_wrong")):
            with pytest.raises(Refused) as refused:
                find(exam.medium, wrong)
            assert refused.value.code == code
        ops = restored_ops(exam.medium, tmp_path / "spare", b"correct horse battery")
        assert ops == exam.acknowledged
    finally:
        exam.close()


def test_nothing_to_restore_is_said(tmp_path: Path) -> None:
    (tmp_path / "medium").mkdir()
    with pytest.raises(NotFound):
        find(tmp_path / "medium", None)


def test_a_torn_end_loses_the_torn_record_alone(exam: Mirrored, tmp_path: Path) -> None:
    exam.answer(0, 3)
    whole = restored_ops(exam.medium, tmp_path / "whole")
    assert whole == exam.acknowledged
    copy = tmp_path / "torn-medium"
    shutil.copytree(exam.medium, copy)
    file = generations(copy)[-1]
    for cut in (1, 7, 40):
        with file.open("r+b") as log:
            log.truncate(file.stat().st_size - cut)
        restore(find(copy, None), tmp_path / f"spare-{cut}")


# ---- media that fail


def refused(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode != 0


@contextmanager
def mounted(folder: Path, *how: str) -> Iterator[Path]:
    folder.mkdir(exist_ok=True)
    if os.geteuid() != 0 or refused(["mount", *how, str(folder)]):
        pytest.skip("mounting a file system of its own takes root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def comes_back(exam: Mirrored, tmp_path: Path, name: str) -> None:
    until(exam.well, 30, "the mirror is back")
    until(lambda: exam.told[-1] == ("mirror_back", {}), 5)
    exam.answer(0)
    assert restored_ops(exam.medium, tmp_path / name) == exam.acknowledged


def test_a_full_medium_is_told_of_and_caught_up(tmp_path: Path) -> None:
    with mounted(tmp_path / "medium", "-t", "tmpfs", "-o", "size=24m", "tmpfs") as medium:
        exam = Mirrored(tmp_path / "room", medium)
        try:
            until(exam.well, 20)
            with suppress(OSError), (medium / "filler").open("wb") as filler:
                while True:
                    filler.write(bytes(1 << 16))
                    filler.flush()
            until(lambda: exam.answer(1) or lost(exam, "mirror_full"), 30, "the full medium is noticed")
            assert exam.mirror.state() == ("degraded", "mirror_full")
            exam.answer(2, 5)
            (medium / "filler").unlink()
            comes_back(exam, tmp_path, "spare")
        finally:
            exam.close()


def test_a_medium_that_turns_read_only_is_told_of_and_caught_up(tmp_path: Path) -> None:
    with mounted(tmp_path / "medium", "-t", "tmpfs", "-o", "size=64m", "tmpfs") as medium:
        exam = Mirrored(tmp_path / "room", medium)
        try:
            until(exam.well, 20)
            exam.answer(0, 2)
            shutil.rmtree(medium / "gone", ignore_errors=True)
            subprocess.run(["umount", "-l", str(medium)], check=True)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(medium)], check=True)
            # the pulled disk still takes writes through the open file; its name is gone, which the next look notices
            until(lambda: lost(exam, "mirror_failed"), 30, "the other disk is noticed")
            exam.answer(2, 5)
            subprocess.run(["mount", "-o", "remount,rw", str(medium)], check=True)
            comes_back(exam, tmp_path, "spare")
        finally:
            exam.close()


def frozen(medium: Path, what: str) -> Callable[[], None]:
    return lambda: subprocess.run(["fsfreeze", what, str(medium)], check=True) and None


def test_a_medium_that_hangs_holds_up_an_answer_for_a_second_and_no_more(tmp_path: Path) -> None:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(256 << 20)
    if shutil.which("mkfs.ext4") is None or shutil.which("fsfreeze") is None:
        pytest.skip("mkfs.ext4 or fsfreeze is not here")
    subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
    with mounted(tmp_path / "medium", "-o", "loop", str(image)) as medium:
        exam = Mirrored(tmp_path / "room", medium)
        try:
            until(exam.well, 20)
            exam.answer(0)
            frozen(medium, "-f")()
            try:
                began = time.monotonic()
                exam.answer(1)
                took = time.monotonic() - began
                assert lost(exam, "mirror_slow")
                exam.answer(2, 20)
                assert time.monotonic() - began - took < took + 5  # none of these waited for it
                assert not exam.well()
            finally:
                frozen(medium, "-u")()
            comes_back(exam, tmp_path, "spare")
        finally:
            exam.close()


def test_desk(tmp_path: Path) -> None:
    """A room without a mirror has none."""
    desk: DeskRoom = make_desk_room(tmp_path)
    assert open_mirror(desk.config, "room-1", lambda _kind, _facts: None) is None
    desk.db.close()


def test_a_face_withdrawn_is_on_no_medium_any_more(exam: Mirrored) -> None:
    """Neither in a patch of the log nor in a file that began before: known bytes are looked for in all of them."""
    who, mark = people.candidates(exam.desk.db, exam.desk.session)[0].person, b"a sealed photograph " * 500

    def held(file: Path) -> bool:
        try:
            return mark[:200] in file.read_bytes()
        except FileNotFoundError:  # removed since it was listed
            return False

    def on_medium() -> bool:
        return any(held(file) for file in generations(exam.medium))

    with transaction(exam.desk.db):
        people.set_photo(exam.desk.db, who, mark)
    until(on_medium, 10, "it is mirrored like everything else, encrypted as it is")
    consent.withdraw(exam.desk.db, exam.desk.session, who, "本人要求撤回", "P-001")
    empty_log(exam.desk.db)
    until(lambda: not on_medium(), 10, "a new generation has taken the place of what held it")
    until(exam.well, 10)
