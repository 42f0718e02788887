"""Evidence to take away: asked for, made by a job of its own, fetched as often as a line breaks, gone after a day."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Annotated, Any

from flask import Response, jsonify
from pydantic import Field

from edge.domain.reasons import LANGUAGES, sentence
from edge.errors import Conflict, NotFound, Refused
from edge.recording import evidence
from edge.recording.clips import file_blocks
from edge.store import access, downloads, sessions
from edge.store.db import transaction
from edge.store.downloads import FAILED, READY, WAITING, Export
from edge.web.body import Body, read
from edge.web.exports import Job
from edge.web.ranged import ranged
from edge.web.room import room, room_db
from edge.web.spotcheck import bp
from edge.web.spotcheck.access import CAMERA, ask_for, check_span, known, may_export
from edge.web.staff.session import require_role, signed_in_staff


class EvidenceBody(Body):
    camera: Annotated[str, Field(pattern=CAMERA.pattern)]
    from_: Annotated[int, Field(alias="from", ge=0, strict=True)]
    until: Annotated[int, Field(ge=0, strict=True)]
    why: Annotated[str, Field(min_length=2, max_length=500)]


@bp.post("/api/<session>/exports")
@require_role("supervisor")
def export(session: str) -> tuple[Response, int]:
    """Have one file of footage and proofs made. What would not be made is refused now; the entry comes as it begins."""
    body = read(EvidenceBody)
    here, connection, by = room(), room_db(), signed_in_staff().id
    ask_for([body.camera], body.from_, body.until)
    check_span(sessions.find(connection, session), body.from_, body.until)
    _need_right()
    with here.exports.place():
        export_id = secrets.token_hex(16)
        job = Job(export_id, session, known(body.camera), body.from_, body.until, body.why, by)
        size = evidence.need(
            connection,
            camera=job.camera,
            from_ms=job.from_ms,
            until_ms=job.until_ms,
            why=job.why,
            by=by,
            out=here.exports.file(export_id),
            reserve=here.exports.reserve(connection),
        )
        here.identity()
        with transaction(connection):
            downloads.add(connection, export_id, session, job.camera, job.from_ms, job.until_ms, by=by, size=size)
        job.total = size
        here.exports.start(job)
    return jsonify(_document(downloads.get(connection, export_id, session, by))), 202


@bp.get("/api/<session>/exports")
@require_role("supervisor")
def exports(session: str) -> Response:
    """Those of whoever asks, newest first."""
    found = downloads.of(room_db(), session, signed_in_staff().id)
    return jsonify({"exports": [_document(one) for one in found]})


@bp.get("/api/<session>/exports/<export_id>")
@require_role("supervisor")
def export_state(session: str, export_id: str) -> Response:
    return jsonify(_document(_mine(session, export_id)))


@bp.delete("/api/<session>/exports/<export_id>")
@require_role("supervisor")
def export_delete(session: str, export_id: str) -> Response:
    """Delete it and its file, whether it is ready or not; that is entered."""
    room().exports.delete(room_db(), _mine(session, export_id))
    return jsonify({"done": "delete"})


@bp.get("/<session>/exports/<export_id>")
@require_role("supervisor")
def export_file(session: str, export_id: str) -> Response:
    """The file, by ranges: a download that broke off goes on where it was. It is entered before the first byte."""
    _need_right()
    found = _mine(session, export_id)
    if found.state != READY or found.sha256 is None:
        raise Conflict("export_not_ready")
    path = room().exports.file(found.id)
    if not path.is_file():
        raise NotFound("export_gone")

    def blocks(start: int, end: int) -> Iterator[bytes]:
        access.note_fetch(room_db(), found)
        return file_blocks(path, start, end)

    return ranged(
        found.bytes,
        found.sha256,
        blocks,
        mimetype="application/zip",
        name=_name(found),
    )


def _need_right() -> None:
    if not may_export():
        raise Refused("pass_no_export")


def _mine(session: str, export_id: str) -> Export:
    return downloads.get(room_db(), export_id, session, signed_in_staff().id)


def _name(found: Export) -> str:
    return f"evidence-{found.session}-{found.camera}-{found.from_ms}.zip"


def _document(found: Export) -> dict[str, Any]:
    job = room().exports.job(found.id) if found.state == WAITING else None
    state, reason = found.state, found.reason
    if state == WAITING and job is None:  # it ended this moment, or its process did
        found = next((one for one in downloads.of(room_db(), found.session, found.by) if one.id == found.id), found)
        state, reason = found.state, found.reason
        if state == WAITING:
            state, reason = FAILED, "export_interrupted"
    if job is not None and job.begun:
        state = "making"
    why = None
    if reason is not None:
        why = {"error": reason, **{lang: sentence(reason, lang, **found.facts) for lang in LANGUAGES}}
    return {
        "id": found.id,
        "camera": found.camera,
        "from_ms": found.from_ms,
        "until_ms": found.until_ms,
        "state": state,
        "done": found.bytes if state == READY else job.done if job is not None else 0,
        "bytes": found.bytes,
        "sha256": found.sha256,
        "made_ms": found.made_ms,
        "expires_ms": found.expires_ms,
        "name": _name(found),
        "url": f"/spotcheck/{found.session}/exports/{found.id}",
        "why": why,
    }
