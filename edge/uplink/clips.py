"""Footage that the province asks for: a signed request is heard, entered, answered with evidence, and sent in parts.

Nothing is exported or sent while a session is at check-in or running, unless its signed policy lets it
(`remote_clips`). What is sent are parts of at most 8 MiB; which are there already, the gateway says, so a killed room
goes on where it was. A gateway that asks without end fills neither ledger nor store: so many requests are entered a
day, the rest is answered with one sentence and counted.
"""

from __future__ import annotations

import hashlib
import sqlite3
import time
from pathlib import Path

from edge import clock
from edge.errors import BadInput, ExamroomError, NotSignedIn, Refused, TooMany, Unavailable, VerificationFailed
from edge.store import clips, ledger
from edge.store.clips import ClipRow
from edge.store.db import transaction
from edge.trust.enrolment import Identity
from edge.trust.remote import ClipFile, ClipPlan, ClipRequest, open_request
from edge.uplink.client import GatewayClient
from edge.uplink.clipfiles import Clips, by_of, export_waiting, make_again, may_send, refuse, request_of, tidy
from edge.uplink.rests import LONGEST_S

A_DAY, REFUSED_A_DAY = 1000, 100
"""So many requests are entered in a day, and so many of them that are refused at once."""
TOO_MANY = "clip_too_many"
_COUNTED = 100_000
_BUSY_S = 15
_LINE = {
    "gateway_unreachable",
    "gateway_untrusted",
    "gateway_unset",
    "gateway_store",
    "ca_unreadable",
    "room_not_enrolled",
    "uplink_stopping",
}


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
            try:
                client.refuse_clip(known.id, known.why_not or "")
            except ExamroomError as error:
                if _is_of_the_line(error):
                    raise
    for row in (*clips.standing(connection, "waiting"), *clips.standing(connection, "ready")):
        if request_of(row).not_after_ms <= client.now_ms():
            refuse(memory.folder, connection, row, "clip_expired")
    tidy(memory, connection)
    return export_waiting(memory, connection, identity) or first


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
            ledger.append(connection, "clip_requested", told | _counted(memory), by=by_of(identity))
    memory.left_out_said = len(memory.left_out)
    found = clips.find(connection, sha256)
    if found is None:
        raise Unavailable("store_unavailable", path="room store", detail="clip_requests")
    return found


def _left_out(memory: Clips, sha256: str, clip: str, envelope: bytes) -> ClipRow:
    if len(memory.left_out) < _COUNTED:
        memory.left_out.add(sha256)
    return ClipRow(sha256, clip, envelope, "refused", TOO_MANY, None, None, None, (), clock.wall_ms(), 0, 0)


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


def send_part(memory: Clips, connection: sqlite3.Connection, client: GatewayClient) -> bool:
    """Send the next part of the next file, or end it; whether there was something to do.

    A file whose turn went wrong rests for a while (`memory.rests`) and holds up none of the others; one that the
    gateway no longer wants is ended on our side too. Raises what the line raises, and what went wrong with the first
    file where nothing could be done for any. A gateway that is busy is left in peace as long as it asks for.
    """
    if time.monotonic() < memory.busy_until:
        return False
    first: ExamroomError | None = None
    ready = clips.standing(connection, "ready")
    memory.rests.keep(row.sha256 for row in ready)
    for row in ready:
        if not may_send(connection):
            return False
        if memory.rests.has(row.sha256):
            continue
        path = memory.folder / (row.file or "")
        if not path.is_file() or path.stat().st_size != row.size:
            make_again(connection, row)
            memory.plans.pop(row.sha256, None)
            continue
        try:
            done = _next_part(memory, connection, client, row, path)
        except TooMany as error:
            seconds = error.facts.get("seconds")
            pause = seconds if isinstance(seconds, int) else _BUSY_S
            memory.busy_until = time.monotonic() + min(max(pause, 1), LONGEST_S)
            return False
        except ExamroomError as error:
            memory.plans.pop(row.sha256, None)
            if _is_of_the_line(error):
                raise
            if error.code == "clip_unknown":
                refuse(memory.folder, connection, row, "clip_withdrawn")
                continue
            if error.code in ("clip_part_wrong", "clip_content_wrong"):
                path.unlink(missing_ok=True)  # no longer what it was when it was written: it is made again
            else:
                memory.rests.add(row.sha256, error.code)
            first = first or error
        else:
            if done:
                memory.rests.end(row.sha256)
                return True
            memory.rests.add(row.sha256, None)
    if first is not None:
        raise first
    return False


def _is_of_the_line(error: ExamroomError) -> bool:
    """Whether the next file would fare no better: no line, no trust, or a room that is not heard."""
    of_room = isinstance(error, (NotSignedIn, Refused)) and error.code != "clip_address"
    return of_room or error.code in _LINE


def _next_part(memory: Clips, connection: sqlite3.Connection, client: GatewayClient, row: ClipRow, path: Path) -> bool:
    """False while the gateway puts the file together: it stays until the whole was compared."""
    file = ClipFile(
        size=row.size or 0, sha256=row.file_sha256 or "", part_bytes=memory.part_bytes, parts=list(row.parts)
    )
    plan = memory.plans.get(row.sha256)
    if plan is None or not (plan.missing or plan.received):
        plan = memory.plans[row.sha256] = client.clip_file(row.id, file)
    if plan.missing:
        if request_of(row).not_after_ms <= client.now_ms():
            refuse(memory.folder, connection, row, "clip_expired")
            memory.plans.pop(row.sha256, None)
            return True
        part, *rest = plan.missing
        try:
            with path.open("rb") as source:
                source.seek((part.number - 1) * file.part_bytes)
                data = source.read(file.part_size(part.number))
        except OSError:
            path.unlink(missing_ok=True)  # the disk lost it: it is made again
            return True
        if _sha256(data) != row.parts[part.number - 1]:  # a bucket would take it
            raise VerificationFailed("clip_part_wrong")
        client.put_part(part, data, memory.pace)
        memory.plans[row.sha256] = ClipPlan(received=plan.received, missing=rest)
        return True
    memory.plans.pop(row.sha256, None)
    if not plan.received and client.end_clip(row.id, file.sha256).state != "received":
        return False
    with transaction(connection):
        clips.end(connection, row.sha256)
        ledger.append(connection, "clip_sent", {"clip": row.id, "sha256": row.file_sha256, "bytes": row.size})
    path.unlink(missing_ok=True)
    return True


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
