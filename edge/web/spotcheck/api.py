"""The supervisor's API: a session's timeline, clips to look at, evidence to take away; each leaves a ledger entry."""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Annotated, Any

from flask import Response, jsonify, request
from pydantic import Field
from werkzeug.http import parse_range_header

from edge import clock
from edge.errors import BadInput, NotFound
from edge.exam.board import both
from edge.recording import clips
from edge.recording.evidence import export_evidence
from edge.store import checkins, ledger, people, segments, sessions
from edge.store.db import transaction
from edge.web.body import Body, read
from edge.web.room import room, room_db
from edge.web.spotcheck import bp
from edge.web.staff.session import require_role, signed_in_staff

LONGEST_VIEW_MS = 60 * 60_000
MARGIN_MS = 5_000
SAME_VIEWING_MS = 10 * 60_000
LATEST_MS = 1 << 47
_CAMERA = re.compile(r"^[a-z][a-z0-9-]{0,30}$")
# ledger kinds shown as marks on the timeline, beside the check-ins
MARK_KINDS = (
    "checkin_opened",
    "exam_started",
    "exam_paused",
    "exam_resumed",
    "exam_closed",
    "results_signed",
    "time_added",
    "time_shortened",
    "time_taken_back",
    "standstill_confirmed",
    "part_limit_set",
    "incident",
    "clock",
    "tablet",
    "handed_in_by_room",
    "answer_accepted",
    "act_undone",
    "focus_lost",
    "seb_refused",
    "seb_exempted",
    "step_scored",
    "practical_scored",
    "practical_disputed",
    "practical_ruled",
    "work_clock",
)


class EvidenceBody(Body):
    camera: Annotated[str, Field(pattern=_CAMERA.pattern)]
    from_: Annotated[int, Field(alias="from", ge=0, strict=True)]
    until: Annotated[int, Field(ge=0, strict=True)]
    why: Annotated[str, Field(min_length=2, max_length=500)]


@bp.get("/api/<session>/timeline")
@require_role("supervisor")
def timeline(session: str) -> Response:
    """What was recorded and what happened, from the opening of the door to the end or now."""
    connection = room_db()
    found = sessions.find(connection, session)
    if found.opened_ms is None:
        empty: dict[str, Any] = {"from_ms": found.planned_ms, "until_ms": found.planned_ms, "cameras": [], "marks": []}
        return jsonify(empty | {"ledger": _ledger()})
    since = found.opened_ms - MARGIN_MS
    until = min((found.closed_ms or clock.wall_ms()) + MARGIN_MS, clock.wall_ms())
    names = sorted({*segments.cameras(connection), *room().config.camera})
    document = {
        "from_ms": since,
        "until_ms": until,
        "cameras": [_camera(name, since, until) for name in names],
        "marks": _marks(session),
        "ledger": _ledger(),
    }
    return jsonify(document)


def _camera(name: str, since: int, until: int) -> dict[str, Any]:
    connection = room_db()
    # the segment being written now is not in the index yet: nothing is said about it rather than calling it a gap
    written = segments.between(connection, name, since, until)
    upto = max((s.ended_ms for s in written), default=since) if room().config.camera.get(name) else until
    whole = clips.completeness_between(connection, name, since, min(until, upto) if written else until)
    return {
        "name": name,
        "segments": [
            {"id": s.id, "from_ms": s.started_ms, "until_ms": s.ended_ms, "salvaged": s.salvaged} for s in written
        ],
        "gaps": [{"from_ms": g.from_ms, "until_ms": g.until_ms, "cause": g.cause} for g in whole.gaps],
        "expected_s": whole.expected_s,
        "recorded_s": whole.recorded_s,
    }


def _marks(session: str) -> list[dict[str, Any]]:
    connection = room_db()
    numbers = {who.person: who.number for who in people.candidates(connection, session)}
    seats = {who.person: who.seat for who in people.candidates(connection, session)}
    found: list[dict[str, Any]] = [
        {
            "at_ms": c.at_ms,
            "kind": c.outcome,
            "reason": c.reason,
            "sentence": both(c.reason, seat=seats.get(c.person or "") or "-", detail=""),
            "number": numbers.get(c.person or ""),
        }
        for c in checkins.everything(connection, session)
    ]
    for entry in ledger.entries(connection, session=session, kinds=MARK_KINDS):
        found.append(
            {
                # a step carries the moment itself: the tablet's word for it may have come later
                "at_ms": entry.body.get("ms", entry.at_ms),
                "camera": entry.body.get("camera"),
                "kind": entry.kind,
                "reason": entry.body.get("reason"),
                "sentence": both(f"mark_{entry.kind}"),
                "number": numbers.get(entry.subject or ""),
            }
        )
    return sorted(found, key=lambda mark: int(mark["at_ms"]))


def _ledger() -> dict[str, Any]:
    connection = room_db()
    head = ledger.latest_checkpoint(connection)
    witnessed = ledger.latest_checkpoint(connection, witnessed=True)
    return {
        "size": ledger.size(connection),
        "checkpoint": head and {"size": head.size, "at_ms": head.at_ms},
        "witnessed": witnessed and {"size": witnessed.size, "at_ms": witnessed.at_ms},
    }


@bp.get("/<session>/clip/<camera>")
@require_role("supervisor")
def clip(session: str, camera: str) -> Response:
    """One playable clip of the span; `part` counts through the files a span lies in, X-Clip-Parts says how many."""
    connection = room_db()
    sessions.find(connection, session)
    since, until, why, part = _span()
    found = clips.clips_between(connection, _known(camera), since, until)
    if part >= len(found):
        raise NotFound("no_footage")
    chosen = found[part]
    start, end = _range(chosen.length)
    if end - start > 1:  # the page first asks for one byte, to learn how many parts there are
        _note_viewing(session, camera, since, until, why)
    partial = (start, end) != (0, chosen.length)
    response = Response(
        clips.stream(room().config.paths.recordings, chosen, start, end),
        status=206 if partial else 200,
        mimetype="video/mp4",
        direct_passthrough=True,
    )
    response.content_length = end - start
    response.set_etag(chosen.etag)
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["X-Clip-Parts"] = str(len(found))
    response.headers["X-Clip-From"] = str(chosen.from_ms)
    if partial:
        response.headers["Content-Range"] = f"bytes {start}-{end - 1}/{chosen.length}"
    return response


@bp.post("/<session>/evidence")
@require_role("supervisor")
def evidence(session: str) -> Response:
    """One file of footage and proofs to take away."""
    body = read(EvidenceBody)
    here = room()
    connection = room_db()
    sessions.find(connection, session)
    _check_span(body.from_, body.until)
    folder = here.config.paths.recordings / "exports"
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / f"{secrets.token_hex(8)}.zip"
    export_evidence(
        connection,
        here.config.paths,
        here.identity(),
        camera=_known(body.camera),
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
    response = Response(iter(lambda: file.read(256 * 1024), b""), mimetype="application/zip", direct_passthrough=True)
    response.call_on_close(file.close)
    response.content_length = length
    name = f"evidence-{session}-{body.camera}-{body.from_}.zip"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _known(camera: str) -> str:
    if not _CAMERA.match(camera) or camera not in {*segments.cameras(room_db()), *room().config.camera}:
        raise NotFound("no_footage")
    return camera


def _span() -> tuple[int, int, str, int]:
    try:
        since, until = int(request.args["from"]), int(request.args["until"])
        part = int(request.args.get("part", "0"))
    except (KeyError, ValueError) as error:
        raise BadInput("span_wrong", minutes=LONGEST_VIEW_MS // 60_000) from error
    why = request.args.get("why", "").strip()
    if len(why) < 2 or len(why) > 500:
        raise BadInput("reason_wanted")
    _check_span(since, until)
    return since, until, why, max(0, part)


def _check_span(since: int, until: int) -> None:
    if not 0 <= since < until < min(since + LONGEST_VIEW_MS, LATEST_MS):
        raise BadInput("span_wrong", minutes=LONGEST_VIEW_MS // 60_000)


def _range(length: int) -> tuple[int, int]:
    """The byte range asked for; the whole where none, or none that can be served, was."""
    wanted = parse_range_header(request.headers.get("Range"))
    found = wanted.range_for_length(length) if wanted is not None else None
    return (0, length) if found is None else (int(found[0]), int(found[1]))


def _note_viewing(session: str, camera: str, since: int, until: int, why: str) -> None:
    """One entry a viewing: a player's further ranges of the same span are the same viewing for a while."""
    connection, by = room_db(), signed_in_staff().id
    body = {"camera": camera, "from_ms": since, "until_ms": until, "why_sha256": _commit(why)}
    fresh = clock.wall_ms() - SAME_VIEWING_MS
    recent = ledger.last(connection, "footage_viewed", 50)
    if any(e.body == body and e.content["by"] == by and e.at_ms > fresh for e in recent):
        return
    with transaction(connection):
        ledger.append(connection, "footage_viewed", body, session=session, by=by)


def _commit(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
