"""What the second medium holds besides answers: it must hold up none of them, hide nothing, and claim nothing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.exam import mirror as mirrors
from edge.exam.mirror import Mirror
from edge.exam.mirrorwriting import Batch, Writing
from edge.ops.restore import find, restore
from edge.store.db import connect, transaction
from edge.store.follow import PORTION_BYTES, Follower
from edge.store.mirrorlog import LogReader, generations
from support.mirrored import Mirrored, lost, restored_ops
from support.rooms import make_config
from support.serving import until


@pytest.fixture
def exam(tmp_path: Path) -> Iterator[Mirrored]:
    running = Mirrored(tmp_path / "room", tmp_path / "medium")
    until(running.well, 20, "the mirror is well")
    yield running
    running.close()


def test_room_store_that_cannot_be_read_now_holds_up_no_answer(
    exam: Mirrored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, go, look = threading.Event(), threading.Event(), Follower.look

    def hangs(self: Follower, emit: Any) -> bool:
        waits.set()
        assert go.wait(60)
        return look(self, emit)

    monkeypatch.setattr(Follower, "look", hangs)
    with transaction(exam.desk.db) as connection:
        connection.execute("UPDATE sessions SET purge_ms = purge_ms + 1")
    assert waits.wait(20)
    try:
        exam.answer(0, 20)
        assert exam.well()
        assert restored_ops(exam.medium, tmp_path / "spare") == exam.acknowledged
    finally:
        go.set()
    assert exam.told == []


def test_a_large_room_store_goes_over_in_small_portions_between_the_answers(exam: Mirrored, tmp_path: Path) -> None:
    exam.desk.db.execute("CREATE TABLE pictures_of_a_class (x BLOB)")
    with transaction(exam.desk.db) as connection:
        for _ in range(40):
            connection.execute("INSERT INTO pictures_of_a_class VALUES (?)", (os.urandom(400_000),))
    want = exam.desk.db.execute("SELECT count(*), sum(length(x)) FROM pictures_of_a_class").fetchone()

    def there() -> bool:
        exam.answer(1, 2)
        file = generations(exam.medium)[-1]
        return file.stat().st_size > 16_000_000

    until(there, 60, "the pictures are on the medium")
    exam.answer(2, 2)
    until(lambda: len(find(exam.medium, None).databases["room.db"]) > 16_000_000, 20)
    assert exam.told == []
    assert max(len(record.data) for record in LogReader(generations(exam.medium)[-1], None)) < 1.2 * PORTION_BYTES
    assert restored_ops(exam.medium, tmp_path / "spare") == exam.acknowledged
    room = connect(tmp_path / "spare" / "room.db")
    assert tuple(room.execute("SELECT count(*), sum(length(x)) FROM pictures_of_a_class").fetchone()) == tuple(want)
    room.close()


def test_files_of_any_size_are_mirrored_and_what_cannot_be_read_is_told(exam: Mirrored, tmp_path: Path) -> None:
    state = exam.desk.config.paths.state
    content = os.urandom(5 * PORTION_BYTES + 7)
    (state / "bundles" / "large.bundle").write_bytes(content)
    (state / "empty").touch(0o640)
    (state / "scratch" / "room").mkdir(parents=True)
    (state / "scratch" / "room" / "of a rehearsal").touch()
    (state / "loop").symlink_to("loop")
    until(lambda: exam.mirror.state() == ("degraded", "mirror_incomplete"), 20, "the file is missed")
    exam.answer(0, 2)
    found = find(exam.medium, None)
    assert found.files["bundles/large.bundle"][1] == content
    assert found.files["empty"][1] == b""
    assert not [name for name in found.files if name == "loop" or name.startswith("scratch")]
    (state / "loop").unlink()
    (state / "bundles" / "large.bundle").unlink()
    until(exam.well, 20, "nothing is missing")
    until(lambda: "bundles/large.bundle" not in find(exam.medium, None).files, 20)
    assert exam.told == [("mirror_incomplete", {"files": 1})]
    assert restored_ops(exam.medium, tmp_path / "spare") == exam.acknowledged


def test_a_medium_that_is_the_rooms_own_disk_does_not_count(tmp_path: Path) -> None:
    exam = Mirrored(tmp_path / "room", tmp_path / "medium", mirror_same_disk=False)
    try:
        until(lambda: lost(exam, "mirror_same_disk"), 20)
        assert exam.mirror.state() == ("degraded", "mirror_same_disk")
        exam.answer(0, 2)
        assert not (tmp_path / "medium").exists()
    finally:
        exam.close()


# ---- one process's bookkeeping


@pytest.fixture
def counting(tmp_path: Path) -> tuple[Mirror, list[str]]:
    """A mirror that counts, without its thread."""
    told = list[str]()
    config = make_config(tmp_path, store={"mirror": str(tmp_path / "medium")})
    mirror = Mirror(config, tmp_path / "medium", "room-1", None, lambda kind, facts: told.append(f"{kind} {facts}"))
    mirror._attached = mirror._good = True
    mirror.heard()
    return mirror, told


def test_a_commit_that_is_not_waited_for_is_told_of(counting: tuple[Mirror, list[str]]) -> None:
    mirror, told = counting
    assert mirror.offer({1: b"page"}, 1) is not None
    mirror._written = time.monotonic() - 2 * mirrors.DEADLINE_S
    assert mirror.offer({1: b"page"}, 1) is None
    assert told == ["mirror_lost {'reason': 'mirror_slow'}"]
    assert len(mirror.waiting(0)) == 2


def test_a_queue_that_is_too_long_is_told_of(
    counting: tuple[Mirror, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror, told = counting
    monkeypatch.setattr(mirrors, "QUEUE_BYTES", 3)
    mirror.offer({1: b"page"}, 1)
    assert mirror.offer({1: b"page"}, 1) is None
    assert told == ["mirror_lost {'reason': 'mirror_slow'}"]
    assert not mirror.attached()


def test_batches_older_than_the_image_that_is_fetched_are_dropped(tmp_path: Path) -> None:
    def image(fill: bytes) -> bytes:
        return fill * 16 + (4096).to_bytes(2, "big") + fill * 4078

    old = Batch({1: image(b"a")}, 1)

    class Missed:
        """A commit was missed between `waiting` and `attached`."""

        def waiting(self, _seconds: float) -> list[Batch]:
            return [old]

        def attached(self) -> bool:
            return False

        def fetch(self) -> bytes:
            return image(b"b")

        def heard(self) -> None: ...

        def win(self) -> None: ...

        def lacks(self, files: int) -> None: ...

        def on_device(self, medium: int, state: int) -> None: ...

    writing = Writing(Missed(), make_config(tmp_path).paths, tmp_path / "medium", "room-1", None)
    writing._turn(0.0)
    assert writing._answers.pages == [image(b"b")]
    assert old.done.is_set()


def test_found_parts_count_only_with_their_end(exam: Mirrored, tmp_path: Path) -> None:
    """A generation that ends in the midst of a file or of a look at room.db has neither."""
    exam.answer(0)
    content = os.urandom(3 * PORTION_BYTES)
    place = exam.desk.config.paths.state / "bundles" / "large.bundle"
    until(lambda: "keys/seal.key" in find(exam.medium, None).files, 20)
    place.write_bytes(content)
    until(lambda: "bundles/large.bundle" in find(exam.medium, None).files, 20)
    file = generations(exam.medium)[-1]
    exam.journal.close()
    whole = file.read_bytes()
    cut = whole.index(content[2 * PORTION_BYTES + 10 : 2 * PORTION_BYTES + 60])
    file.write_bytes(whole[:cut])
    found = find(exam.medium, None)
    assert "bundles/large.bundle" not in found.files
    assert (found.broken, found.unread > 0) == (False, True)
    assert restore(found, tmp_path / "spare")["answers"] == 1
