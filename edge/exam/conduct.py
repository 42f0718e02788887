"""Running a session: what the proctor does, each act one transaction with its ledger entry."""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Collection, Mapping, Sequence

from edge.bank.model import BankDocument
from edge.domain.canonical import canonical, canonical_text
from edge.domain.paper import draw_paper
from edge.errors import BadInput, Conflict
from edge.exam import papers
from edge.exam.acts import Op, settle
from edge.store import ledger, people, sessions, timing, uses
from edge.store.db import transaction
from edge.store.records import keep_reason, reason_of

MINUTE_MS = 60_000
MAX_EXTRA_MINUTES = 240


def need_reason(reason: str) -> str:
    """The reason, trimmed; BadInput when there is none to speak of."""
    text = reason.strip()
    if len(text) < 2 or len(text) > 500:
        raise BadInput("reason_wanted")
    return text


def open_checkin(
    connection: sqlite3.Connection,
    session_id: str,
    bank: BankDocument,
    by: str,
    op: Op | None = None,
    reason: str = "",
    cameras: Collection[str] | None = None,
) -> None:
    """Draw everybody's paper and open the door. Conflict in any state but planned; BadInput for a bank too small.

    `cameras`: those that are to record the session; its completeness certificate misses any that does not.
    """
    session = sessions.find(connection, session_id)
    sessions.need_state(session, "planned")
    apart, share = papers.apart(connection, session, bank), papers.local_share(session)
    pools = papers.pools(bank, session.blueprint, apart, share)
    if pools.short:
        raise BadInput("bank_short", detail="; ".join(short.detail for short in pools.short))
    record = papers.draw_record(bank, apart, share)
    seed = secrets.token_hex(16)
    drawn, made = [], []
    for who in people.candidates(connection, session_id):
        own = hashlib.sha256(f"{seed}/{who.person}".encode()).hexdigest()
        paper = draw_paper(pools, own)
        made.append(paper)
        digest = hashlib.sha256(canonical(paper)).hexdigest()
        drawn.append((who.person, secrets.token_hex(12), own, canonical_text(paper), digest))
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), "planned")
        sessions.set_seed(connection, session_id, seed)
        sessions.set_draw(connection, session_id, record)
        for person, attempt, own, paper_text, digest in drawn:
            sessions.add_paper(connection, session_id, person, attempt, own, paper_text, digest)
        if not session.practice:
            uses.note(connection, session_id, papers.uses_of(bank, made))
        sessions.set_state(connection, session_id, "checkin")
        body: dict[str, object] = {
            "seed": seed,
            "bank": bank.bank,
            "draw_sha256": hashlib.sha256(canonical(record)).hexdigest(),
            "papers": {person: digest for person, _, _, _, digest in drawn},
        }
        if cameras is not None:
            body["cameras"] = sorted(cameras)
        told = reason_of(connection, session_id, "checkin_opened", reason, by)
        ledger.append(connection, "checkin_opened", body | told, session=session_id, by=by)
        settle(connection, op)


def start(connection: sqlite3.Connection, session_id: str, by: str, op: Op | None = None, reason: str = "") -> None:
    """Start the exam clock's session; the clock itself lives beside the answers."""
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), "checkin")
        sessions.set_state(connection, session_id, "running")
        told = reason_of(connection, session_id, "exam_started", reason, by)
        ledger.append(connection, "exam_started", told, session=session_id, by=by)
        settle(connection, op)


def note_clock(
    connection: sqlite3.Connection,
    session_id: str,
    running: bool,
    reason: str,
    by: str,
    op: Op | None = None,
    person: str | None = None,
) -> None:
    """The ledger's word for a pause or its end: the room's, or one candidate's."""
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), "running")
        kind = ("exam_" if person is None else "candidate_") + ("resumed" if running else "paused")
        body = {"reason_sha256": keep_reason(connection, session_id, kind, reason, by)}
        ledger.append(connection, kind, body, subject=person, session=session_id, by=by)
        settle(connection, op, {"person": person} if person else None)


def add_time(
    connection: sqlite3.Connection,
    session_id: str,
    person: str | None,
    minutes: int,
    reason: str,
    by: str,
    op: Op | None = None,
    reached: Sequence[str] | None = None,
    reopened: Sequence[str] = (),
) -> None:
    """More time for one candidate, or for all. `reached`: narrows all to these; `reopened`: whose attempt goes on."""
    if not 1 <= minutes <= MAX_EXTRA_MINUTES:
        raise BadInput("minutes_wrong")
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), "planned", "checkin", "running")
        everyone = [who.person for who in people.candidates(connection, session_id)]
        if person is not None:
            everyone = [people.candidate(connection, session_id, person).person]
        timing.add_extra(connection, session_id, everyone if reached is None else reached, minutes * MINUTE_MS)
        body = {"minutes": minutes, "reason_sha256": keep_reason(connection, session_id, "time_added", reason, by)}
        ledger.append(connection, "time_added", body, subject=person, session=session_id, by=by)
        note_reopened(connection, session_id, reopened, by)
        settle(connection, op, {"reopened": len(reopened)})


def note_reopened(connection: sqlite3.Connection, session_id: str, persons: Sequence[str], by: str) -> None:
    """In the caller's transaction: these were closed because their time was over, and have some again."""
    for person in persons:
        if people.candidate(connection, session_id, person).state == "finished":
            people.set_state(connection, session_id, person, "admitted")
        ledger.append(connection, "attempt_reopened", {}, subject=person, session=session_id, by=by)


def mark_absent(
    connection: sqlite3.Connection, session_id: str, person: str, reason: str, by: str, op: Op | None = None
) -> None:
    """Nobody came. May be taken back (`edge.exam.undo`) while the session runs."""
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), "checkin", "running")
        before = people.candidate(connection, session_id, person)
        if before.state in ("admitted", "finished"):
            raise Conflict("already_admitted", seat=before.seat or "-")
        if before.state == "absent":
            raise Conflict("already_absent")
        people.set_state(connection, session_id, person, "absent")
        body = {"reason_sha256": keep_reason(connection, session_id, "absent", reason, by)}
        ledger.append(connection, "absent", body, subject=person, session=session_id, by=by)
        settle(connection, op, {"person": person, "before": {"state": before.state}})


def note_tablet(
    connection: sqlite3.Connection,
    session_id: str,
    person: str,
    act: str,
    by: str | None,
    reason: str | None = None,
    op: Op | None = None,
    answer: Mapping[str, object] | None = None,
) -> None:
    """The ledger's word for a tablet claimed or released."""
    with transaction(connection):
        body = {"act": act}
        if reason is not None:
            body["reason_sha256"] = keep_reason(connection, session_id, "tablet", reason, by)
        ledger.append(connection, "tablet", body, subject=person, session=session_id, by=by)
        settle(connection, op, answer)


def note_handin(
    connection: sqlite3.Connection,
    session_id: str,
    person: str,
    reason: str,
    by: str,
    op: Op | None = None,
    answer: Mapping[str, object] | None = None,
) -> None:
    """The ledger's word for a hand-in that the room made for one candidate."""
    with transaction(connection):
        body = {"reason_sha256": keep_reason(connection, session_id, "hand_in", reason, by)}
        ledger.append(connection, "handed_in_by_room", body, subject=person, session=session_id, by=by)
        settle(connection, op, answer)
