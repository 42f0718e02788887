"""What somebody who is not signed in asked of the pages of staff, and was refused.

A candidate's tablet that tries the console, a made-up or outlived cookie, another site's form at the sign-in. Nobody
can fill the ledger so: strangers share one small budget (`edge.web.refused`), and each address is noted once a minute
for what it tries, once an hour for what it only reads. A tablet whose cookie is good is noted with its candidate.
"""

from __future__ import annotations

from typing import Any

from flask import g, request

from edge.errors import ExamroomError
from edge.store import ledger
from edge.web.exam.api import COOKIE as TABLET_COOKIE
from edge.web.exam.refusals import tablet_of
from edge.web.refused import HOUR_S, MINUTE_S, note
from edge.web.room import room
from edge.web.staff.session import COOKIE


def note_refusal(error: ExamroomError, body: dict[str, Any], acting: bool) -> None:
    """Into the ledger, as whoever it was where that is known. `acting`: it was to change something.

    Somebody without any cookie who opens a page is led to the sign-in and is nobody's refusal.
    """
    here, outlived = room(), g.get("signed_out")
    if outlived is not None:  # theirs until this very request; a page that only reads alone runs out in peace
        if acting:
            here.later.put(lambda connection: ledger.note(connection, "act_refused", body, by=outlived))
        return
    if not acting and "/api/" not in body["act"] and COOKIE not in request.cookies:
        return
    window = MINUTE_S if acting else HOUR_S
    what = (error.code, request.blueprint, acting)
    tablet = tablet_of(request.cookies.get(TABLET_COOKIE))
    if tablet is None:
        left_out = here.strangers.take((request.remote_addr, *what), window)
    else:
        left_out = here.known.take((tablet.binding.tablet, *what), window)
    if left_out is not None:
        sitting = None if tablet is None else tablet.sitting
        person = None if sitting is None else sitting.candidate.person
        note(here.later, body, left_out, person, None if sitting is None else sitting.session.id)
