"""What a supervisor may ask for, and the ledger entry that each look leaves."""

from __future__ import annotations

import hashlib
import re

from flask import request

from edge import clock
from edge.errors import BadInput, NotFound
from edge.store import ledger, segments
from edge.store.db import transaction
from edge.web.room import room, room_db
from edge.web.staff.session import signed_in_staff

LONGEST_VIEW_MS = 60 * 60_000
SAME_VIEWING_MS = 10 * 60_000
LATEST_MS = 1 << 47
CAMERA = re.compile(r"^[a-z][a-z0-9-]{0,30}$")


def known(camera: str) -> str:
    if not CAMERA.match(camera) or camera not in {*segments.cameras(room_db()), *room().config.camera}:
        raise NotFound("no_footage")
    return camera


def span() -> tuple[int, int, str, int]:
    try:
        since, until = int(request.args["from"]), int(request.args["until"])
        part = int(request.args.get("part", "0"))
    except (KeyError, ValueError) as error:
        raise BadInput("span_wrong", minutes=LONGEST_VIEW_MS // 60_000) from error
    why = request.args.get("why", "").strip()
    if len(why) < 2 or len(why) > 500:
        raise BadInput("reason_wanted")
    check_span(since, until)
    return since, until, why, max(0, part)


def check_span(since: int, until: int) -> None:
    if not 0 <= since < until < min(since + LONGEST_VIEW_MS, LATEST_MS):
        raise BadInput("span_wrong", minutes=LONGEST_VIEW_MS // 60_000)


def note_viewing(session: str, camera: str, since: int, until: int, why: str) -> None:
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
