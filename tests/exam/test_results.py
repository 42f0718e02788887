"""Result files of a room that has enrolled again since: each with the certificate and the checkpoint of its own key."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from edge.errors import NotFound
from edge.exam.results import make_checkpoint, write_files
from edge.store import ledger, records
from edge.store.db import transaction
from edge.trust.enrolment import Identity
from edge.trust.verifier import verify_file
from edge.uplink.enrol import enrol_local, note_identity
from support.gateways import result_envelope
from support.rooms import DeskRoom


def sign(desk: DeskRoom, here: Identity, person: str) -> None:
    """One result of the session, as `sign_results` stores it; not under a checkpoint yet."""
    certificate, db = here.certificate, desk.db
    with transaction(db):
        seq = records.next_result_seq(db, certificate.epoch)
        envelope = result_envelope(certificate.room, certificate.epoch, seq, here.keys.sign)
        sha256 = hashlib.sha256(envelope).hexdigest()
        records.add_result(db, records.Result(certificate.epoch, seq, desk.session, person, envelope, sha256))
        body = {"epoch": certificate.epoch, "seq": seq, "sha256": sha256}
        ledger.append(db, "result", body, subject=person, session=desk.session)


def enrolled_again(desk: DeskRoom) -> Identity:
    note_identity(desk.db, desk.identity)
    return enrol_local(desk.config, "示例学校", "room-1", again=True, leave_waiting=True)


def test_results_of_before_are_written_and_verified_after_a_new_enrolment(desk: DeskRoom, tmp_path: Path) -> None:
    old = desk.identity
    sign(desk, old, "p1")
    make_checkpoint(desk.db, old)
    new = enrolled_again(desk)
    assert new.certificate.epoch == 2
    sign(desk, new, "p2")
    make_checkpoint(desk.db, old)  # by a process that has not heard of it yet
    with transaction(desk.db):
        ledger.append(desk.db, "incident", {})
    files = write_files(desk.db, new, desk.session, tmp_path)
    assert [file.name for file in files] == ["001-000001.json", "002-000001.json"]
    for file, epoch in zip(files, (1, 2), strict=True):
        verdict = verify_file(file, [new.root_public])
        assert verdict.ok and verdict.facts["epoch"] == epoch, verdict


def test_a_result_that_no_checkpoint_of_its_key_covers_is_refused_with_a_sentence(
    desk: DeskRoom, tmp_path: Path
) -> None:
    sign(desk, desk.identity, "p1")
    new = enrolled_again(desk)
    make_checkpoint(desk.db, new)
    with pytest.raises(NotFound) as refused:
        write_files(desk.db, new, desk.session, tmp_path)
    assert refused.value.code == "epoch_gone"
