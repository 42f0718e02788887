"""Opening a view: the reason first, in a body and never in an address, then the footage."""

from __future__ import annotations

from typing import Annotated

from flask import Response, jsonify
from pydantic import Field

from edge.web.body import Body, read
from edge.web.spotcheck import bp
from edge.web.spotcheck.access import CAMERA, open_view
from edge.web.staff.session import require_role

CameraName = Annotated[str, Field(pattern=CAMERA.pattern)]


class ViewBody(Body):
    cameras: Annotated[list[CameraName], Field(min_length=1, max_length=16)]
    from_: Annotated[int, Field(alias="from", ge=0, strict=True)]
    until: Annotated[int, Field(ge=0, strict=True)]
    why: Annotated[str, Field(min_length=2, max_length=500)]


@bp.post("/api/<session>/views")
@require_role("supervisor", "technician")
def views(session: str) -> Response:
    """Open a view of some cameras and one span; footage is fetched with its id."""
    body = read(ViewBody)
    view = open_view(session, body.cameras, body.from_, body.until, body.why)
    cameras = sorted(set(body.cameras))
    return jsonify({"view": view, "cameras": cameras, "from_ms": body.from_, "until_ms": body.until})
