"""Pictures of work pieces: announced, sent in small parts, shown on staff pages only."""

from __future__ import annotations

from typing import Annotated

from flask import Response, jsonify, request
from pydantic import Field

from edge.exam import practical, work_pictures
from edge.web.body import Body, read
from edge.web.room import room, room_db
from edge.web.scoring import bp
from edge.web.staff.session import require_role, signed_in_staff

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class PictureBody(Body):
    person: Annotated[str, Field(min_length=1, max_length=64)]
    rubric: Annotated[str, Field(min_length=1, max_length=64)]
    sha256: Sha256
    size: Annotated[int, Field(ge=1, le=100_000_000, strict=True)]


@bp.post("/api/<session>/pictures")
@require_role("examiner")
def begin_picture(session: str) -> Response:
    """Announce a picture, or ask which of its parts are here already."""
    body, by = read(PictureBody), signed_in_staff().id
    done = work_pictures.begin(room_db(), session, body.person, body.rubric, sha256=body.sha256, size=body.size, by=by)
    return jsonify(done)


@bp.post("/api/<session>/pictures/<picture>/parts/<int:part>")
@require_role("examiner")
def add_part(session: str, picture: str, part: int) -> Response:
    """One part, as raw bytes, with its SHA-256 in X-SHA256."""
    data = request.get_data(cache=False)
    done = work_pictures.add_part(
        room_db(),
        session,
        picture,
        part,
        data,
        request.headers.get("X-SHA256", ""),
        by=signed_in_staff().id,
        data_key=room().identity().keys.data,
    )
    return jsonify(done)


@bp.post("/api/<session>/pictures/<picture>/remove")
@require_role("examiner")
def remove_picture(session: str, picture: str) -> Response:
    work_pictures.remove(room_db(), session, picture, signed_in_staff().id)
    return jsonify({"removed": picture})


@bp.get("/api/<session>/pictures/<picture>")
@require_role("examiner", "proctor", "supervisor")
def show_picture(session: str, picture: str) -> Response:
    """The JPEG; it stays on staff pages and in no cache."""
    data = work_pictures.open_picture(room_db(), session, picture, room().identity().keys.data)
    return Response(data, mimetype="image/jpeg", headers={"Cache-Control": "no-store"})


@bp.get("/api/<session>/sheets/<sheet>/signature/<who>")
@require_role("examiner", "proctor", "supervisor")
def show_signature(session: str, sheet: str, who: str) -> Response:
    """The strokes of a signature, for the page to draw."""
    data = practical.open_signature(room_db(), session, sheet, who, room().identity().keys.data)
    return Response(data, mimetype="application/json", headers={"Cache-Control": "no-store"})
