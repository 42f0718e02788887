"""Clips to look at, by ranges; each byte of an opened view."""

from __future__ import annotations

from flask import Response, request

from edge.errors import NotFound
from edge.recording import clips
from edge.web.ranged import ranged
from edge.web.room import room, room_db
from edge.web.spotcheck import bp
from edge.web.spotcheck.access import known, need_view, span_within
from edge.web.staff.session import require_role


@bp.get("/<session>/clip/<camera>")
@require_role("supervisor")
def clip(session: str, camera: str) -> Response:
    """One playable clip of an opened view.

    `part` counts through the files its span lies in, X-Clip-Parts says how many.
    """
    view = need_view(request.args.get("view", ""))
    since, until = span_within(view, known(camera))
    found = clips.clips_between(room_db(), camera, since, until)
    part = _part()
    if part >= len(found):
        raise NotFound("no_footage")
    chosen = found[part]
    recordings = room().config.paths.recordings
    response = ranged(
        chosen.length,
        chosen.etag,
        lambda start, end: clips.stream(recordings, chosen, start, end),
        mimetype="video/mp4",
    )
    response.headers["X-Clip-Parts"] = str(len(found))
    response.headers["X-Clip-From"] = str(chosen.from_ms)
    return response


def _part() -> int:
    try:
        return max(0, int(request.args.get("part", "0")))
    except ValueError as error:
        raise NotFound("no_footage") from error
