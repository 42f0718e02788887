"""Clips to look at, by ranges; each byte of an opened view."""

from __future__ import annotations

from flask import Response, request
from werkzeug.http import parse_range_header

from edge.errors import NotFound
from edge.recording import clips
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
    start, end = _range(chosen.length)
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


def _part() -> int:
    try:
        return max(0, int(request.args.get("part", "0")))
    except ValueError as error:
        raise NotFound("no_footage") from error


def _range(length: int) -> tuple[int, int]:
    """The byte range asked for; the whole where none, or none that can be served, was."""
    wanted = parse_range_header(request.headers.get("Range"))
    found = wanted.range_for_length(length) if wanted is not None else None
    return (0, length) if found is None else (int(found[0]), int(found[1]))
