"""Evidence to take away: one file of footage and proofs."""

from __future__ import annotations

import secrets
from typing import Annotated

from flask import Response
from pydantic import Field

from edge.errors import Refused
from edge.recording.evidence import export_evidence
from edge.store import sessions
from edge.web.body import Body, read
from edge.web.room import room, room_db
from edge.web.spotcheck import bp
from edge.web.spotcheck.access import CAMERA, check_span, known, may_export
from edge.web.staff.session import require_role, signed_in_staff


class EvidenceBody(Body):
    camera: Annotated[str, Field(pattern=CAMERA.pattern)]
    from_: Annotated[int, Field(alias="from", ge=0, strict=True)]
    until: Annotated[int, Field(ge=0, strict=True)]
    why: Annotated[str, Field(min_length=2, max_length=500)]


@bp.post("/<session>/evidence")
@require_role("supervisor")
def evidence(session: str) -> Response:
    """One file of footage and proofs to take away."""
    body = read(EvidenceBody)
    here = room()
    connection = room_db()
    check_span(sessions.find(connection, session), body.from_, body.until)
    if not may_export():
        raise Refused("pass_no_export")
    folder = here.config.paths.recordings / "exports"
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"{secrets.token_hex(8)}.zip"
    export_evidence(
        connection,
        here.config.paths,
        here.identity(),
        camera=known(body.camera),
        from_ms=body.from_,
        until_ms=body.until,
        why=body.why,
        by=signed_in_staff().id,
        out=out,
        session=session,
    )
    file = out.open("rb")
    length = out.stat().st_size
    out.unlink()  # the open file lasts as long as the download
    response = Response(iter(lambda: file.read(256 * 1024), b""), mimetype="application/zip")
    response.call_on_close(file.close)
    response.content_length = length
    name = f"evidence-{session}-{body.camera}-{body.from_}.zip"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
