"""What an examiner's tablet shows: everybody with their work, and one candidate's sheet in detail.

With two examiners neither sees the other's points before having signed: only that somebody scores, or has signed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from edge import clock
from edge.exam import practical as rules
from edge.exam.stations import default_station, elapsed, find_rubric, slots
from edge.exam.work_pictures import most
from edge.store import people, pictures, practical, sessions, sheets, staff


def board(connection: sqlite3.Connection, session: sessions.Session, me: str) -> dict[str, Any]:
    """The list: rubrics, stations, each candidate with each rubric's work. Points leave as points, not hundredths."""
    rubrics = practical.rubrics(connection, session.id)
    works = practical.works(connection, session.id)
    held, places = practical.holds(connection, session.id), practical.stations(connection, session.id)
    standings = rules.standings(connection, session)
    names = {one.id: one.name for one in staff.everybody(connection)}
    chiefs = practical.chiefs(connection, session.id)
    listed = []
    for who in people.candidates(connection, session.id):
        own = []
        for key in rubrics:
            work, standing = works.get((who.person, key)), standings.get((who.person, key))
            station = work.station if work else default_station(places, key, who.number)
            holders = held.get(work.id, []) if work else []
            one = _work(work) | {"rubric": key, "station": station, "place": [work.place if work else 0, who.number]}
            one["holders"] = [_holder(h, names, me) for h in holders if h.ended_ms is None]
            one |= {"standing": _standing(session, standing, me, chiefs, names), "mine": _mine(standing, me)}
            own.append(one)
        listed.append(
            {
                "person": who.person,
                "number": who.number,
                "name": who.name,
                "seat": who.seat,
                "state": who.state,
                "practical": _legacy(session, rubrics, standings, who.person, me, chiefs),
                "works": own,
            }
        )
    first = find_rubric(connection, session.id, None)
    return {
        "rubric": first,
        "rubrics": list(rubrics.values()),
        "pass": session.policy["pass"][first["test"]],
        "passes": dict(session.policy["pass"]),
        "stations": [{"id": s.id, "title": s.title, "camera": s.camera, "rubric": s.rubric} for s in places.values()],
        "rules": {
            "examiners": slots(session),
            "max_difference": int(session.policy.get("max_difference", rules.DEFAULT_DIFFERENCE)),
            "signatures": bool(session.policy.get("signatures")),
            "pictures": most(session),
        },
        "me": {"id": me, "chief": me in chiefs},
        "examiners": [
            {"id": key, "name": name}
            for key, name, role in staff.of_session(connection, session.id)
            if role == "examiner"
        ],
        "chiefs": [{"id": one, "name": names.get(one, "-")} for one in chiefs],
        "state": session.state,
        "now": clock.wall_ms(),
        "candidates": listed,
    }


def _work(work: practical.Work | None) -> dict[str, Any]:
    if work is None:
        return {"work": None, "state": "queued", "elapsed_ms": 0, "running": False, "started_ms": None}
    return {
        "work": work.id,
        "state": work.state,
        "elapsed_ms": elapsed(work),
        "running": work.timer.running,
        "started_ms": work.started_ms,
    }


def _holder(hold: practical.Hold, names: Mapping[str, str], me: str) -> dict[str, Any]:
    return {
        "examiner": hold.examiner,
        "name": names.get(hold.examiner, "-"),
        "mine": hold.examiner == me,
        "tablet": hold.tablet if hold.examiner == me else "",
        "since_ms": hold.since_ms,
        "seen_ms": hold.seen_ms,
    }


def _mine(standing: rules.Standing | None, me: str) -> dict[str, Any] | None:
    for sheet in standing.sheets if standing else ():
        if sheet.examiner == me:
            return {"version": sheet.version, "points": sheet.points / 100, "vetoed": sheet.vetoed}
    return None


def _may_see(session: sessions.Session, standing: rules.Standing, me: str, chiefs: list[str]) -> bool:
    """Whether others' points may be shown: never before one's own sheet is signed, where one is still to be signed."""
    signed = any(sheet.examiner == me for sheet in standing.sheets)
    return signed or len(standing.sheets) >= slots(session) or (me in chiefs and standing.state == "disputed")


def _standing(
    session: sessions.Session,
    standing: rules.Standing | None,
    me: str,
    chiefs: list[str],
    names: Mapping[str, str],
) -> dict[str, Any]:
    if standing is None:
        return {"state": "open", "signed": []}
    shown: dict[str, Any] = {
        "state": standing.state,
        "signed": [names.get(sheet.examiner, "-") for sheet in standing.sheets],
        "why": standing.why,
    }
    if standing.points is not None and _may_see(session, standing, me, chiefs):
        shown |= {"points": standing.points / 100, "vetoed": standing.vetoed}
    return shown


def _legacy(
    session: sessions.Session,
    rubrics: Mapping[str, Mapping[str, Any]],
    standings: Mapping[tuple[str, str], rules.Standing],
    person: str,
    me: str,
    chiefs: list[str],
) -> dict[str, Any] | None:
    """The practical result as one line, for lists that know of one sheet only; None until it is settled."""
    for key, rubric in rubrics.items():
        standing = standings.get((person, key))
        if standing is None or standing.points is None or not _may_see(session, standing, me, chiefs):
            continue
        percent = int(session.policy["pass"][rubric["test"]])
        passed = not standing.vetoed and standing.points * 100 >= percent * standing.sheets[0].full
        by = standing.sheets[0].examiner
        return {"points": standing.points / 100, "passed": passed, "by": by, "vetoed": standing.vetoed}
    return None


def detail(
    connection: sqlite3.Connection, session: sessions.Session, person: str, rubric_id: str, me: str
) -> dict[str, Any]:
    """One candidate at one rubric: the draft that stands, drafts kept beside it, stamps, pictures, sheets."""
    find_rubric(connection, session.id, rubric_id)
    who = people.candidate(connection, session.id, person)
    work = practical.find_work(connection, session.id, person, rubric_id)
    standing = rules.standings(connection, session).get((person, rubric_id))
    names = {one.id: one.name for one in staff.everybody(connection)}
    chiefs = practical.chiefs(connection, session.id)
    draft, stale = practical.drafts(connection, work.id, me) if work else (None, [])
    places = practical.stations(connection, session.id)
    station = work.station if work else default_station(places, rubric_id, who.number)
    return _work(work) | {
        "now": clock.wall_ms(),
        "station": station,
        "holders": [
            _holder(hold, names, me)
            for hold in (practical.holds_of(connection, work.id) if work else [])
            if hold.ended_ms is None
        ],
        "draft": _draft(draft),
        "stale": [_draft(one) for one in stale],
        "beside": [
            {"at_ms": one.at_ms, **one.body} for one in (practical.beside(connection, work.id, me) if work else [])
        ],
        "stamps": {
            step: {"at_ms": stamp.at_ms, "elapsed_ms": stamp.elapsed_ms, "recording": stamp.recording}
            for step, stamp in (practical.stamps(connection, work.id, me) if work else {}).items()
        },
        "pictures": [
            {"id": one.id, "sha256": one.sha256, "at_ms": one.at_ms, "bytes": one.bytes}
            for one in (pictures.of_work(connection, work.id, me) if work else [])
            if one.done
        ],
        "standing": _standing(session, standing, me, chiefs, names),
        "sheets": _sheets(connection, session, standing, me, chiefs, names),
    }


def _draft(draft: practical.Draft | None) -> dict[str, Any] | None:
    if draft is None:
        return None
    return {"version": draft.version, "tablet": draft.tablet, "at_ms": draft.at_ms, "body": dict(draft.body)}


def _sheets(
    connection: sqlite3.Connection,
    session: sessions.Session,
    standing: rules.Standing | None,
    me: str,
    chiefs: list[str],
    names: Mapping[str, str],
) -> list[dict[str, Any]]:
    if standing is None:
        return []
    open_to_me = _may_see(session, standing, me, chiefs)
    shown = []
    for sheet in standing.sheets:
        if sheet.examiner != me and not open_to_me:
            continue
        shown.append(
            {
                "id": sheet.id,
                "by": names.get(sheet.examiner, "-"),
                "mine": sheet.examiner == me,
                "version": sheet.version,
                "points": sheet.points / 100,
                "vetoed": sheet.vetoed,
                "signed_ms": sheet.signed_ms,
                "body": dict(sheet.body),
                "drawn": sorted(sheets.signatures(connection, sheet.id)),
            }
        )
    return shown
