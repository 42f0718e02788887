"""Signing results: one envelope a candidate, its ledger entry and its outbox row in one transaction."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge import clock
from edge.domain.scoring import TESTS, verdict
from edge.errors import Conflict, NotFound
from edge.exam.intake import commitment
from edge.exam.papers import local_share, paper_section
from edge.exam.policies import policy_digest
from edge.exam.practical import need_complete, needed_tests
from edge.store import checkins, faces, ledger, people, records, sessions, unlocks
from edge.store.db import transaction
from edge.trust import checkpoint, dsse
from edge.trust.enrolment import Identity
from edge.trust.verifier.resultfile import result_file


def sign_results(connection: sqlite3.Connection, identity: Identity, session_id: str, by: str, reason: str = "") -> int:
    """Sign everybody's result, absent ones too, and queue them for upload; how many were signed.

    Conflict while a candidate who sat lacks a score sheet that policy needs, or one is in dispute.
    """
    session = sessions.find(connection, session_id)
    if session.practice:  # nothing of it counts, so nothing of it is signed or sent
        raise Conflict("practice_not_signed")
    sessions.need_state(session, "closed")
    everyone = people.candidates(connection, session_id)
    attempts = sessions.attempts(connection, session_id)
    entries = _admissions(connection, session_id)
    epoch = identity.certificate.epoch
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), "closed")
        need_complete(connection, session)
        tests = records.tests_of(connection, session_id)
        for who in everyone:
            seq = records.next_result_seq(connection, epoch)
            payload = _payload(session, identity, who, tests.get(who.person, {}), attempts[who.person], seq)
            payload["checkin"] = entries.get(who.person)
            size = ledger.size(connection)
            payload["ledger"] = {"size": size, "root": ledger.root(connection, size).hex()}
            envelope = dsse.sign_envelope(dsse.RESULT, payload, [identity.keys.sign])
            sha256 = hashlib.sha256(envelope).hexdigest()
            records.add_result(connection, records.Result(epoch, seq, session_id, who.person, envelope, sha256))
            body = {"epoch": epoch, "seq": seq, "sha256": sha256}
            ledger.append(connection, "result", body, subject=who.person, session=session_id, by=by)
        faces.delete_of_session(connection, session_id, by, "signed")  # of those another session awaited at the close
        unlocks.forget(connection, session_id, by)  # unlocked again after the close, to accept an answer
        sessions.set_state(connection, session_id, "signed")
        told = records.reason_of(connection, session_id, "results_signed", reason, by)
        ledger.append(connection, "results_signed", {"count": len(everyone)} | told, session=session_id, by=by)
    make_checkpoint(connection, identity)
    return len(everyone)


def make_checkpoint(connection: sqlite3.Connection, identity: Identity) -> ledger.Checkpoint:
    """A signed tree head over everything so far."""
    origin = identity.certificate.origin
    size = ledger.size(connection)
    root = ledger.root(connection, size)
    note = checkpoint.sign_note(origin, size, root, origin, identity.keys.sign)
    with transaction(connection):
        ledger.save_checkpoint(connection, size, root, note)
    latest = ledger.latest_checkpoint(connection)
    if latest is None:
        raise Conflict("session_state", state="no checkpoint")
    return latest


def _admissions(connection: sqlite3.Connection, session_id: str) -> dict[str, dict[str, Any]]:
    """How each person came in: route, reason, time and the ledger entry that says so."""
    return {
        c.person: {"route": c.route, "reason": c.reason, "at": clock.iso(c.at_ms), "entry": c.ledger_seq}
        for c in checkins.everything(connection, session_id)
        if c.outcome == "admitted" and c.person is not None
    }


def _payload(
    session: sessions.Session,
    identity: Identity,
    who: people.Candidate,
    tests: Mapping[str, records.TestRecord],
    attempt: sessions.Attempt,
    seq: int,
) -> dict[str, Any]:
    passed = {test: record.passed for test, record in tests.items()}
    return {
        "version": 1,
        "room": identity.certificate.room,
        "epoch": identity.certificate.epoch,
        "seq": seq,
        "session": {
            "id": session.id,
            "title": session.title,
            "institution": session.institution,
            "class": session.class_title,
            "regime": session.regime,
            "post": session.post,
            "level": session.level,
            "practice": session.practice,
        },
        "candidate": {
            "subject": who.person,
            "number": who.number,
            "name": who.name,
            "document": {"type": who.document_type, "number": who.document_number},
            "salt": who.salt,
            "commitment": commitment(who.salt, who.name, who.document_type, who.document_number),
        },
        "tests": {test: _test(tests.get(test)) for test in TESTS},
        "verdict": "absent" if who.state == "absent" else verdict(passed, needed_tests(session)),
        "needed": list(needed_tests(session)),
        "policy": {
            "sha256": policy_digest(session.policy),
            "pass": session.policy["pass"],
            "local_bank_share": local_share(session),
        },
        "paper": paper_section(session, attempt),
        "signed_at": clock.now().iso(),
    }


def _test(record: records.TestRecord | None) -> dict[str, Any] | None:
    if record is None:
        return None
    return {"points": record.points, "full": record.full, "passed": record.passed, "facts": dict(record.facts)}


def write_files(connection: sqlite3.Connection, identity: Identity, session_id: str, folder: Path) -> list[Path]:
    """One file a result under `folder`/session, each with all a stranger needs to check it but the root key.

    Named by number alone. A file that is there already and says the same stays as it is. Conflict once the results have
    been deleted on their date; NotFound (`epoch_gone`) for one signed in an earlier epoch of which too little is left.
    """
    results = records.results_of(connection, session_id)
    if any(not result.envelope for result in results):
        raise Conflict("results_deleted")
    target = folder / session_id
    target.mkdir(parents=True, exist_ok=True)
    written = []
    entries = {
        (e.body["epoch"], e.body["seq"]): e for e in ledger.entries(connection, session=session_id, kinds=("result",))
    }
    for result in results:
        entry = entries[result.epoch, result.seq]
        envelope, certificate = identity.signer_of(result.envelope)
        head = ledger.checkpoint_covering(connection, entry.seq, certificate.origin)
        if head is None:
            if certificate != identity.certificate:
                raise NotFound("epoch_gone")  # the key that could sign one is no more
            head = make_checkpoint(connection, identity)
        path = ledger.inclusion_proof(connection, entry.seq, head.size)
        file = target / f"{result.epoch:03d}-{result.seq:06d}.json"
        if not file.exists():
            part = file.with_suffix(".part")
            part.write_bytes(result_file(envelope, result.envelope, head.note, entry.entry, path))
            part.replace(file)
        written.append(file)
    return written
