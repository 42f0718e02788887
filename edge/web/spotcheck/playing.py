"""Footage to look at: which fragments a view is, and their bytes by ranges; each byte of an opened view.

The page plays them itself, several cameras in step, by the fragments' own times; whoever only wants a file takes clips.
A listing opens no file but what is not in the index yet: a picture costs the segment file it is in, and one more
opening where its beginning has not been fetched yet; of what is being recorded, each is opened twice.
"""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request

from edge.domain import footage
from edge.errors import NotFound, Refused
from edge.recording import clips
from edge.recording.clips import Clip
from edge.recording.coverage import unindexed_segments
from edge.store import segments
from edge.store.access import View
from edge.store.segments import Segment
from edge.web.ranged import ranged
from edge.web.room import room, room_db
from edge.web.spotcheck import bp
from edge.web.spotcheck.access import known, need_view, span_within
from edge.web.staff.session import require_role


@bp.get("/api/<session>/fragments/<camera>")
@require_role("supervisor")
def fragments(session: str, camera: str) -> Response:
    """What there is of one camera in an opened view: files of whole fragments, as `media` gives them.

    `take` counts up where the clock was set back and shows a time once more.
    """
    view = need_view(request.args.get("view", ""))
    since, until = span_within(view, known(camera))
    newest = (clips.clip_of(one, since, until) for one in unindexed_segments(room_db(), room().config, camera))
    found = {clip.segment.id: clip for clip in newest if clip is not None}
    found |= {clip.segment.id: clip for clip in clips.clips_between(room_db(), camera, since, until)}
    taken = footage.takes([clip.segment for clip in found.values()])
    files = [_file(found[segment.id], take) for take, segment in taken]
    return jsonify({"camera": camera, "from_ms": since, "until_ms": until, "files": files})


def _file(clip: Clip, take: int) -> dict[str, Any]:
    at, rows = clip.segment.init_length, list[list[int]]()
    for fragment in clip.fragments:
        rows.append([at, fragment.length, fragment.wall_ms, fragment.duration_ms, int(fragment.key)])
        at += fragment.length
    return {
        "segment": clip.segment.id,
        "length": clip.length,
        "init": clip.segment.init_length,
        "started_ms": clip.segment.started_ms,
        "quality": clip.segment.quality,
        "take": take,
        "fragments": rows,
    }


@bp.get("/<session>/media/<segment>")
@require_role("supervisor")
def media(session: str, segment: str) -> Response:
    """What of one segment an opened view covers: its beginning and whole fragments, by ranges."""
    view = need_view(request.args.get("view", ""))
    found = _segment(segment, view)
    if found.camera not in view.cameras:
        raise Refused("view_wanted")
    covered = clips.clip_of(found, view.from_ms, view.until_ms)
    if covered is None:
        raise NotFound("no_footage")
    return _sent(covered)


def _segment(segment: str, view: View) -> Segment:
    """One of the index, or one of the view's cameras that is being recorded. NotFound (`segment_missing`)."""
    try:
        return segments.get(room_db(), segment)
    except NotFound:
        for camera in view.cameras:
            for one in unindexed_segments(room_db(), room().config, camera):
                if one.id == segment:
                    return one
        raise


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
    response = _sent(chosen)
    response.headers["X-Clip-Parts"] = str(len(found))
    response.headers["X-Clip-From"] = str(chosen.from_ms)
    return response


def _sent(chosen: Clip) -> Response:
    """The clip, or the range of it that is asked for."""
    recordings = room().config.paths.recordings
    return ranged(
        chosen.length,
        chosen.etag,
        lambda start, end: clips.stream(recordings, chosen, start, end),
        mimetype="video/mp4",
    )


def _part() -> int:
    try:
        return max(0, int(request.args.get("part", "0")))
    except ValueError as error:
        raise NotFound("no_footage") from error
