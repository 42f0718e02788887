"""Which browser a tablet may answer in, and what its page says of candidates leaving it."""

from __future__ import annotations

import functools
from typing import Annotated, Literal

from flask import Response, jsonify, request
from pydantic import Field

from edge.domain import seb
from edge.errors import Refused
from edge.exam import seb as room_seb
from edge.exam.live import Tablet
from edge.exam.lockdown import KINDS
from edge.exam.sittings import Sitting
from edge.store import lockdown as rows
from edge.store.sessions import Session
from edge.web.body import Body, check_csrf, read
from edge.web.room import room, room_db
from edge.web.setup.roomtls import authority

# by the classic web view with every request, for that request's address
CONFIG_HEADER, EXAM_HEADER = "X-SafeExamBrowser-ConfigKeyHash", "X-SafeExamBrowser-RequestHash"
# by our page from the script interface of the modern one, for the page's own address
PAGE_CONFIG_HEADER, PAGE_EXAM_HEADER = "X-Examroom-Config-Key", "X-Examroom-Exam-Key"
PAGES = ("exam/", "exam/?lang=zh", "exam/?lang=en")


def check_browser(tablet: Tablet) -> None:
    """Refused when the session's policy asks for Safe Exam Browser and this request does not come from it."""
    if room_seb.demanded(tablet.sitting.session.policy):
        _check(tablet.sitting, tablet.binding.tablet)


def check_browser_for(code: str) -> None:
    """The same before a seat is claimed, so that another browser does not hold the seat."""
    for sitting in room().live.all_sittings():
        if sitting.candidate.seat_code == code and room_seb.demanded(sitting.session.policy):
            _check(sitting, "")


def _check(sitting: Sitting, tablet: str) -> None:
    here, session, person = room(), sitting.session, sitting.candidate.person
    reason = _wrong(session)
    if reason is None or here.lockdown.is_exempt(session.id, person, room_db):
        return
    here.lockdown.refuse(rows.Watched(session.id, person, sitting.id, tablet, rows.REFUSED), here.later.put)
    raise Refused(reason)


def _wrong(session: Session) -> str | None:
    """The reason why this request's keys are not the session's, or None."""
    rule = session.policy.get("seb") or {}
    base = request.host_url.rstrip("/")
    listed = tuple(rule.get("config_keys") or ())
    quit_hash = room_seb.quit_hash(session.policy)
    config_keys = listed or (room_seb.own_key(base, authority(), quit_hash),)
    exam_keys = tuple(rule.get("browser_exam_keys") or ())
    if CONFIG_HEADER not in request.headers and PAGE_CONFIG_HEADER not in request.headers:
        return "seb_required"
    if not _fits(CONFIG_HEADER, PAGE_CONFIG_HEADER, base, config_keys):
        return "seb_other_settings"
    if exam_keys and not _fits(EXAM_HEADER, PAGE_EXAM_HEADER, base, exam_keys):
        return "seb_other_settings"
    return None


def _fits(header: str, page_header: str, base: str, keys: tuple[str, ...]) -> bool:
    given = request.headers.get(header)
    if given is not None and given in _hashes(request.url, keys):
        return True
    given = request.headers.get(page_header)
    return given is not None and any(given in _hashes(f"{base}/{page}", keys) for page in PAGES)


@functools.lru_cache(maxsize=1024)
def _hashes(address: str, keys: tuple[str, ...]) -> frozenset[str]:
    """The hashes that are right for `address`; asked for a few addresses, thousands of times."""
    return frozenset(seb.address_hash(address, key) for key in keys)


class WatchEvent(Body):
    """Something the page saw: when by the tablet's own clock, and how long it lasted.

    An absence is told twice, at its beginning and with `end` at its end, when its length is known. `id` is the page's
    own name for the telling, which it may repeat.
    """

    kind: Literal["page_hidden", "window_blur", "fullscreen_left", "not_fullscreen", "copy", "paste", "print"]
    at_ms: Annotated[int, Field(ge=0, le=10**14)]
    for_ms: Annotated[int, Field(ge=0, le=86_400_000)] = 0
    id: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9-]{8,64}$")] = None
    end: bool = False


class WatchBody(Body):
    """`away_ms`: how long the candidate has been away by now; None while they are here."""

    events: Annotated[list[WatchEvent], Field(min_length=1, max_length=100)]
    away_ms: Annotated[int | None, Field(ge=0, le=86_400_000)] = None


def take_watch(tablet: Tablet, secret: str) -> Response:
    """Take over what the page saw; kept within a few seconds. The tablet's times are not believed, only durations."""
    check_csrf(secret)
    body = read(WatchBody)
    here, sitting = room(), tablet.sitting
    session, binding = sitting.session, tablet.binding
    if session.policy.get("lockdown") == "none":
        return jsonify({"noted": 0})
    here.lockdown.set_away(sitting.id, body.away_ms)
    new = [event for event in body.events if here.lockdown.is_new(binding.tablet, event.id)]
    for kind in KINDS:
        of_kind = [event for event in new if event.kind == kind]
        if of_kind:
            what = rows.Watched(session.id, sitting.candidate.person, sitting.id, binding.tablet, kind)
            times = sum(not event.end for event in of_kind)
            here.lockdown.add(what, times, sum(event.for_ms for event in of_kind), here.later.put)
    return jsonify({"noted": len(new)})
