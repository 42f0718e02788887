"""Small pictures of an opened view, so that a moment is found by looking."""

from __future__ import annotations

import base64

from flask import Response, request

from edge.recording.thumbs import read_thumbs
from edge.store import segments
from edge.web.ranged import paced_json
from edge.web.room import room, room_db
from edge.web.spotcheck import bp
from edge.web.spotcheck.access import known, need_view, span_within
from edge.web.staff.session import require_role

MOST = 24


@bp.get("/api/<session>/thumbs/<camera>")
@require_role("supervisor")
def thumbs(session: str, camera: str) -> Response:
    """At most MOST of one camera's, the first within each of as many equal parts of the span."""
    view = need_view(request.args.get("view", ""))
    since, until = span_within(view, known(camera))
    chosen = dict[int, tuple[int, bytes]]()
    for span in segments.spans(room_db(), camera, since, until):
        path = room().config.paths.recordings / segments.segment_path(camera, span.boot_id, span.sequence)
        for at_ms, jpeg in read_thumbs(path):
            if since <= at_ms < until:
                chosen.setdefault((at_ms - since) * MOST // (until - since), (at_ms, jpeg))
    pictures = [{"at_ms": at, "jpeg": base64.b64encode(jpeg).decode()} for at, jpeg in sorted(chosen.values())]
    return paced_json({"camera": camera, "pictures": pictures})
