"""What a tablet, or whoever pretends to be one, asked for and was refused."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from flask import g, request

from edge.errors import ExamroomError, NotSignedIn
from edge.exam.live import OtherDevice, Sitting, Tablet
from edge.web.refused import HOUR_S, MINUTE_S, note
from edge.web.room import room

# noted where they arise, once or each; and what follows from those
_NOTED = {"seat_code_wrong", "seat_code_tries", "seb_required", "seb_other_settings"}


def note_refusal(error: ExamroomError, body: dict[str, Any], cookie: str) -> None:
    """Into the ledger, with the candidate where the seat is known: a try of somebody's, not a page that reads alone.

    What a page only reads is noted once an hour, as its pages ask every few seconds.
    """
    if error.code in _NOTED or isinstance(error, OtherDevice) or "/api/" not in body["act"]:
        return
    here, window = room(), MINUTE_S if request.method == "POST" else HOUR_S
    secret = request.cookies.get(cookie)
    sitting: Sitting | None = g.get("seat_asked_for")
    if sitting is not None:
        left_out = here.known.take((sitting.id, error.code), window)
    elif (tablet := tablet_of(secret)) is not None:
        sitting = tablet.sitting
        left_out = here.known.take((tablet.binding.tablet, error.code), window)
    elif secret is None and isinstance(error, NotSignedIn):
        return  # a tablet that has no seat yet
    else:
        left_out = here.strangers.take((request.remote_addr, error.code), window)
    if left_out is not None:
        person = None if sitting is None else sitting.candidate.person
        session = None if sitting is None else sitting.session.id
        note(here.later, body, left_out, person, session)


def tablet_of(secret: str | None) -> Tablet | None:
    """The tablet behind this cookie on this request, also one whose exam has moved; None where it is nobody's."""
    if secret and len(secret) <= 128:
        with suppress(ExamroomError):
            return room().live.tablet(secret, request.environ.get("HTTP_X_EXAMROOM_DEVICE"), released=True)
    return None
