"""Signed score sheets: one examiner's, two examiners' together, a ruling where they do not agree.

A signed sheet is never changed. A correction is a new version of it with a reason, until the results are signed; then
nothing is. What a candidate reached in a test is written down when all its rubrics are settled, and taken back when a
correction opens one of them again.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge import clock
from edge.domain.canonical import canonical
from edge.domain.reasons import words
from edge.domain.rubric import Marks, evaluate, missing, settle, step_times
from edge.domain.scoring import TESTS, Score
from edge.domain.strokes import check_strokes
from edge.errors import BadInput, Conflict, NotFound, Refused
from edge.exam import acts
from edge.exam.stations import OPEN_STATES, elapsed, find_rubric, need_slot, slots, work_of
from edge.store import ledger, people, pictures, practical, records, sessions, sheets, staff
from edge.store.db import transaction
from edge.store.records import keep_reason
from edge.trust.roomkeys import DataKey
from edge.why import why

DEFAULT_DIFFERENCE = 10


@dataclass(frozen=True)
class Signatures:
    """Drawn on the tablet as strokes of points; a candidate may decline, which is noted instead."""

    candidate: Sequence[Sequence[int]] | None = None
    examiner: Sequence[Sequence[int]] | None = None
    declined: bool = False


@dataclass(frozen=True)
class Standing:
    """Where one candidate stands at one rubric: open, waiting, settled, disputed or ruled; points in hundredths."""

    state: str
    sheets: tuple[sheets.Sheet, ...]
    points: int | None = None
    vetoed: bool = False
    why: str = ""


def score_practical(
    connection: sqlite3.Connection,
    session_id: str,
    person: str,
    *,
    marks: Mapping[str, int],
    vetoes: list[str],
    note: str,
    by: str,
    rubric_id: str | None = None,
    measured: Mapping[str, str] | None = None,
    signatures: Signatures | None = None,
    correction: str = "",
    tablet: str = "",
    shots: Sequence[str] = (),
    data_key: DataKey | None = None,
    op: acts.Op | None = None,
) -> dict[str, Any]:
    """Sign a sheet: {"points", "full", "vetoed", "passed", "sheet", "version", "standing"}; points in hundredths.

    Conflict for a second sheet of the same examiner without a `correction` reason, for one examiner more than the
    policy has, on a tablet in whose place another scores now, while the candidate's clock runs, and while one of the
    pictures the tablet took (`shots`, their SHA-256) is not here. BadInput for marks that do not fit, and for what is
    missing.
    """
    rubric = find_rubric(connection, session_id, rubric_id)
    session = sessions.find(connection, session_id)
    sessions.need_state(session, *OPEN_STATES)
    given = signatures or Signatures()
    strokes = _strokes(session, given)
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), *OPEN_STATES)
        who = people.candidate(connection, session_id, person)
        if who.state not in ("admitted", "finished"):
            raise Conflict("not_admitted")
        mine = _may_sign(connection, session, person, rubric["id"], by, correction)
        work = work_of(connection, session_id, person, rubric["id"])
        need_slot(connection, session_id, work, by, tablet)
        facts = _facts(connection, rubric, work, by, dict(marks), vetoes, dict(measured or {}))
        try:
            outcome = evaluate(rubric, facts)
        except ValueError as error:
            raise BadInput("rubric_wrong", detail=why(error)) from error
        shown = sorted(p.sha256 for p in pictures.of_work(connection, work.id, by) if p.done)
        if lacking := set(shots) - set(shown):
            raise Conflict("pictures_missing", count=len(lacking))
        body: dict[str, Any] = {
            "marks": {key: count for key, count in facts.counts.items() if count},
            "vetoes": sorted(vetoes),
            "measured": dict(facts.measured),
            "step_ms": dict(facts.step_ms),
            "elapsed_ms": facts.elapsed_ms,
            "note": note,
            "pictures": shown,
            "signatures": {name: hashlib.sha256(plain).hexdigest() for name, plain in strokes.items()},
            "declined": given.declined,
            "station": work.station,
            "why": list(outcome.why),
        }
        version = mine.version + 1 if mine else 1
        digest = hashlib.sha256(canonical([who.salt, rubric["id"], by, version, body])).hexdigest()
        score = outcome.score
        sheet = sheets.Sheet(
            secrets.token_hex(12),
            person,
            rubric["id"],
            by,
            version,
            body,
            digest,
            score.points,
            score.full,
            outcome.vetoed,
            clock.wall_ms(),
        )
        sheets.add_sheet(connection, session_id, sheet)
        for name, plain in strokes.items():
            if data_key is None:
                raise BadInput("drawing_wrong", detail=words("stroke_key"))
            sheets.add_signature(connection, sheet.id, name, data_key.encrypt(plain, f"{sheet.id}/{name}".encode()))
        entry: dict[str, Any] = {"rubric": rubric["id"], "test": rubric["test"], "sheet_sha256": digest}
        entry |= {"version": version, "station": work.station, "pictures": len(shown)}
        if mine is not None:
            entry["corrects"] = mine.sha256
            entry["reason_sha256"] = keep_reason(connection, session_id, "correction", correction.strip(), by)
            sheets.void_rulings(connection, session_id, person, rubric["id"])
        ledger.append(connection, "practical_scored", entry, subject=person, session=session_id, by=by)
        standing = _settle(connection, session, person, rubric, by)
        percent = int(session.policy["pass"][rubric["test"]])
        answer = {
            "points": score.points,
            "full": score.full,
            "vetoed": outcome.vetoed,
            "passed": outcome.passes(percent),
            "sheet": sheet.id,
            "version": version,
            "standing": standing.state,
        }
        acts.settle(connection, op, answer)
    return answer


def _strokes(session: sessions.Session, given: Signatures) -> dict[str, bytes]:
    """The drawn signatures as checked bytes. BadInput when one the policy wants is missing."""
    if session.policy.get("signatures"):
        if given.examiner is None:
            raise BadInput("drawing_missing")
        if given.candidate is None and not given.declined:
            raise BadInput("drawing_missing")
    drawn = {"candidate": given.candidate, "examiner": given.examiner}
    try:
        return {name: canonical(check_strokes(lines)) for name, lines in drawn.items() if lines is not None}
    except ValueError as error:
        raise BadInput("drawing_wrong", detail=why(error)) from error


def _may_sign(
    connection: sqlite3.Connection, session: sessions.Session, person: str, rubric: str, by: str, correction: str
) -> sheets.Sheet | None:
    """The examiner's own sheet that a new one corrects, or None for the first."""
    standing = in_force(connection, session.id).get((person, rubric), ())
    mine = next((one for one in standing if one.examiner == by), None)
    if mine is not None and len(correction.strip()) < 2:
        raise Conflict("score_signed")
    if mine is None and len(standing) >= slots(session):
        raise Conflict("score_exists")
    if mine is None and correction.strip():
        raise Conflict("nothing_to_correct")
    return mine


def _facts(
    connection: sqlite3.Connection,
    rubric: Mapping[str, Any],
    work: practical.Work,
    by: str,
    counts: dict[str, int],
    vetoes: Sequence[str],
    measured: dict[str, str],
) -> Marks:
    """The marks with the room's own times. Conflict or BadInput for what has to be there before anybody signs."""
    if work.timer.running:
        raise Conflict("clock_runs")
    timed = work.started_ms is not None
    if rubric.get("over") and not timed and not vetoes:
        raise Conflict("clock_not_started")
    stamps = practical.stamps(connection, work.id, by)
    open_steps = [
        str(place)
        for place, step in enumerate(rubric["steps"], start=1)
        if timed and step.get("over") and step["id"] not in stamps
    ]
    if open_steps and not vetoes:
        raise Conflict("step_not_finished", steps=", ".join(open_steps))
    order = [step["id"] for step in rubric["steps"]]
    took = step_times({step: stamp.elapsed_ms for step, stamp in stamps.items()}, order) if timed else {}
    marks = Marks(counts, frozenset(vetoes), measured, took, elapsed(work) if timed else None)
    if lacking := missing(rubric, marks):
        raise BadInput("measure_missing", count=len(lacking))
    return marks


# ---- what the sheets come to


def in_force(connection: sqlite3.Connection, session_id: str) -> dict[tuple[str, str], tuple[sheets.Sheet, ...]]:
    """The newest version of each examiner's sheet, by (person, rubric), in the order of first signing."""
    newest: dict[tuple[str, str], dict[str, sheets.Sheet]] = {}
    for sheet in sheets.sheets(connection, session_id):
        newest.setdefault((sheet.person, sheet.rubric), {})[sheet.examiner] = sheet
    return {key: tuple(found.values()) for key, found in newest.items()}


def standings(connection: sqlite3.Connection, session: sessions.Session) -> dict[tuple[str, str], Standing]:
    """Where everybody with a sheet stands, by (person, rubric)."""
    ruled = sheets.rulings(connection, session.id)
    known = practical.rubrics(connection, session.id)
    found: dict[tuple[str, str], Standing] = {}
    for key, signed in in_force(connection, session.id).items():
        found[key] = _standing(session, known[key[1]], signed, ruled.get(key))
    return found


def _standing(
    session: sessions.Session,
    rubric: Mapping[str, Any],
    signed: tuple[sheets.Sheet, ...],
    ruling: sheets.Ruling | None,
) -> Standing:
    if ruling is not None:
        return Standing("ruled", signed, ruling.points, ruling.vetoed)
    settled = settle(
        [(sheet.points, sheet.vetoed) for sheet in signed],
        signed[0].full,
        slots(session),
        int(session.policy.get("max_difference", DEFAULT_DIFFERENCE)),
        int(session.policy["pass"][rubric["test"]]),
    )
    return Standing(settled.state, signed, settled.points, settled.vetoed, settled.why)


def _settle(
    connection: sqlite3.Connection, session: sessions.Session, person: str, rubric: Mapping[str, Any], by: str
) -> Standing:
    """Bring the test's record in line with the sheets, in the caller's transaction; a dispute is told in the ledger."""
    everything = standings(connection, session)
    standing = everything[(person, rubric["id"])]
    test = rubric["test"]
    own = {key: one for key, one in practical.rubrics(connection, session.id).items() if one["test"] == test}
    parts = [everything.get((person, key)) for key in own]
    whole = [part for part in parts if part is not None and part.points is not None]
    if len(whole) < len(parts):
        sheets.drop_test(connection, session.id, person, test)
    else:
        full = sum(part.sheets[0].full for part in whole)
        vetoed = any(part.vetoed for part in whole)
        points = 0 if vetoed else sum(part.points or 0 for part in whole)
        passed = not vetoed and Score(points, full).passes(int(session.policy["pass"][test]))
        facts = {
            "rubrics": sorted(own),
            "examiners": sorted({sheet.examiner for part in whole for sheet in part.sheets}),
            "sheets": sorted(sheet.sha256 for part in whole for sheet in part.sheets),
            "ruled": any(part.state == "ruled" for part in whole),
            "vetoed": vetoed,
        }
        records.put_test(
            connection, session.id, person, records.TestRecord(test, "scored", points, full, passed, facts)
        )
    if standing.state == "disputed":
        body = {
            "rubric": rubric["id"],
            "why": standing.why,
            "sheets": sorted(sheet.sha256 for sheet in standing.sheets),
        }
        ledger.append(connection, "practical_disputed", body, subject=person, session=session.id, by=by)
    return standing


# ---- the third word


def name_chief(
    connection: sqlite3.Connection, session_id: str, examiner: str, reason: str, by: str, op: acts.Op | None = None
) -> dict[str, Any]:
    """The proctor names who decides disputes of this session. Refused for anybody who is no examiner of it."""
    if staff.role_in(connection, session_id, examiner) != "examiner":
        raise Refused("chief_no_examiner")
    if len(reason.strip()) < 2:
        raise BadInput("reason_wanted")
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), "planned", *OPEN_STATES)
        practical.name_chief(connection, session_id, examiner, by)
        digest = keep_reason(connection, session_id, "chief_named", reason.strip(), by)
        body = {"examiner": examiner, "reason_sha256": digest}
        ledger.append(connection, "chief_named", body, session=session_id, by=by)
        answer = {"chiefs": practical.chiefs(connection, session_id)}
        acts.settle(connection, op, answer)
    return answer


def rule(
    connection: sqlite3.Connection,
    session_id: str,
    person: str,
    rubric_id: str,
    *,
    points: int,
    vetoed: bool,
    reason: str,
    by: str,
    op: acts.Op | None = None,
) -> dict[str, Any]:
    """A chief examiner's word over sheets in dispute, `points` in hundredths; {"points", "vetoed", "standing"}.

    Refused for who is no chief or signed one of the sheets; Conflict when there is no dispute.
    """
    rubric = find_rubric(connection, session_id, rubric_id)
    session = sessions.find(connection, session_id)
    sessions.need_state(session, *OPEN_STATES)
    if by not in practical.chiefs(connection, session_id):
        raise Refused("chief_only")
    if len(reason.strip()) < 2:
        raise BadInput("reason_wanted")
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), *OPEN_STATES)
        standing = standings(connection, session).get((person, rubric_id))
        if standing is None or standing.state != "disputed":
            raise Conflict("no_dispute")
        if by in {sheet.examiner for sheet in standing.sheets}:
            raise Refused("chief_involved")
        worth = 0 if vetoed else points
        if not 0 <= worth <= standing.sheets[0].full:
            raise BadInput("points_wrong", full=standing.sheets[0].full // 100)
        ids = tuple(sheet.id for sheet in standing.sheets)
        sheets.add_ruling(
            connection, session_id, sheets.Ruling(person, rubric_id, ids, worth, vetoed, by, clock.wall_ms())
        )
        body = {
            "rubric": rubric_id,
            "sheets": sorted(sheet.sha256 for sheet in standing.sheets),
            "points": worth,
            "vetoed": vetoed,
            "reason_sha256": keep_reason(connection, session_id, "ruling", reason.strip(), by),
        }
        ledger.append(connection, "practical_ruled", body, subject=person, session=session_id, by=by)
        answer = {"points": worth, "vetoed": vetoed, "standing": _settle(connection, session, person, rubric, by).state}
        acts.settle(connection, op, answer)
    return answer


# ---- before results are signed


def needed_tests(session: sessions.Session) -> tuple[str, ...]:
    """The tests a candidate has to pass, by the session's signed policy; all three where it says nothing."""
    return tuple(session.policy.get("tests") or TESTS)


def need_complete(connection: sqlite3.Connection, session: sessions.Session) -> None:
    """Conflict, naming the candidates' numbers, while a needed test lacks a sheet or has an open dispute."""
    known = {
        key: one
        for key, one in practical.rubrics(connection, session.id).items()
        if one["test"] in needed_tests(session)
    }
    found = standings(connection, session)
    lacking: dict[str, list[int]] = {"open": [], "waiting": [], "disputed": []}
    for who in people.candidates(connection, session.id):
        if who.state != "finished":
            continue
        for key in known:
            standing = found.get((who.person, key))
            state = standing.state if standing else "open"
            if state in lacking and who.number not in lacking[state]:
                lacking[state].append(who.number)
    if numbers := lacking["disputed"]:
        raise Conflict("practical_disputed", count=len(numbers), numbers=_numbers(numbers))
    if numbers := lacking["open"]:
        raise Conflict("practical_missing", count=len(numbers), numbers=_numbers(numbers))
    if numbers := lacking["waiting"]:
        raise Conflict("practical_second", count=len(numbers), numbers=_numbers(numbers))


def _numbers(numbers: Sequence[int]) -> str:
    most = 12
    shown = ", ".join(str(number) for number in numbers[:most])
    return shown if len(numbers) <= most else f"{shown} …"


def open_signature(
    connection: sqlite3.Connection, session_id: str, sheet_id: str, who: str, data_key: DataKey
) -> bytes:
    """A drawn signature as the canonical JSON of its strokes; NotFound when there is none (any more)."""
    if sheet_id not in {sheet.id for sheet in sheets.sheets(connection, session_id)}:
        raise NotFound("sheet_unknown")
    sealed = sheets.signatures(connection, sheet_id).get(who)
    if sealed is None:
        raise NotFound("sheet_unknown")
    return data_key.decrypt(sealed, f"{sheet_id}/{who}".encode())
