"""What a supervisor may ask for, and the ledger entry that each look leaves.

Every byte of footage belongs to a view, opened by POST with the reason: who, which cameras, what span and why are in
the ledger before the first byte is sent. A view lies in its session, as the clocks showed that, and ten minutes either
side; of whoever came with a pass, in the pass too. A clip is whole fragments, so its first picture may lie before its
span, at most back to the last key frame.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flask import g, request

from edge.domain.keeping import MARGIN_MS
from edge.domain.walltime import Span, merged
from edge.errors import BadInput, NotFound, Refused
from edge.store import access, segments, sessions, walltime
from edge.store.access import View
from edge.store.sessions import Session
from edge.web.room import room, room_db
from edge.web.spotcheck import bp
from edge.web.staff.session import held_pass, signed_in_staff

LONGEST_VIEW_MS = 60 * 60_000
LATEST_MS = 1 << 47
CAMERA = re.compile(r"^[a-z][a-z0-9-]{0,30}$")
MINUTE_MS = 60_000

# What the holder of a pass may ask for at all; whatever a new route does, it is refused to them until it is named here.
# Of no session, and themselves held to what the pass covers:
OF_NO_SESSION = frozenset({"index", "sample_page", "announce_sample", "draw_sample"})
# of a session that the pass touches, and themselves held to the pass's own span:
OF_A_PART = frozenset({"page", "timeline", "views", "fragments", "media", "clip", "thumbs", "answers"})
OF_A_PART |= {"export", "exports", "export_state", "export_delete", "export_file"}
# about a session as a whole, so only where all of it is in the pass:
OF_THE_WHOLE = frozenset({"certificate", "certificate_file", "inspected"})
_STATIC = "static"


@dataclass(frozen=True)
class Part:
    """[from_ms, until_ms] may be looked at; the session itself went on from `began_ms` to `ended_ms` of it.

    `first`, `last`: whether it began here and whether it ended, or goes on, here; elsewhere the clock was set.
    """

    from_ms: int
    until_ms: int
    began_ms: int
    ended_ms: int
    first: bool
    last: bool


@bp.before_request
def within_the_pass() -> None:
    """Whoever came with a pass is held to it: by what they ask for, and by the session that the address names.

    Refused: `pass_not_room` for what is about the whole room, `session_not_in_pass`, `session_partly_in_pass`.
    """
    asked = (request.endpoint or "").removeprefix("spotcheck.")
    if asked == _STATIC or held_pass() is None or asked in OF_NO_SESSION:
        return
    session = (request.view_args or {}).get("session")
    if session is None or asked not in OF_A_PART | OF_THE_WHOLE:
        raise Refused("pass_not_room")
    found = sessions.find(room_db(), session)
    if not covered(found):
        raise Refused("session_not_in_pass")
    if asked in OF_THE_WHOLE and not wholly_covered(found):
        raise Refused("session_partly_in_pass")


def covered(session: Session) -> bool:
    """Whether whoever is signed in may see this session at all: staff each, the holder of a pass what it covers."""
    held = held_pass()
    return held is None or (session.room in held.rooms and any(held.touches(*span) for span in _spans(session)))


def wholly_covered(session: Session) -> bool:
    """Whether they may see all of it, from the opening of its door to its close."""
    held = held_pass()
    return held is None or (
        session.room in held.rooms
        and all(held.from_ms <= since and until <= held.until_ms for since, until in _spans(session))
    )


def _spans(session: Session) -> list[Span]:
    """When it was; its planned time where that is later, while it has not closed."""
    when = walltime.when(room_db(), session.id)
    minutes_ms = session.minutes * MINUTE_MS
    if when is None:
        return [(session.planned_ms, session.planned_ms + minutes_ms)]
    spans = when.spans()
    if when.open:
        since = session.opened_ms or when.showings[0].from_ms
        spans = merged([*spans, (since, since + minutes_ms)])
    return spans


def parts(session: Session) -> list[Part]:
    """The wall time that whoever is signed in may look at, in order: several parts where the clock was set by more than
    the margins, none before the session's door has opened.
    """
    when = walltime.when(room_db(), session.id)
    if when is None:
        return []
    held, found = held_pass(), list[Part]()
    for since, until in when.spans(MARGIN_MS):
        own = [one for one in when.showings if since <= one.early_ms <= until]
        began, ended = min(one.early_ms for one in own), max(one.until_ms for one in own)
        seen = (since, until) if held is None else (max(since, held.from_ms), min(until, held.until_ms))
        if seen[0] < seen[1]:
            found.append(Part(*seen, began, ended, when.showings[0] in own, when.showings[-1] in own))
    return found


def may_export() -> bool:
    held = held_pass()
    return held is None or held.export


def known(camera: str) -> str:
    if not CAMERA.match(camera) or camera not in {*segments.cameras(room_db()), *room().config.camera}:
        raise NotFound("no_footage")
    return camera


def ask_for(cameras: Sequence[str], since: int, until: int) -> None:
    """Say what footage this request is about, for the entry of its refusal."""
    if 0 <= since < until < LATEST_MS:
        g.asked = {"cameras": sorted(set(cameras)), "from_ms": since, "until_ms": until}


def check_span(session: Session, since: int, until: int) -> None:
    """BadInput for what is no span, or a longer one than LONGEST_VIEW_MS; Refused for one that is not the session's, or
    not the pass's.
    """
    if not (0 <= since < until <= since + LONGEST_VIEW_MS and until < LATEST_MS):
        raise BadInput("span_wrong", minutes=LONGEST_VIEW_MS // MINUTE_MS)
    if not any(one.from_ms <= since and until <= one.until_ms for one in parts(session)):
        raise Refused("span_outside" if held_pass() is None else "span_not_in_pass")


def open_view(session: str, cameras: Sequence[str], from_ms: int, until_ms: int, why: str) -> str:
    """Open a view for whoever is signed in, and return its id; its entry is in the ledger. Errors as `known` and
    `check_span`.
    """
    ask_for(cameras, from_ms, until_ms)
    check_span(sessions.find(room_db(), session), from_ms, until_ms)
    names = [known(camera) for camera in cameras]
    return access.open_view(room_db(), session, names, from_ms, until_ms, why=why, by=signed_in_staff().id).id


def need_view(view_id: str) -> View:
    """The view of that id. Refused (`view_wanted`) where it is none, too old, somebody else's, or of another session
    than the address names. Which of its cameras and moments are sent is the caller's to hold to it.
    """
    session = str((request.view_args or {}).get("session", ""))
    found = access.view(room_db(), view_id, session, signed_in_staff().id)
    if found is None:
        raise Refused("view_wanted")
    return found


def span_within(view: View, camera: str) -> tuple[int, int]:
    """`from` and `until` of the request, the view's own where it names none. Refused (`view_wanted`) where they or the
    camera leave the view.
    """
    try:
        since = int(request.args.get("from", view.from_ms))
        until = int(request.args.get("until", view.until_ms))
    except ValueError as error:
        raise BadInput("span_wrong", minutes=LONGEST_VIEW_MS // MINUTE_MS) from error
    ask_for([camera], since, until)
    if since >= until:
        raise BadInput("span_wrong", minutes=LONGEST_VIEW_MS // MINUTE_MS)
    if camera not in view.cameras or not view.from_ms <= since < until <= view.until_ms:
        raise Refused("view_wanted")
    return since, until


def note_search(session: str, cameras: Sequence[str], from_ms: int, until_ms: int) -> None:
    """Whoever is signed in looked through what there is."""
    access.note_search(room_db(), cameras, from_ms, until_ms, session=session, by=signed_in_staff().id)
