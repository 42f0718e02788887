"""Footage that the province asks for: a signed request is heard, entered, answered with evidence, and sent in parts.

Nothing is exported or sent while a session is at check-in or running, unless its signed policy lets it
(`remote_clips`). What is sent are parts of at most 8 MiB; which are there already, the gateway says, so a killed room
goes on where it was. A gateway that asks without end fills neither ledger nor store: so many requests are entered a
day, the rest is answered with one sentence and counted.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from edge import clock
from edge.config import Config
from edge.errors import BadInput, ExamroomError, NotFound, Refused, Unavailable
from edge.recording.evidence import export_evidence
from edge.store import clips, ledger, segments, sessions, space
from edge.store.clips import ClipRow
from edge.store.db import transaction
from edge.store.reserve import free_bytes
from edge.trust import dsse
from edge.trust.enrolment import Identity
from edge.trust.remote import PART_BYTES, ClipFile, ClipPlan, ClipRequest, open_request
from edge.uplink.client import GatewayClient
from edge.uplink.pace import Pace
from edge.why import why

FOLDER = ".clips"
CLOSED_MS = 120_000
"""So long after a span's end its last segment is closed and entered."""
_BLOCK = 1 << 20
_SWEEP_S = 3600.0
A_DAY, REFUSED_A_DAY = 1000, 100
"""So many requests are entered in a day, and so many of them that are refused at once."""
TOO_MANY = "clip_too_many"
_COUNTED = 100_000
_ROOM_FOR_THE_REST = 64 << 20
# what trying again would not change
_FINAL = {400, 403, 404, 409, 422}
_PASSING = {"export_no_room", "evidence_exists"}


@dataclass
class Clips:
    """What the service remembers between turns: where the next parts go, and how fast."""

    config: Config
    stop: threading.Event
    part_bytes: int = PART_BYTES
    plans: dict[str, ClipPlan] = field(default_factory=dict)
    next_sweep: float = 0.0
    left_out: set[str] = field(default_factory=set)
    left_out_said: int = 0
    """`left_out`: the SHA-256 of requests that were too many for a day and not entered; entries have said so many."""
    pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        self.pace = Pace(self.config.gateway.upload_mbit * 1_000_000 / 8, self.stop)

    @property
    def folder(self) -> Path:
        return self.config.paths.recordings / FOLDER


def hear(memory: Clips, connection: sqlite3.Connection, client: GatewayClient, identity: Identity) -> str | None:
    """Take in what the gateway asks for, and export what may be; the code of the first refusal or hindrance, or None.

    Raises what the line raises.
    """
    first: str | None = None
    entered, refused = clips.lately(connection)
    for text in client.clips().requests:
        envelope = text.encode()
        known = clips.find(connection, _sha256(envelope))
        if known is None:
            full = entered >= A_DAY, entered >= A_DAY or refused >= REFUSED_A_DAY
            known = _enter(memory, connection, identity, envelope, client.now_ms(), full)
            if known.why_not != TOO_MANY:
                entered, refused = entered + 1, refused + (known.state == "refused")
        if known.state == "refused" and known.id:
            first = first or known.why_not
            client.refuse_clip(known.id, known.why_not or "")
    _sweep(memory, connection, client.now_ms())
    return _export_waiting(memory, connection, identity) or first


def _enter(
    memory: Clips,
    connection: sqlite3.Connection,
    identity: Identity,
    envelope: bytes,
    now_ms: int,
    full: tuple[bool, bool],
) -> ClipRow:
    """The request as a row and a ledger entry: asked for, or refused with its reason.

    `full`: whether a good one, and whether one that is refused, would be too many for the day: then its row is only
    told, not stored.
    """
    sha256 = _sha256(envelope)
    try:
        request = _checked(connection, identity, envelope, now_ms)
    except Unavailable:
        raise
    except ExamroomError as error:
        # who forged it wrote its id as well: it is believed only as far as to answer under it
        clip = error.facts.get("clip")
        if full[1]:
            return _left_out(memory, sha256, str(clip or ""), envelope)
        body = {"clip": clip, "request_sha256": sha256, "reason": error.code}
        with transaction(connection):
            clips.add(connection, sha256, str(clip or ""), envelope, error.code)
            ledger.append(connection, "clip_refused", body | _counted(memory))
    else:
        if full[0]:
            return _left_out(memory, sha256, request.id, envelope)
        body = {"camera": request.camera, "from_ms": request.from_ms, "until_ms": request.until_ms}
        with transaction(connection):
            clips.add(connection, sha256, request.id, envelope)
            told = {"clip": request.id, "request_sha256": sha256, **body}
            ledger.append(connection, "clip_requested", told | _counted(memory), by=_by(identity))
    memory.left_out_said = len(memory.left_out)
    found = clips.find(connection, sha256)
    if found is None:
        raise Unavailable("store_unavailable", path="room store", detail="clip_requests")
    return found


def _left_out(memory: Clips, sha256: str, clip: str, envelope: bytes) -> ClipRow:
    if len(memory.left_out) < _COUNTED:
        memory.left_out.add(sha256)
    return ClipRow(sha256, clip, envelope, "refused", TOO_MANY, None, None, None, (), clock.wall_ms())


def _counted(memory: Clips) -> dict[str, int]:
    more = len(memory.left_out) - memory.left_out_said
    return {"left_out": more} if more else {}


def _checked(connection: sqlite3.Connection, identity: Identity, envelope: bytes, now_ms: int) -> ClipRequest:
    if identity.gateway is None:
        raise Unavailable("gateway_unset")
    request = open_request(envelope, identity.gateway.public)
    if (request.room, request.epoch) != (identity.certificate.room, identity.certificate.epoch):
        raise Refused("clip_other_room", clip=request.id, room=request.room)
    if request.not_after_ms <= now_ms:
        raise Refused("clip_expired", clip=request.id)
    if clips.named(connection, request.id):
        raise BadInput("clip_twice")  # without the id: a refusal under it would be one of the first request
    if request.from_ms > now_ms:
        raise BadInput("clip_early", clip=request.id)
    return request


def may_send(connection: sqlite3.Connection) -> bool:
    """Whether no session is at check-in or running, or each one's signed policy lets footage be fetched meanwhile."""
    going_on = sessions.all_sessions(connection, "checkin", "running")
    return all(session.policy.get("remote_clips") == "always" for session in going_on)


def _export_waiting(memory: Clips, connection: sqlite3.Connection, identity: Identity) -> str | None:
    """Make the file of the first request that can be answered now; the code of what hinders it, or None."""
    for row in clips.standing(connection, "waiting"):
        request = _request(row)
        if clock.wall_ms() < request.until_ms + CLOSED_MS or not may_send(connection):
            continue
        try:
            _export(memory, connection, identity, row, request)
        except ExamroomError as error:
            if error.status not in _FINAL or error.code in _PASSING:
                return error.code
            _refuse(memory, connection, row, error.code)
            return error.code
        return None
    return None


def _export(
    memory: Clips, connection: sqlite3.Connection, identity: Identity, row: ClipRow, request: ClipRequest
) -> None:
    wanted = space.bytes_touching(connection, request.camera, request.from_ms, request.until_ms) + _ROOM_FOR_THE_REST
    recordings, reserve = memory.config.paths.recordings, memory.config.recording.reserve_mb * 1_100_000
    if request.camera not in segments.cameras(connection):
        raise NotFound("evidence_no_footage", camera=request.camera)
    out = memory.folder / f"{row.sha256}.zip"
    try:
        memory.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if free_bytes(recordings) < wanted + reserve:
            raise Unavailable("clip_no_space", camera=request.camera)
        out.unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable("evidence_unwritable", path=out, detail=why(error)) from error
    export_evidence(
        connection,
        memory.config.paths,
        identity,
        camera=request.camera,
        from_ms=request.from_ms,
        until_ms=request.until_ms,
        why=f"{request.why} ({request.by})",
        by=_by(identity),
        out=out,
        session=_session(connection, request),
    )
    whole, parts, size = _hashes(out, memory.part_bytes)
    with transaction(connection):
        clips.set_ready(connection, row.sha256, out.name, whole, size, parts)


def send_part(memory: Clips, connection: sqlite3.Connection, client: GatewayClient) -> bool:
    """Send the next part of the next file, or end it; whether there was something to do. Raises what the line raises.

    NotFound from the gateway, where the request was taken back, ends it on our side too.
    """
    for row in clips.standing(connection, "ready"):
        if not may_send(connection):
            return False
        path = memory.folder / (row.file or "")
        if not path.is_file() or path.stat().st_size != row.size:
            with transaction(connection):
                clips.set_waiting(connection, row.sha256)
            memory.plans.pop(row.sha256, None)
            continue
        try:
            _next_part(memory, connection, client, row, path)
        except Unavailable:
            memory.plans.pop(row.sha256, None)
            raise
        except ExamroomError as error:
            memory.plans.pop(row.sha256, None)
            if error.code == "clip_unknown":
                _refuse(memory, connection, row, "clip_withdrawn")
                continue
            if error.code in ("clip_part_wrong", "clip_content_wrong"):
                path.unlink(missing_ok=True)  # no longer what it was when it was written: it is made again
            raise
        return True
    return False


def _next_part(memory: Clips, connection: sqlite3.Connection, client: GatewayClient, row: ClipRow, path: Path) -> None:
    file = ClipFile(
        size=row.size or 0, sha256=row.file_sha256 or "", part_bytes=memory.part_bytes, parts=list(row.parts)
    )
    plan = memory.plans.get(row.sha256)
    if plan is None or not (plan.missing or plan.received):
        plan = memory.plans[row.sha256] = client.clip_file(row.id, file)
    if plan.missing:
        part, *rest = plan.missing
        with path.open("rb") as source:
            source.seek((part.number - 1) * file.part_bytes)
            client.put_part(part, source.read(file.part_size(part.number)), memory.pace)
        memory.plans[row.sha256] = ClipPlan(received=plan.received, missing=rest)
        return
    if not plan.received:
        client.end_clip(row.id, file.sha256)
    memory.plans.pop(row.sha256, None)
    with transaction(connection):
        clips.end(connection, row.sha256)
        ledger.append(connection, "clip_sent", {"clip": row.id, "sha256": row.file_sha256, "bytes": row.size})
    path.unlink(missing_ok=True)


def _sweep(memory: Clips, connection: sqlite3.Connection, now_ms: int) -> None:
    """What has become too old is refused and forgotten; of files those alone stay that are to be sent."""
    for row in (*clips.standing(connection, "waiting"), *clips.standing(connection, "ready")):
        if _request(row).not_after_ms <= now_ms:
            _refuse(memory, connection, row, "clip_expired")
    if time.monotonic() < memory.next_sweep:
        return
    memory.next_sweep = time.monotonic() + _SWEEP_S
    wanted = {row.file for row in clips.standing(connection, "ready")}
    for file in memory.folder.iterdir() if memory.folder.is_dir() else ():
        if file.name not in wanted:
            file.unlink(missing_ok=True)
    with transaction(connection):
        clips.forget(connection)


def _refuse(memory: Clips, connection: sqlite3.Connection, row: ClipRow, reason: str) -> None:
    with transaction(connection):
        clips.end(connection, row.sha256, reason)
        told = {"clip": row.id, "request_sha256": row.sha256, "reason": reason}
        ledger.append(connection, "clip_refused", told)
    if row.file is not None:
        (memory.folder / row.file).unlink(missing_ok=True)


def _request(row: ClipRow) -> ClipRequest:
    """What was asked, as it was checked when it was heard: the gateway's key may be another by now."""
    return ClipRequest.model_validate_json(json.dumps(dsse.peek(row.envelope).payload))


def _session(connection: sqlite3.Connection, request: ClipRequest) -> str | None:
    """The first session whose open time the span touches."""
    for session in reversed(sessions.all_sessions(connection)):
        closed = session.closed_ms if session.closed_ms is not None else request.until_ms
        if session.opened_ms is not None and session.opened_ms < request.until_ms and closed > request.from_ms:
            return session.id
    return None


def _by(identity: Identity) -> str:
    return f"gateway:{identity.gateway.name}" if identity.gateway is not None else "gateway"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hashes(path: Path, part_bytes: int) -> tuple[str, list[str], int]:
    """SHA-256 of the file and of each of its parts, and its size."""
    whole, parts, size = hashlib.sha256(), list[str](), 0
    with path.open("rb") as file:
        while True:
            part, left = hashlib.sha256(), part_bytes
            while left and (block := file.read(min(left, _BLOCK))):
                part.update(block)
                whole.update(block)
                left -= len(block)
            if left == part_bytes:
                return whole.hexdigest(), parts, size
            parts.append(part.hexdigest())
            size += part_bytes - left
