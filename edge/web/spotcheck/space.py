"""Space for footage: figures and forecast on a page, holds placed and released, sessions marked as inspected."""

from __future__ import annotations

from typing import Annotated, Self

from flask import Response, jsonify, render_template
from pydantic import Field, model_validator

from edge.domain.keeping import DAY_MS
from edge.errors import Wrong
from edge.recording.figures import document, figures
from edge.store import holds
from edge.web.body import Body, read
from edge.web.room import room, room_db
from edge.web.spotcheck import bp
from edge.web.spotcheck.access import CAMERA, LATEST_MS, known
from edge.web.staff.session import require_role, signed_in_staff

GB = 1_000_000_000
_Why = Annotated[str, Field(min_length=2, max_length=500)]
_Ms = Annotated[int, Field(ge=0, lt=LATEST_MS, strict=True)]


class HoldBody(Body):
    """A session, or a span of one camera (or, without one, of all)."""

    session: Annotated[str | None, Field(min_length=1, max_length=64)] = None
    camera: Annotated[str | None, Field(pattern=CAMERA.pattern)] = None
    from_: Annotated[_Ms | None, Field(alias="from")] = None
    until: _Ms | None = None
    why: _Why

    @model_validator(mode="after")
    def is_one_of_the_two(self) -> Self:
        span = self.from_ is not None and self.until is not None
        if (self.session is None) != span or (self.session is not None and (self.camera or self.from_ or self.until)):
            raise Wrong("hold_what")
        return self


class ReleaseBody(Body):
    why: _Why


@bp.get("/space")
@require_role("supervisor")
def space_page() -> str:
    found = figures(room_db(), room().config)
    cameras = [one.camera for one in found.cameras]
    return render_template("spotcheck/space.html", space=found, cameras=cameras, gb=_gb, mbit=_mbit, day_ms=DAY_MS)


@bp.get("/api/space")
@require_role("supervisor")
def space() -> Response:
    """The same for programs: bytes, bits a second, milliseconds since 1970."""
    return jsonify(document(figures(room_db(), room().config)))


@bp.post("/api/holds")
@require_role("supervisor")
def hold() -> Response:
    """Keep footage until the hold is released; the same hold twice is one."""
    body, by = read(HoldBody), signed_in_staff().id
    if body.session is not None:
        made = holds.place_on_session(room_db(), body.session, body.why, by)
    else:
        camera = None if body.camera is None else known(body.camera)
        made = holds.place_on_span(room_db(), camera, body.from_ or 0, body.until or 0, body.why, by)
    return jsonify({"hold": made})


@bp.post("/api/holds/<hold>/release")
@require_role("supervisor")
def release(hold: str) -> Response:
    """Let go of a hold: its footage goes on its date again."""
    holds.release(room_db(), hold, read(ReleaseBody).why, signed_in_staff().id)
    return jsonify({"done": "release"})


@bp.post("/api/<session>/inspected")
@require_role("supervisor")
def inspected(session: str) -> Response:
    """The session has been inspected, so its footage may go on its date."""
    holds.inspect(room_db(), session, signed_in_staff().id)
    return jsonify({"done": "inspected"})


def _gb(size: int) -> str:
    """Bytes as people read them."""
    return f"{size / GB:,.1f} GB" if size >= GB or size <= -GB else f"{size / 1_000_000:,.0f} MB"


def _mbit(bps: int) -> str:
    return f"{bps / 1_000_000:.1f} Mbit/s"
