"""What happened in a session and to its cameras, each with the sentence that says it: the marks of the timeline."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from edge.domain.reasons import REASONS, words
from edge.exam.board import both
from edge.store import checkins, deletions, incidents, ledger, people
from edge.store.ledger import Entry
from edge.ui.catalogue import LANGUAGES, TEXTS

# ledger kinds shown as marks on the timeline, beside the check-ins
MARK_KINDS = (
    "checkin_opened",
    "exam_started",
    "exam_paused",
    "exam_resumed",
    "exam_closed",
    "results_signed",
    "time_added",
    "time_shortened",
    "time_taken_back",
    "standstill_confirmed",
    "part_limit_set",
    "incident",
    "tablet",
    "handed_in_by_room",
    "answer_accepted",
    "act_undone",
    "focus_lost",
    "seb_refused",
    "seb_exempted",
    "step_scored",
    "practical_scored",
    "practical_disputed",
    "practical_ruled",
    "work_clock",
)
ROOM_KINDS = ("clock", "camera", "recording")
"""Entries of the cameras' own, which belong to no session: those of its time are shown."""
_SAME_MS = 3000
_ENTERED_MS = 10 * 60_000
"""So long after its footage a segment's entry is looked for: it closes within a minute."""
_EVER = 1 << 62

Mark = dict[str, Any]


def marks(connection: sqlite3.Connection, session: str, from_ms: int, until_ms: int) -> list[Mark]:
    """All marks of a session whose footage lies in [from_ms, until_ms], in the order of their time.

    `camera` is the one that saw it, where one is known; `number` the candidate's. An incident stands where it happened,
    `noted_ms` says when it was written down.
    """
    found = [*_door(connection, session), *_acts(connection, session)]
    found += _cameras(connection, session, from_ms, until_ms)
    found += _deleted(connection, from_ms, until_ms)
    return sorted(found, key=lambda mark: int(mark["at_ms"]))


def _door(connection: sqlite3.Connection, session: str) -> Iterator[Mark]:
    known = {who.person: who for who in people.candidates(connection, session)}
    for one in checkins.everything(connection, session):
        who = known.get(one.person or "")
        yield {
            "at_ms": one.at_ms,
            "camera": one.camera,
            "kind": one.outcome,
            "reason": one.reason,
            "sentence": both(one.reason, seat=(who and who.seat) or "-", detail=""),
            "number": who and who.number,
        }


def _acts(connection: sqlite3.Connection, session: str) -> Iterator[Mark]:
    numbers = {who.person: who.number for who in people.candidates(connection, session)}
    happened = {one.id: one.happened_ms for one in incidents.of_session(connection, session)}
    for entry in ledger.entries(connection, session=session, kinds=MARK_KINDS):
        body = entry.body
        mark = {
            # a step carries the moment itself: the tablet's word for it may have come later
            "at_ms": body.get("ms", entry.at_ms),
            "camera": body.get("camera"),
            "kind": entry.kind,
            "reason": body.get("reason"),
            "sentence": both(f"mark_{entry.kind}"),
            "number": numbers.get(entry.subject or ""),
        }
        if entry.kind == "incident":
            kind = f"console.kind_{body.get('kind', '')}".replace("-", "_")
            mark["at_ms"] = happened.get(body.get("number", 0), entry.at_ms)
            mark["noted_ms"], mark["seat"] = entry.at_ms, body.get("seat")
            if kind in TEXTS:
                mark["sentence"] = both("mark_incident_of", kind={one: TEXTS[kind][one] for one in LANGUAGES})
        yield mark


def _cameras(connection: sqlite3.Connection, session: str, from_ms: int, until_ms: int) -> list[Mark]:
    """Clock steps, cameras that see nothing and recording that fails: of the span by the wall clock, and all between
    opening and end, whatever the clock said meanwhile. What several cameras tell of one step is one mark.
    """
    told = {entry.seq: entry for entry in _during(connection, session)}
    told |= {e.seq: e for e in ledger.entries(connection, kinds=ROOM_KINDS, from_ms=from_ms, until_ms=until_ms)}
    found = list[Mark]()
    for _, entry in sorted(told.items()):
        mark = _of_camera(entry)
        before = next((one for one in reversed(found) if one["kind"] == "clock"), None)
        if mark["kind"] == "clock" and before is not None and _same(before, mark):
            before["cameras"].append(mark["camera"])
            before["camera"] = None
            before["sentence"] = _clock_sentence(before)
        else:
            found.append(mark)
    return found


def _during(connection: sqlite3.Connection, session: str) -> list[Entry]:
    bounds = ledger.entries(connection, session=session, kinds=("checkin_opened", "exam_closed"))
    first = next((e.seq for e in bounds if e.kind == "checkin_opened"), None)
    if first is None:
        return []
    last = max((e.seq for e in bounds if e.kind == "exam_closed"), default=_EVER)
    return ledger.entries(connection, kinds=ROOM_KINDS, since=first, before=last)


def _of_camera(entry: Entry) -> Mark:
    body = entry.body
    camera = str(body.get("camera", ""))
    mark: Mark = {"at_ms": entry.at_ms, "camera": camera, "kind": entry.kind, "reason": body.get("reason")}
    mark["number"] = None
    if entry.kind == "clock":
        mark |= {"cameras": [camera], "step_ms": int(body.get("step_ms") or 0)}
        mark |= {name: str(body[name]) for name in ("quality", "was") if name in body}
        return mark | {"sentence": _clock_sentence(mark)}
    state = str(body.get("state", ""))
    if entry.kind == "camera":
        said = f"mark_camera_{state}" if state in ("good", "unseen") else f"mark_{body.get('reason', '')}"
        if state == "unseen":  # entered a little later than it was
            mark["at_ms"] -= int(entry.content["mono_ms"]) - int(body["spans"][0]["from_mono_ms"])
    else:
        said = f"mark_recording_{state.replace('-', '_')}"
    if said not in REASONS:
        said = f"mark_{entry.kind}_trouble"
    good = state in ("good", "resumed", "caught-up", "sound-on", "sound-off")
    return mark | {"good": good, "sentence": both(said, camera=camera, percent=body.get("percent", ""))}


def _same(one: Mark, other: Mark) -> bool:
    """Whether two cameras tell of the same step: within moments, and of the same size."""
    return (
        abs(int(one["at_ms"]) - int(other["at_ms"])) < _SAME_MS
        and abs(int(one["step_ms"]) - int(other["step_ms"])) < _SAME_MS
        and one.get("quality") == other.get("quality")
        and other["camera"] not in one["cameras"]
    )


def _clock_sentence(mark: Mapping[str, Any]) -> dict[str, str]:
    cameras, step_ms = ", ".join(mark["cameras"]), int(mark["step_ms"])
    if step_ms:
        seconds = f"{abs(step_ms) / 1000:.1f}"
        return both("mark_clock_forward" if step_ms > 0 else "mark_clock_back", seconds=seconds, camera=cameras)
    was, now = (_quality(mark.get(name)) for name in ("was", "quality"))
    return both("mark_clock_quality", was=was, now=now, camera=cameras)


def _quality(name: object) -> dict[str, str]:
    code = f"time_{name}"
    return words(code if code in REASONS else "time_unknown")


def _deleted(connection: sqlite3.Connection, from_ms: int, until_ms: int) -> Iterator[Mark]:
    """Footage of the span that is gone, what follows on in one mark."""
    before: Mark | None = None
    gone = deletions.deleted_between(connection, from_ms, until_ms, (from_ms, until_ms + _ENTERED_MS))
    for one in sorted(gone, key=lambda one: (one.camera, one.from_ms)):
        why = one.why or "unexplained"
        alike = before is not None and (before["camera"], before["reason"]) == (one.camera, why)
        if before is not None and alike and one.from_ms - before["until_ms"] < _SAME_MS:
            before["until_ms"] = max(before["until_ms"], one.until_ms)
            continue
        if before is not None:
            yield before
        before = {
            "at_ms": one.from_ms,
            "until_ms": one.until_ms,
            "camera": one.camera,
            "kind": "segment-deleted",
            "reason": why,
            "deleted_ms": one.at_ms,
            "number": None,
            "sentence": both(f"mark_deleted_{why}", camera=one.camera),
        }
    if before is not None:
        yield before


def doors(connection: sqlite3.Connection, session: str) -> list[dict[str, Any]]:
    """The session's candidates by number, each with the moment at the door that matters: when they were let in, else
    the last time they were there; None for who never came.
    """
    came = dict[str, checkins.Checkin]()
    for one in checkins.everything(connection, session):
        known = came.get(one.person or "")
        if one.person and (known is None or known.outcome != "admitted" or one.outcome == "admitted"):
            came[one.person] = one
    found = list[dict[str, Any]]()
    for who in sorted(people.candidates(connection, session), key=lambda who: who.number):
        seen = came.get(who.person)
        found.append(
            {
                "number": who.number,
                "seat": who.seat,
                "at_ms": seen and seen.at_ms,
                "outcome": seen and seen.outcome,
                "camera": seen and seen.camera,
            }
        )
    return found
