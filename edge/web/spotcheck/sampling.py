"""The random minutes of a spot check, on a page: announced, drawn from a public seed, drawn again from any such file.

Nothing is kept here but the ledger's two entries: the sample itself is the file that the person takes and brings back.
"""

from __future__ import annotations

import base64

from flask import Response, make_response, render_template, request

from edge.domain.sampling import MOST, Drawn
from edge.errors import BadInput, Refused
from edge.recording.sampling import SampleFile, announce, draw_announced, in_ledger, parse_sample, redraw, sample_bytes
from edge.store import sessions
from edge.store.sessions import Session
from edge.web.room import room, room_db
from edge.web.spotcheck import bp
from edge.web.spotcheck.access import covered
from edge.web.staff.session import held_pass, require_role, signed_in_staff

LONGEST = 200


@bp.get("/sample/")
@require_role("supervisor")
def sample_page() -> str:
    return render_template("spotcheck/sample.html", sessions=_closed(), most=MOST)


@bp.post("/sample/announce")
@require_role("supervisor")
def announce_sample() -> Response:
    """The announced sample as a file; its entry is in the ledger."""
    wanted = request.form.getlist("session")
    if not wanted:
        raise BadInput("sample_sessions")
    for one in wanted:
        if not covered(sessions.find(room_db(), one)):
            raise Refused("session_not_in_pass")
    held = held_pass()
    made = announce(
        room_db(),
        room().identity().certificate.room,
        wanted,
        list(room().config.camera),
        source=request.form.get("source", "").strip(),
        count=_count(request.form.get("count", "")),
        by=signed_in_staff().id,
        within=None if held is None else (held.from_ms, held.until_ms),
    )
    response = make_response(sample_bytes(made))
    response.mimetype = "application/json"
    response.headers["Content-Disposition"] = f'attachment; filename="sample-{made.id}.json"'
    return response


@bp.post("/sample/draw")
@require_role("supervisor")
def draw_sample() -> str:
    """The minutes drawn, each with the way to its footage, and the sample's file. One that was drawn is drawn again."""
    file, seed = request.files.get("file"), request.form.get("seed", "").strip()[: LONGEST + 1]
    given = parse_sample(file.read() if file is not None else b"", (file.filename or "-")[:100] if file else "-")
    if seed and given.seed != seed:
        given = draw_announced(room_db(), room().identity().certificate.room, given, seed, signed_in_staff().id)
    return _shown(given, redraw(given))


def _shown(sample: SampleFile, chosen: list[Drawn]) -> str:
    name = room().identity().certificate.room
    here = {session.id: session for session in _closed()} if sample.room == name else {}
    rows = [(one, here.get(one.session)) for one in sorted(chosen, key=lambda one: (one.from_ms, one.camera))]
    file = base64.b64encode(sample_bytes(sample)).decode()
    agrees = in_ledger(room_db(), name, sample)
    return render_template("spotcheck/drawn.html", sample=sample, rows=rows, file=file, agrees=agrees)


def _closed() -> list[Session]:
    """The sessions that a sample can be drawn from."""
    return [s for s in sessions.all_sessions(room_db(), "closed", "signed") if covered(s) and not s.practice]


def _count(text: str) -> int:
    try:
        return int(text[:6])
    except ValueError as error:
        raise BadInput("sample_count", count=text[:6] or "-", most=MOST) from error
