"""Issuing a session's completeness certificate: counted from the index and the ledger alone, and signed.

It covers the door's opening to the session's close by the clock that only goes forward, taken from the two entries of
the ledger. It is issued once the footage of every camera is in the index past the close, or a segment and five minutes
have gone by; footage that is indexed later makes a new version, which says everything anew.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from edge import clock
from edge.config import Config, Paths
from edge.domain import footage
from edge.domain.footage import Cause, Moment
from edge.errors import Conflict
from edge.recording.coverage import SILENT_MS, explained, silence, unindexed
from edge.store import completeness as certificates
from edge.store import deletions, ledger, practical, recorders, segments, sessions, walltime
from edge.store.completeness import Kept
from edge.store.db import transaction
from edge.store.ledger import Entry
from edge.store.segments import Span
from edge.store.status import read_status
from edge.trust import certificate as rooms
from edge.trust import dsse
from edge.trust.checkpoint import sign_note
from edge.trust.completeness_format import BlindFact, CameraFact, ClockFact, Completeness, GapFact
from edge.trust.enrolment import Identity, load

_SOON_MS = 10 * 60_000
_DAY_MS = 86_400_000
_EVER = 1 << 62
_LATE_ENTRIES = 20  # so many after the close may tell of moments before it


@dataclass(frozen=True)
class _Session:
    """A closed session's two moments, with their ledger numbers, and the cameras that were to record it."""

    id: str
    start: Moment
    end: Moment
    first_seq: int
    last_seq: int
    cameras: list[str]


def issue_due(connection: sqlite3.Connection, config: Config, since_seq: int) -> int:
    """Certify each closed session that can be, and again those with footage indexed from `since_seq` on.

    Returns the `since_seq` of the next call. Errors as `certify`.
    """
    upto = ledger.size(connection)
    due = [s for s in certificates.uncertified(connection) if waits_for(connection, config, s) is None]
    due += certificates.outdated(connection, segments.cameras(connection), since_seq)
    identity = load(config.paths) if due else None
    for session in due:
        if identity is not None and _session(connection, session, config.camera).cameras:
            certify(connection, config, identity, session)
    return upto


def waits_for(connection: sqlite3.Connection, config: Config, session: str) -> str | None:
    """The camera whose footage of the session's end may still come into the index; None when all is there.

    Conflict (`completeness_open`) for a session that is not closed.
    """
    found, now = _session(connection, session, config.camera), clock.now()
    same = found.end.mono_ms is not None and found.end.boot_id == now.boot_id
    passed = now.mono_ms - (found.end.mono_ms or 0) if same else now.mono_ms
    if passed >= SILENT_MS + 1000 * config.recording.segment_seconds:
        return None
    for camera in found.cameras:
        if not (same and _past(connection, camera, found.end)):
            return camera
    return None


def certify(connection: sqlite3.Connection, config: Config, identity: Identity, session: str) -> Kept:
    """Sign what is in the index now and keep it, or return the newest version where that says the same.

    Conflict (`completeness_open`) for a session that is not closed, VerificationFailed where the room's certificate is
    not valid now, Unavailable when the store is busy.
    """
    found = _session(connection, session, config.camera)
    rooms.check(identity.envelope, identity.root_public, clock.wall_ms())
    spans = {camera: _spans(connection, camera, found) for camera in found.cameras}
    size = ledger.size(connection)
    root, origin = ledger.root(connection, size), identity.certificate.origin
    note = sign_note(origin, size, root, origin, identity.keys.sign)
    last = certificates.latest(connection, session)
    document = Completeness(
        format=1,
        version=last.version + 1 if last else 1,
        room=identity.certificate.room,
        epoch=identity.certificate.epoch,
        session=session,
        from_ms=found.start.wall_ms,
        until_ms=found.end.wall_ms,
        made_ms=clock.wall_ms(),
        cameras=[_camera(connection, config.paths, camera, found, spans[camera]) for camera in found.cameras],
        clock=_clock(connection, found, spans),
        deleted=_deleted(connection, found),
        checkpoint=note,
    ).model_dump()
    if last is not None:
        said = dsse.peek(last.envelope).payload
        if all(said[key] == document[key] for key in ("epoch", "cameras", "clock", "deleted")):
            return last
    envelope = dsse.sign_envelope(dsse.COMPLETENESS, document, [identity.keys.sign])
    with transaction(connection):
        ledger.save_checkpoint(connection, size, root, note)
        newest = certificates.latest(connection, session)
        if newest is not None and newest.version >= document["version"]:
            return newest  # another process was quicker
        sha256 = hashlib.sha256(envelope).hexdigest()
        return certificates.keep(connection, session, document["version"], envelope, sha256, document["made_ms"])


def _session(connection: sqlite3.Connection, session: str, configured: Collection[str]) -> _Session:
    found = sessions.find(connection, session)
    if found.opened_ms is None or found.closed_ms is None:
        raise Conflict("completeness_open", session=session)
    opened = ledger.entries(connection, session=session, kinds=("checkin_opened",), limit=1)
    closed = ledger.entries(connection, session=session, kinds=("exam_closed",))
    start = _moment(opened[0], found.opened_ms) if opened else Moment(found.opened_ms)
    end = _moment(closed[-1], found.closed_ms) if closed else Moment(found.closed_ms)
    first = opened[0].seq if opened else 0
    last = closed[-1].seq if closed else _EVER
    planned = opened[0].body.get("cameras") if opened else None
    names = set(configured if planned is None else planned)
    names |= {station.camera for station in practical.stations(connection, session).values() if station.camera}
    known = _Session(session, start, end, first, last, [])
    names |= {camera for camera in segments.cameras(connection) if _spans(connection, camera, known)}
    return _Session(session, start, end, first, last, sorted(names))


def _moment(entry: Entry, wall_ms: int) -> Moment:
    said = entry.content
    return Moment(wall_ms, int(said["mono_ms"]), str(said["boot_id"]), said["quality"] == footage.SYNCHRONISED)


def _past(connection: sqlite3.Connection, camera: str, end: Moment) -> bool:
    at = end.mono_ms or 0
    rows = segments.spans_of_boot(connection, camera, end.boot_id, at - 1, at + _SOON_MS)
    return any(row.started_mono_ms + row.ended_ms - row.started_ms >= at for row in rows)


def _spans(connection: sqlite3.Connection, camera: str, found: _Session) -> list[Span]:
    """The camera's segments of the session. By wall time where the ledger does not say more; else boot by boot."""
    start, end = found.start, found.end
    by_wall = segments.spans(connection, camera, start.wall_ms, end.wall_ms)
    if start.mono_ms is None or end.mono_ms is None:
        return by_wall
    told = [s for s in by_wall if s.started_mono_ms == 0]  # salvaged without a word of when, but for its file's date
    if start.boot_id == end.boot_id:
        return [*told, *segments.spans_of_boot(connection, camera, start.boot_id, start.mono_ms, end.mono_ms)]
    between = {s.id: s for s in by_wall if s.ledger_seq > found.first_seq}
    entered = segments.spans_entered(connection, camera, found.first_seq, found.last_seq)
    between |= {s.id: s for s in entered if not s.salvaged}  # whatever the clock of a boot in between said
    return [
        *told,
        *segments.spans_of_boot(connection, camera, start.boot_id, start.mono_ms, _EVER),
        *(s for s in between.values() if s.started_mono_ms and s.boot_id not in (start.boot_id, end.boot_id)),
        *segments.spans_of_boot(connection, camera, end.boot_id, 0, end.mono_ms),
    ]


def _camera(
    connection: sqlite3.Connection, paths: Paths, camera: str, found: _Session, spans: Sequence[Span]
) -> CameraFact:
    earlier = segments.before(connection, camera, found.start.wall_ms)
    whole = footage.completeness(
        spans,
        found.start,
        found.end,
        leading=earlier.cause if earlier else Cause.NOT_STARTED,
        trailing=_trailing(connection, paths, camera, found),
    )
    whole = explained(connection, camera, whole)
    counted = [s.frames for s in spans]
    return CameraFact(
        camera=camera,
        expected_ms=whole.expected_ms,
        recorded_ms=whole.recorded_ms,
        hundredths=whole.hundredths,
        segments=len(spans),
        salvaged=sum(s.salvaged for s in spans),
        frames=None if None in counted else sum(count or 0 for count in counted),
        dropped=sum(s.dropped for s in spans),
        lost_ms=sum(s.lost_ms for s in spans),
        gaps=[
            GapFact(from_ms=g.from_ms, until_ms=g.until_ms, ms=g.ms, cause=str(g.cause), doubt_ms=g.doubt_ms)
            for g in whole.gaps
        ],
        blind=_blind(connection, camera, found),
    )


def _trailing(connection: sqlite3.Connection, paths: Paths, camera: str, found: _Session) -> str:
    status = read_status(paths.status, f"camera-{camera}")
    beside = unindexed(connection, paths.recordings, camera, status)
    when = walltime.when(connection, found.id)
    if when is not None and any(when.touches(one.started_ms, one.ended_ms) for one in beside):
        return Cause.NOT_INDEXED
    return silence(status)


def _blind(connection: sqlite3.Connection, camera: str, found: _Session) -> list[BlindFact]:
    """By the ledger's numbers between the two entries, whatever the clock said meanwhile; by wall time without them."""
    start, end, first, until_ms = found.start, found.end, found.first_seq, None
    if start.mono_ms is None:
        later = ledger.entries(connection, from_ms=start.wall_ms, limit=1)
        first = later[0].seq if later else found.last_seq
    if end.mono_ms is None:
        until_ms = end.wall_ms
    facts, since, reason = list[BlindFact](), start, ""
    # whatever else befalls the camera neither uncovers nor covers it: only what tells of its sight counts
    earlier = recorders.sight_told(connection, camera, first)  # however long ago: a trouble is entered once
    within = ledger.entries(connection, kinds=("camera",), since=first, before=found.last_seq, until_ms=until_ms)
    if earlier is not None and earlier.body.get("state") == "trouble":
        reason = str(earlier.body["reason"])
    for entry in (one for one in within if recorders.tells_of_sight(one, camera)):
        at = _moment(entry, entry.at_ms)
        facts += _blindness(since, at, reason)
        since, reason = at, str(entry.body["reason"]) if entry.body.get("state") == "trouble" else ""
    facts += _blindness(since, end, reason)
    after = (
        ledger.entries(connection, kinds=("camera",), since=found.last_seq, limit=_LATE_ENTRIES) if end.mono_ms else []
    )
    after = [one for one in after if one.content["boot_id"] == end.boot_id]
    for entry in (one for one in (*within, *after) if one.body.get("camera") == camera):
        facts += _unseen(entry, start, end)
    return sorted(facts, key=lambda fact: fact.from_ms)


def _unseen(entry: Entry, start: Moment, end: Moment) -> list[BlindFact]:
    """Short or repeated blindness, which is entered a little after it was; what lies in the session of it."""
    at, facts = _moment(entry, entry.at_ms), list[BlindFact]()
    for span in entry.body.get("spans", ()):
        from_ms, until_ms = int(span["from_mono_ms"]), int(span["until_mono_ms"])
        if at.boot_id == start.boot_id and start.mono_ms is not None:
            from_ms = max(from_ms, start.mono_ms)
        if at.boot_id == end.boot_id and end.mono_ms is not None:
            until_ms = min(until_ms, end.mono_ms)
        shown = at.wall_ms - (at.mono_ms or 0)
        ends = Moment(shown + until_ms, until_ms, at.boot_id)
        facts += _blindness(Moment(shown + from_ms, from_ms, at.boot_id), ends, str(span["reason"]))
    return facts


def _blindness(since: Moment, until: Moment, reason: str) -> list[BlindFact]:
    """From what the clock showed then, for as long as it really was: within a boot the wall clock may have been set."""
    same = since.boot_id == until.boot_id and since.mono_ms is not None and until.mono_ms is not None
    ms = (until.mono_ms or 0) - (since.mono_ms or 0) if same else until.wall_ms - since.wall_ms
    if not reason or ms <= 0:
        return []
    return [BlindFact(from_ms=since.wall_ms, until_ms=since.wall_ms + ms, reason=reason)]


def _clock(connection: sqlite3.Connection, found: _Session, spans: dict[str, list[Span]]) -> list[ClockFact]:
    """Steps as the recorders entered them; boots and qualities as the segments tell of them."""
    facts = [
        ClockFact(at_ms=e.at_ms, camera=e.body["camera"], step_ms=e.body["step_ms"])
        for e in ledger.entries(connection, kinds=("clock",), since=found.first_seq, before=found.last_seq)
        if e.body.get("step_ms")  # 0 where the clock was not set: it became better or worse known
    ]
    for camera, rows in spans.items():
        boot, quality = found.start.boot_id or (rows[0].boot_id if rows else ""), ""
        for row in rows:
            if row.boot_id != boot:
                facts.append(ClockFact(at_ms=row.started_ms, camera=camera, boot=row.boot_id))
            if row.quality != quality:
                facts.append(ClockFact(at_ms=row.started_ms, camera=camera, quality=row.quality))
            boot, quality = row.boot_id, row.quality
    return facts


def _deleted(connection: sqlite3.Connection, found: _Session) -> list[str]:
    """Segments of the session that the ledger tells of and the index does not have any more."""
    when, numbered = walltime.when(connection, found.id), (found.first_seq, found.last_seq)
    gone = dict[str, None]()
    for start, end in () if when is None else when.spans():
        told = deletions.deleted_between(connection, start, end, (start, end + _DAY_MS), numbered)
        gone |= {one.segment: None for one in told}
    return list(gone)
