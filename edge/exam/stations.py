"""Stations 工位: who is called next, each candidate's clock, which tablet scores, finished steps, drafts.

The room's clock is the one that counts. A tablet that had lost the network says how long ago something happened
(`ago_ms`, by its own clock of durations); that is believed up to `LATEST_MS`, never before the clock's last act, and
noted in the ledger, so that a late word is seen as one.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edge import clock
from edge.domain.reasons import words
from edge.domain.timing import ExamClock
from edge.errors import BadInput, Conflict, NotFound
from edge.exam import acts
from edge.store import ledger, people, practical, sessions, sheets, staff
from edge.store.db import transaction
from edge.store.records import keep_reason

LATEST_MS = 2 * 3_600_000
NOTED_LATE_MS = 2_000
OPEN_STATES = ("checkin", "running", "closed")
_CLOCK_ACTS = {
    "start": (("queued", "called"), "working", True),
    "pause": (("working",), "paused", False),
    "resume": (("paused", "stopped"), "working", True),
    "stop": (("working", "paused"), "stopped", False),
}
_WITH_REASON = ("pause",)


def slots(session: sessions.Session) -> int:
    """How many examiners score each candidate, by the session's signed policy."""
    return int(session.policy.get("examiners", 1))


def find_rubric(connection: sqlite3.Connection, session: str, rubric: str | None) -> dict[str, Any]:
    """The rubric asked for; without an id the first practical one, else the first. NotFound when there is none."""
    known = practical.rubrics(connection, session)
    if not known:
        raise NotFound("no_rubric")
    if rubric is None:
        return next((one for one in known.values() if one["test"] == "practical"), next(iter(known.values())))
    if rubric not in known:
        raise NotFound("rubric_unknown")
    return known[rubric]


def default_station(stations: Mapping[str, practical.Station], rubric: str, number: int) -> str:
    """Where a candidate goes who was not sent anywhere: the session's `stations` of a rubric take turns by number."""
    own = [s.id for s in stations.values() if s.rubric == rubric]
    return own[(number - 1) % len(own)]


def work_of(connection: sqlite3.Connection, session: str, person: str, rubric: str) -> practical.Work:
    """The candidate's work at this rubric, made when it is not there yet; inside the caller's transaction."""
    found = practical.find_work(connection, session, person, rubric)
    if found is not None:
        return found
    who = people.candidate(connection, session, person)
    station = default_station(practical.stations(connection, session), rubric, who.number)
    return practical.add_work(connection, session, person, rubric, station)


def _open(connection: sqlite3.Connection, session_id: str, person: str, rubric: str) -> practical.Work:
    """The work of somebody who is here, in a session that is under way."""
    sessions.need_state(sessions.find(connection, session_id), *OPEN_STATES)
    find_rubric(connection, session_id, rubric)
    if people.candidate(connection, session_id, person).state not in ("admitted", "finished"):
        raise Conflict("not_admitted")
    return work_of(connection, session_id, person, rubric)


# ---- the queue


def queue(
    connection: sqlite3.Connection,
    session_id: str,
    person: str,
    rubric: str,
    *,
    act: str,
    by: str,
    station: str | None = None,
    op: acts.Op | None = None,
) -> dict[str, Any]:
    """Call somebody to the station, skip them to its end, or send them to another `station` of the same rubric."""
    with transaction(connection):
        work = _open(connection, session_id, person, rubric)
        if work.state not in ("queued", "called"):
            raise Conflict("work_begun")
        body = {"work": work.id, "station": work.station}
        if act == "call":
            work = replace(work, state="called")
        elif act == "skip":
            last = practical.last_place(connection, session_id, work.station)
            work = replace(work, state="queued", place=last + 1)
        else:
            target = practical.stations(connection, session_id).get(station or "")
            if target is None or target.rubric != rubric:
                raise NotFound("station_unknown")
            last = practical.last_place(connection, session_id, target.id)
            work = replace(work, state="queued", station=target.id, place=last + 1)
            body["to"] = target.id
        practical.save_work(connection, work)
        kind = {"call": "station_called", "skip": "station_skipped", "send": "station_sent"}[act]
        ledger.append(connection, kind, body, subject=person, session=session_id, by=by)
        answer = {"state": work.state, "station": work.station}
        acts.settle(connection, op, answer)
    return answer


# ---- the clock


def elapsed(work: practical.Work) -> int:
    return work.timer.elapsed(clock.boot_id(), clock.mono_ms())


def turn_clock(
    connection: sqlite3.Connection,
    session_id: str,
    person: str,
    rubric: str,
    *,
    act: str,
    by: str,
    tablet: str = "",
    reason: str = "",
    ago_ms: int = 0,
    cameras: frozenset[str] | None = None,
    op: acts.Op | None = None,
) -> dict[str, Any]:
    """Start, pause, resume or stop a candidate's clock; {"outcome", "state", "elapsed_ms"}.

    A pause, and going on after a stop, want a reason. Conflict where the clock is not in a state for that. From a
    tablet in whose place another scores now it is kept beside (outcome `stale`), and the clock stays as it is.
    `cameras`: those that record now, where that is known.
    """
    allowed, state, runs = _CLOCK_ACTS[act]
    with transaction(connection):
        work = _open(connection, session_id, person, rubric)
        if not take_slot(connection, session_id, work, by, tablet):
            _keep_beside(connection, work, by, tablet, {"act": act}, _believed(ago_ms))
            answer = {"outcome": "stale", "state": work.state, "elapsed_ms": elapsed(work), "now": clock.wall_ms()}
            acts.settle(connection, op, answer)
            return answer
        if work.state not in allowed:
            raise Conflict("clock_state")
        said = reason.strip()
        if (act in _WITH_REASON or work.state == "stopped") and len(said) < 2:
            raise BadInput("reason_wanted")
        ago = _believed(ago_ms)
        work = replace(_turned(work, runs, ago), state=state)
        if act == "start":
            work = replace(work, started_ms=clock.wall_ms() - ago)
        work = replace(work, stopped_ms=clock.wall_ms() - ago if act == "stop" else None)
        practical.save_work(connection, work)
        body = {"act": act, "work": work.id, "station": work.station, "elapsed_ms": work.acted_elapsed_ms}
        if said:
            body["reason_sha256"] = keep_reason(connection, session_id, "work_clock", said, by)
        body |= _where(connection, work, ago, cameras)
        ledger.append(connection, "work_clock", body, subject=person, session=session_id, by=by)
        answer = {
            "outcome": "applied",
            "state": work.state,
            "elapsed_ms": elapsed(work),
            "now": clock.wall_ms(),
        }
        acts.settle(connection, op, answer)
    return answer


def _keep_beside(
    connection: sqlite3.Connection, work: practical.Work, by: str, tablet: str, body: Mapping[str, Any], ago: int
) -> None:
    """What a replaced tablet still sends changes nothing, and is not lost: its examiner sees it on the sheet."""
    at_ms = clock.wall_ms() - ago
    practical.put_beside(connection, work.id, by, tablet, body, at_ms)
    entry = {"work": work.id, "station": work.station, "ms": at_ms, **body}
    ledger.append(connection, "work_act_kept", entry, subject=work.person, session=work.session, by=by)


def _believed(ago_ms: int) -> int:
    return max(0, min(ago_ms, LATEST_MS))


def _turned(work: practical.Work, runs: bool, ago: int) -> practical.Work:
    """The clock started or stopped `ago` ms before now, never to before its last act."""
    boot, now = clock.boot_id(), clock.mono_ms()
    reading = work.timer.elapsed(boot, now)
    if work.timer.running:
        at_act = max(work.acted_elapsed_ms, reading - ago)
        begun = at_act
    else:
        at_act = reading
        begun = reading + (ago if runs else 0)
    return replace(work, timer=ExamClock(begun, runs, boot, now), acted_elapsed_ms=at_act)


def _where(
    connection: sqlite3.Connection, work: practical.Work, ago: int, cameras: frozenset[str] | None
) -> dict[str, Any]:
    """The station's camera, whether it records, and the moment, so that the spot check finds the picture."""
    camera = practical.stations(connection, work.session)[work.station].camera
    found: dict[str, Any] = {"camera": camera, "ms": clock.wall_ms() - ago}
    if camera is not None and cameras is not None:
        found["recording"] = camera in cameras
    return found | ({"late_ms": ago} if ago > NOTED_LATE_MS else {})


def tick(connection: sqlite3.Connection) -> int:
    """Write the running clocks down, so that a power cut costs nobody more than a few seconds; how many run."""
    running = practical.running_works(connection)
    if not running:
        return 0
    with transaction(connection):
        running = practical.running_works(connection)
        for work in running:
            timer = work.timer.tick(clock.boot_id(), clock.mono_ms())
            practical.save_work(connection, replace(work, timer=timer))
    return len(running)


# ---- which tablet


def take_slot(connection: sqlite3.Connection, session_id: str, work: practical.Work, by: str, tablet: str) -> bool:
    """Whether `tablet` is the one that scores for this examiner; the first to begin takes a free place.

    Conflict, naming who has it, when other examiners have all the places. Inside the caller's transaction.
    """
    held = [hold for hold in practical.holds_of(connection, work.id) if hold.ended_ms is None]
    mine = next((hold for hold in held if hold.examiner == by), None)
    if mine is not None:
        if mine.tablet == tablet or not tablet:
            practical.saw_hold(connection, work.id, by)
            return True
        return False
    if len(held) >= slots(sessions.find(connection, session_id)):
        other = staff.by_id(connection, held[-1].examiner)
        raise Conflict("score_held", who=other.name if other else "-", since=_china_time(held[-1].since_ms))
    practical.put_hold(connection, work.id, by, tablet)
    body = {"work": work.id}
    ledger.append(connection, "scoring_begun", body, subject=work.person, session=session_id, by=by)
    return True


def need_slot(connection: sqlite3.Connection, session_id: str, work: practical.Work, by: str, tablet: str) -> None:
    """As `take_slot`; Conflict when another tablet of the same examiner scores now."""
    if not take_slot(connection, session_id, work, by, tablet):
        since = next(h.since_ms for h in practical.holds_of(connection, work.id) if h.examiner == by)
        raise Conflict("score_elsewhere", since=_china_time(since))


def _china_time(wall_ms: int) -> str:
    minutes = (wall_ms // 60_000 + 8 * 60) % (24 * 60)
    return f"{minutes // 60:02}:{minutes % 60:02}"


def take_over(
    connection: sqlite3.Connection,
    session_id: str,
    person: str,
    rubric: str,
    *,
    by: str,
    tablet: str,
    examiner: str | None = None,
    reason: str = "",
    op: acts.Op | None = None,
) -> dict[str, Any]:
    """Score on this tablet from now on. Another `examiner`'s place wants a reason, and is not to be had once signed.

    What the other tablet had saved stays; what it sends later is kept beside it.
    """
    with transaction(connection):
        work = _open(connection, session_id, person, rubric)
        body: dict[str, Any] = {"work": work.id}
        if examiner is not None and examiner != by:
            if any(s.examiner == examiner for s in _signed(connection, session_id, work)):
                raise Conflict("score_exists")
            if len(reason.strip()) < 2:
                raise BadInput("reason_wanted")
            body["from"] = examiner
            body["reason_sha256"] = keep_reason(connection, session_id, "scoring_taken_over", reason.strip(), by)
            practical.end_hold(connection, work.id, examiner)
            take_slot(connection, session_id, work, by, tablet)
        else:
            if not any(h.examiner == by and h.ended_ms is None for h in practical.holds_of(connection, work.id)):
                take_slot(connection, session_id, work, by, tablet)
            practical.put_hold(connection, work.id, by, tablet)
        ledger.append(connection, "scoring_taken_over", body, subject=person, session=session_id, by=by)
        standing, _ = practical.drafts(connection, work.id, by)
        answer = {"version": standing.version if standing else 0, "body": dict(standing.body) if standing else None}
        acts.settle(connection, op, {"version": answer["version"]})
    return answer


def _signed(connection: sqlite3.Connection, session_id: str, work: practical.Work) -> list[sheets.Sheet]:
    return [s for s in sheets.sheets(connection, session_id) if (s.person, s.rubric) == (work.person, work.rubric)]


# ---- steps and drafts


def mark_step(
    connection: sqlite3.Connection,
    session_id: str,
    person: str,
    rubric: str,
    *,
    step: str,
    done: bool,
    by: str,
    tablet: str = "",
    ago_ms: int = 0,
    cameras: frozenset[str] | None = None,
    op: acts.Op | None = None,
) -> dict[str, Any]:
    """A step is finished (or open again): stamped with wall time, the candidate's clock and the station's camera.

    From a tablet in whose place another scores now it is kept beside (outcome `stale`), and no stamp changes.
    """
    if step not in {one["id"] for one in find_rubric(connection, session_id, rubric)["steps"]}:
        raise BadInput("rubric_wrong", detail=words("marks_unknown", ids=step))
    with transaction(connection):
        work = _open(connection, session_id, person, rubric)
        ago = _believed(ago_ms)
        if not take_slot(connection, session_id, work, by, tablet):
            _keep_beside(connection, work, by, tablet, {"step": step, "done": done}, ago)
            answer: dict[str, Any] = {"outcome": "stale", "step": step, "done": done}
            acts.settle(connection, op, answer)
            return answer
        where = _where(connection, work, ago, cameras)
        reading = elapsed(work)
        reading = max(work.acted_elapsed_ms, reading - ago) if work.timer.running else reading
        stamp = practical.Stamp(where["ms"], reading, where["camera"], where.get("recording")) if done else None
        practical.put_stamp(connection, work.id, by, step, stamp)
        body = {"work": work.id, "step": step, "done": done, "station": work.station, "elapsed_ms": reading, **where}
        ledger.append(connection, "step_scored", body, subject=person, session=session_id, by=by)
        answer = {"outcome": "applied", "step": step, "done": done, "at_ms": where["ms"], "elapsed_ms": reading}
        acts.settle(connection, op, answer)
    return answer


def save_draft(
    connection: sqlite3.Connection,
    session_id: str,
    person: str,
    rubric: str,
    *,
    body: Mapping[str, Any],
    base: int,
    by: str,
    tablet: str,
    op: acts.Op | None = None,
) -> dict[str, Any]:
    """Keep a draft: applied over version `base`, or kept beside the one that stands when that is another by now.

    {"outcome": applied | stale, "version", "elsewhere": whether another tablet scores now}.
    """
    with transaction(connection):
        work = _open(connection, session_id, person, rubric)
        holds_it = take_slot(connection, session_id, work, by, tablet)
        before, _ = practical.drafts(connection, work.id, by)
        version = before.version if before else 0
        applied = holds_it and base == version
        practical.put_draft(
            connection,
            work.id,
            by,
            tablet=tablet,
            version=version + 1 if applied else base,
            body=body,
            stale=not applied,
        )
        answer = {
            "outcome": "applied" if applied else "stale",
            "version": version + 1 if applied else version,
            "elsewhere": not holds_it,
            "at_ms": clock.wall_ms(),
        }
        acts.settle(connection, op, answer)
    return answer
