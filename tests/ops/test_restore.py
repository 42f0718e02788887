"""Restoring when not all is as it should be: damage on the medium, a ledger that is behind, a spare with its own CA."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from edge.config import Config
from edge.errors import VerificationFailed
from edge.exam.journal import AnswerJournal
from edge.exam.written import ledger_digests
from edge.ops.restore import Found, find, restore
from edge.store import ledger
from edge.store.db import connect
from edge.store.mirrorlog import Kind, LogReader, LogWriter, generations
from edge.trust import roomtls
from edge.trust.tls_commands import tls as tls_commands
from support.mirrored import Mirrored
from support.rooms import make_config
from support.serving import until


@pytest.fixture
def exam(tmp_path: Path) -> Iterator[Mirrored]:
    running = Mirrored(tmp_path / "room", tmp_path / "medium")
    until(running.well, 20, "the mirror is well")
    yield running
    running.close()


def entered_upto(spare: Path) -> int | None:
    """The last ledger entry that the restored answers claim to be in."""
    connection = connect(spare / "answers.db")
    try:
        found_seq: int | None = connection.execute("SELECT max(ledger_seq) FROM digests").fetchone()[0]
        return found_seq
    finally:
        connection.close()


def test_answers_whose_ledger_entry_was_not_mirrored_yet_are_entered_again(exam: Mirrored, tmp_path: Path) -> None:
    exam.answer(0, 3)
    assert ledger_digests(exam.journal, exam.desk.db) == 1
    first = ledger.last(exam.desk.db, "answers", 1)[0].seq
    size = ledger.size(exam.desk.db)
    until(lambda: size == _ledger_size(find(exam.medium, None), tmp_path), 20, "room.db is on the medium")
    before = find(exam.medium, None)
    ledger.note(exam.desk.db, "clock", {})
    exam.answer(1, 2)
    assert ledger_digests(exam.journal, exam.desk.db) == 1
    after = find(exam.medium, None)
    after.databases["room.db"] = before.databases["room.db"]  # a second behind
    facts = restore(after, tmp_path / "spare")
    assert (facts["answers"], facts["digests_again"]) == (5, 1)
    assert entered_upto(tmp_path / "spare") == first
    own, room = AnswerJournal(tmp_path / "spare" / "answers.db"), connect(tmp_path / "spare" / "room.db")
    try:
        assert ledger_digests(own, room) == 1
        assert [entry.body["upto"] for entry in ledger.last(room, "answers", 9)] == [3, 5]
    finally:
        own.close()
        room.close()


def _ledger_size(found: Found, folder: Path) -> int:
    copy = folder / "look.db"
    copy.write_bytes(found.databases["room.db"])
    connection = connect(copy)
    try:
        return ledger.size(connection)
    finally:
        connection.close()


# ---- damage


def generation(folder: Path, records: int = 60) -> Path:
    log = LogWriter(folder, "room-1", None)
    log.add(Kind.WHOLE)
    for n in range(records):
        log.add(Kind.FILE, f"file-{n}", bytes(2) + os.urandom(200))
    log.sync()
    log.close()
    return log.path


@pytest.mark.parametrize("at", ["payload", "head", "length", "many"])
def test_damage_in_the_midst_is_told_and_needs_force(tmp_path: Path, at: str) -> None:
    file = generation(tmp_path / "medium")
    whole = bytearray(file.read_bytes())
    begin = whole.index(b"file-31") - 15  # kind, length, number and the name's length stand before it
    if at == "many":
        whole[begin : begin + 5000] = os.urandom(5000)
    else:
        whole[begin + {"payload": 60, "head": 12, "length": 1}[at]] ^= 1
    file.write_bytes(whole)
    found = find(tmp_path / "medium", None)
    assert (len(found.files), found.broken) == (31, True)
    assert found.unread == len(whole) - begin
    with pytest.raises(VerificationFailed) as refused:
        restore(found, tmp_path / "spare")
    assert (refused.value.code, refused.value.exit_code) == ("mirror_damaged", 1)
    assert not (tmp_path / "spare").exists()


def test_a_torn_end_is_no_damage(tmp_path: Path) -> None:
    file = generation(tmp_path / "medium")
    whole = file.read_bytes()
    last = whole.index(b"file-59") - 15
    for end, unread in ((b"", 0), (bytes(4096), 4096), (whole[last : last + 80], 80), (os.urandom(700), 700)):
        file.write_bytes(whole[:last] + end)
        reader = LogReader(file, None)
        assert len(list(reader)) == 60
        assert (reader.unread, reader.broken) == (unread, False)


def test_with_force_what_comes_before_the_damage_is_restored(exam: Mirrored, tmp_path: Path) -> None:
    exam.answer(0, 3)
    half = generations(exam.medium)[-1].stat().st_size
    exam.answer(1, 4)
    medium = tmp_path / "copy"
    shutil.copytree(exam.medium, medium)
    with generations(medium)[-1].open("r+b") as file:
        file.seek(half + 40)
        file.write(b"\xff" * 8)
    found = find(medium, None)
    assert found.broken
    assert restore(found, tmp_path / "spare", force=True)["answers"] == 3


# ---- certificates


def test_the_spare_is_the_same_room_to_its_tablets(tmp_path: Path) -> None:
    now, at = datetime.now(UTC), [ip_address("192.168.7.5")]
    made = roomtls.make(tmp_path / "room" / "tls", ["room-1.local"], at, now)
    exam = Mirrored(tmp_path / "room", tmp_path / "medium")
    try:
        until(exam.well, 20)
        found = find(exam.medium, None)
    finally:
        exam.close()
    spare = make_config(tmp_path / "spare").paths
    own = roomtls.make(spare.tls, ["spare.local"], [], now)
    facts = restore(found, spare.state, spare.tls)
    assert (facts["addresses"], facts["names"]) == (["192.168.7.5"], ["room-1.local"])
    assert {(file.stat().st_mode & 0o777) for file in spare.tls.glob("*.key")} == {0o600}
    there = roomtls.make(spare.tls, ["room-1.local"], at, now)
    assert (there.fingerprint, there.changed, there.server) == (made.fingerprint, False, made.server)
    # with a name of its own the spare signs itself a certificate under the room's authority
    named = roomtls.make(spare.tls, ["spare.local"], at, now)
    assert (named.fingerprint, named.changed) == (made.fingerprint, True)
    assert roomtls.load(Path(facts["tls_before"])).fingerprint == own.fingerprint
    without = restore(found, tmp_path / "elsewhere")
    assert without["tls"] == str(tmp_path / "elsewhere" / "tls")


def test_with_a_mirror_the_service_may_read_the_keys(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives files to a group")
    for store, mode in ({}, 0o600), ({"mirror": str(tmp_path / "medium")}, 0o640):
        config = make_config(tmp_path, store=store)
        config.paths.state.mkdir(exist_ok=True)
        os.chown(config.paths.state, -1, 12_345)
        context = SimpleNamespace(config=partial(Config.model_copy, config))
        made = CliRunner().invoke(tls_commands, ["make", "--quiet"], obj=context, catch_exceptions=False)
        assert made.exit_code == 0
        keys = [file.stat() for file in config.paths.tls.glob("*.key")]
        assert {key.st_mode & 0o777 for key in keys} == {mode}
        assert {key.st_gid == 12_345 for key in keys} == {bool(store)}
