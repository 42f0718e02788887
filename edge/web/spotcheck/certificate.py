"""A session's completeness certificate: one page to print, and the signed file to take away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flask import Response, render_template

from edge.domain.reasons import sentence
from edge.errors import NotFound
from edge.store import completeness, sessions
from edge.store.completeness import Kept
from edge.trust import dsse
from edge.trust.completeness_format import Completeness, GapFact, completeness_file, percent
from edge.ui import CHINA, language
from edge.ui.catalogue import text
from edge.web.room import room, room_db
from edge.web.spotcheck import bp
from edge.web.staff.session import require_role

MOST_ROWS, LEAST_GAPS = 16, 3  # of cameras and their longest gaps together: what fits a page
MOST_EVENTS = 6


@dataclass(frozen=True)
class Row:
    """One gap as it is printed."""

    camera: str
    gap: GapFact
    cause: str


@bp.get("/<session>/certificate")
@require_role("supervisor")
def certificate(session: str) -> str:
    """The certificate on one page, or the word that there is none yet."""
    found = sessions.find(room_db(), session)
    kept = completeness.latest(room_db(), session)
    if kept is None:
        return render_template("spotcheck/certificate.html", session=found, kept=None)
    document = _document(kept)
    rows = [
        Row(camera.camera, gap, sentence("gap_" + gap.cause.replace("-", "_"), language()))
        for camera in document.cameras
        for gap in camera.gaps
    ]
    longest = sorted(rows, key=lambda row: -row.gap.ms)[: max(LEAST_GAPS, MOST_ROWS - len(document.cameras))]
    events = _events(document)
    return render_template(
        "spotcheck/certificate.html",
        session=found,
        kept=kept,
        document=document,
        gaps=sorted(longest, key=lambda row: (row.gap.from_ms, row.camera)),
        more_gaps=len(rows) - len(longest),
        events=events[:MOST_EVENTS],
        more_events=len(events[MOST_EVENTS:]),
        percent=percent,
        moment=_moment,
        length=_length,
    )


@bp.get("/<session>/certificate.json")
@require_role("supervisor")
def certificate_file(session: str) -> Response:
    """The signed file. NotFound: `completeness_none` before it is issued, `epoch_gone`."""
    sessions.find(room_db(), session)
    kept = completeness.latest(room_db(), session)
    if kept is None:
        raise NotFound("completeness_none")
    data = completeness_file(room().identity().signer_of(kept.envelope)[0], kept.envelope)
    response = Response(data, mimetype="application/json")
    response.headers["Content-Disposition"] = f'attachment; filename="completeness-{session}-{kept.version}.json"'
    return response


def _document(kept: Kept) -> Completeness:
    return Completeness.model_validate(dsse.peek(kept.envelope).payload)


def _events(document: Completeness) -> list[str]:
    """What happened to the clock and the pictures, in words and in order."""
    lang = language()
    found = [
        (
            blind.from_ms,
            text(
                "certificate.blind",
                lang,
                camera=camera.camera,
                until=_moment(blind.until_ms),
                reason=sentence(blind.reason, lang, camera=camera.camera),
                **{"from": _moment(blind.from_ms)},
            ),
        )
        for camera in document.cameras
        for blind in camera.blind
    ]
    for fact in document.clock:
        if fact.step_ms:
            seconds = f"{fact.step_ms / 1000:+.1f}"
            told = text("certificate.step", lang, at=_moment(fact.at_ms), seconds=seconds, camera=fact.camera)
            found.append((fact.at_ms, told))
        elif fact.boot is not None:
            found.append((fact.at_ms, text("certificate.boot", lang, at=_moment(fact.at_ms), camera=fact.camera)))
    if document.deleted:
        found.append((document.made_ms, text("certificate.deleted", lang, count=len(document.deleted))))
    return [words for _, words in sorted(found)]


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, CHINA).strftime("%m-%d %H:%M:%S")


def _length(milliseconds: int) -> str:
    """1:02:03.4, down to a tenth of a second."""
    seconds, tenths = divmod(milliseconds // 100, 10)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}.{tenths}"
