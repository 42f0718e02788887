"""Running a session: what the proctor does, each act one transaction with its ledger entry."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3

from edge.bank.model import BankDocument
from edge.domain.canonical import canonical, canonical_text
from edge.domain.paper import draw_paper, shortages
from edge.errors import BadInput, Conflict
from edge.store import ledger, people, records, sessions
from edge.store.db import transaction
from edge.store.records import keep_reason

MINUTE_MS = 60_000
MAX_EXTRA_MINUTES = 240


def need_reason(reason: str) -> str:
    """The reason, trimmed; BadInput when there is none to speak of."""
    text = reason.strip()
    if len(text) < 2 or len(text) > 500:
        raise BadInput("reason_wanted")
    return text


def open_checkin(connection: sqlite3.Connection, session_id: str, bank: BankDocument, by: str) -> None:
    """Draw everybody's paper and open the door. Conflict in any state but planned; BadInput for a bank too small."""
    session = sessions.find(connection, session_id)
    sessions.need_state(session, "planned")
    items = [item.facts() for item in bank.items]
    if short := shortages(items, session.blueprint):
        detail = "; ".join(f"{s.test}/{s.type} {s.have}/{s.wanted}" for s in short)
        raise BadInput("bank_short", detail=detail)
    seed = secrets.token_hex(16)
    papers = []
    for who in people.candidates(connection, session_id):
        own = hashlib.sha256(f"{seed}/{who.person}".encode()).hexdigest()
        paper = draw_paper(items, session.blueprint, own)
        digest = hashlib.sha256(canonical(paper)).hexdigest()
        papers.append((who.person, secrets.token_hex(12), own, canonical_text(paper), digest))
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), "planned")
        sessions.set_seed(connection, session_id, seed)
        for person, attempt, own, paper_text, digest in papers:
            sessions.add_paper(connection, session_id, person, attempt, own, paper_text, digest)
        sessions.set_state(connection, session_id, "checkin")
        body = {
            "seed": seed,
            "bank": bank.bank,
            "papers": {person: digest for person, _, _, _, digest in papers},
        }
        ledger.append(connection, "checkin_opened", body, session=session_id, by=by)


def start(connection: sqlite3.Connection, session_id: str, by: str) -> None:
    """Start the exam clock's session; the clock itself lives beside the answers."""
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), "checkin")
        sessions.set_state(connection, session_id, "running")
        ledger.append(connection, "exam_started", {}, session=session_id, by=by)


def note_clock(connection: sqlite3.Connection, session_id: str, running: bool, reason: str, by: str) -> None:
    """The ledger's word for a pause or its end."""
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), "running")
        kind = "exam_resumed" if running else "exam_paused"
        body = {"reason_sha256": keep_reason(connection, session_id, kind, reason, by)}
        ledger.append(connection, kind, body, session=session_id, by=by)


def add_time(
    connection: sqlite3.Connection, session_id: str, person: str | None, minutes: int, reason: str, by: str
) -> None:
    """More time for one candidate, or for all."""
    if not 1 <= minutes <= MAX_EXTRA_MINUTES:
        raise BadInput("minutes_wrong")
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), "checkin", "running")
        if person is not None:
            people.candidate(connection, session_id, person)
        sessions.add_extra(connection, session_id, person, minutes * MINUTE_MS)
        body = {"minutes": minutes, "reason_sha256": keep_reason(connection, session_id, "time_added", reason, by)}
        ledger.append(connection, "time_added", body, subject=person, session=session_id, by=by)


def mark_absent(connection: sqlite3.Connection, session_id: str, person: str, reason: str, by: str) -> None:
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), "checkin", "running")
        if people.candidate(connection, session_id, person).state in ("admitted", "finished"):
            raise Conflict("already_admitted", seat="-")
        people.set_state(connection, session_id, person, "absent")
        body = {"reason_sha256": keep_reason(connection, session_id, "absent", reason, by)}
        ledger.append(connection, "absent", body, subject=person, session=session_id, by=by)


def incident(
    connection: sqlite3.Connection, session_id: str, kind: str, text: str, person: str | None, by: str
) -> None:
    """An incident's words stay in the room store; the ledger keeps its kind and a digest."""
    sessions.find(connection, session_id)
    if person is not None:
        people.candidate(connection, session_id, person)
    with transaction(connection):
        records.add_incident(connection, session_id, kind, need_reason(text), by, person)
        body = {"kind": kind, "text_sha256": keep_reason(connection, session_id, "incident", text.strip(), by)}
        ledger.append(connection, "incident", body, subject=person, session=session_id, by=by)


def note_tablet(
    connection: sqlite3.Connection, session_id: str, person: str, act: str, by: str | None, reason: str | None = None
) -> None:
    """The ledger's word for a tablet claimed or released."""
    with transaction(connection):
        body = {"act": act}
        if reason is not None:
            body["reason_sha256"] = keep_reason(connection, session_id, "tablet", reason, by)
        ledger.append(connection, "tablet", body, subject=person, session=session_id, by=by)
