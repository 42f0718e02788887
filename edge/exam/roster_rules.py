"""What has to hold between the parts of a roster, and between a roster and its day: every rule that is broken."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from edge.domain import idcards
from edge.domain.reasons import words
from edge.errors import Wrong

if TYPE_CHECKING:
    from edge.exam.documents import RosterDocument


EARLIEST_MS = 1_577_836_800_000
"""2020: a session planned before it was planned by a clock that was never set, or by a slip of the hand."""


def broken(roster: RosterDocument) -> Iterator[Wrong]:
    """In the order of their weight; each with the facts `at` and `other`, the places as the document has them, where a
    place is to blame."""
    yield from _twice(roster)
    yield from _room(roster)
    yield from _days(roster)
    yield from _stations(roster)


def _twice(roster: RosterDocument) -> Iterator[Wrong]:
    people, staff, seats = roster.candidates, roster.staff, roster.seats
    yield from _once("seats", _each("seats", [seat.seat for seat in seats], "seat"))
    yield from _once("places", _each("seats", [(seat.row, seat.column) for seat in seats], "row"))
    yield from _once("numbers", _each("candidates", [c.number for c in people], "number"))
    documents = [(c.document.type, c.document.number) for c in people]
    yield from _once("documents", _each("candidates", documents, "document"))
    badges = _each("candidates", [c.badge for c in people], "badge")
    yield from _once("badges", badges + _each("staff", [s.badge for s in staff], "badge"))
    yield from _once("assigned", _each("candidates", [c.seat for c in people], "seat"))
    yield from _once("staff", _each("staff", [s.id for s in staff], "id"))


def _room(roster: RosterDocument) -> Iterator[Wrong]:
    seats = {seat.seat for seat in roster.seats}
    for at, c in enumerate(roster.candidates):
        if c.seat and c.seat not in seats:
            yield Wrong("check_seat_unknown", seat=c.seat, at=f"candidates.{at}.seat")
    if len(roster.candidates) > len(roster.seats):
        yield Wrong("check_seats_few")
    if roster.local_bank is not None and roster.local_bank.name == roster.bank.name:
        yield Wrong("check_local_name")
    roles = {member.role for member in roster.staff}
    if "proctor" not in roles:
        yield Wrong("check_no_proctor", at="staff")
    if roster.all_rubrics and "examiner" not in roles:
        yield Wrong("check_no_examiner", at="staff")


def _days(roster: RosterDocument) -> Iterator[Wrong]:
    """Nobody is born after the exam, or agrees after it. The day of a consent may be one later than here: it is
    written down by the school's clock, and this may be the gateway's."""
    if roster.session.planned_ms < EARLIEST_MS:  # a rehearsal by such a clock says nothing of anybody's age
        return
    day = datetime.fromtimestamp(roster.session.planned_ms / 1000).astimezone().date()
    latest = max(day, date.today()) + timedelta(days=1)
    for at, c in enumerate(roster.candidates):
        birth = idcards.born(c.document.type, c.document.number) or c.document.born
        if birth is not None and not 0 <= idcards.age(birth, day) <= idcards.OLDEST:
            yield Wrong("document_born_future", at=f"candidates.{at}.document")
        if c.consent.date is not None and c.consent.date > latest:
            yield Wrong("consent_date", at=f"candidates.{at}.consent.date")


def _stations(roster: RosterDocument) -> Iterator[Wrong]:
    ids = [rubric.id for rubric in roster.all_rubrics]
    yield from _once("rubrics", _each("rubrics", ids, "id"))
    yield from _once("stations", _each("stations", [station.id for station in roster.stations], "id"))
    named = {station.rubric for station in roster.stations}
    for unknown in sorted(named - set(ids)):
        yield Wrong("check_station_rubric", rubric=unknown)
    for taken in sorted((set(ids) - named) & {station.id for station in roster.stations}):
        yield Wrong("check_station_taken", rubric=taken)
    on_paper = {part.test for part in roster.blueprint.parts}
    if any(rubric.test in on_paper for rubric in roster.all_rubrics):
        yield Wrong("check_safety_twice")


def _each(part: str, values: Sequence[Hashable], field: str) -> list[tuple[str, Hashable]]:
    """Each value that is there with its place in the document."""
    return [(f"{part}.{at}.{field}", value) for at, value in enumerate(values) if value is not None]


def _once(what: str, values: list[tuple[str, Hashable]]) -> Iterator[Wrong]:
    """Says which places are the same, not what stands there: it may be somebody's document number.

    `at` and `other` are the places as a document has them, for whoever knows a better name for them.
    """
    seen: dict[Hashable, str] = {}
    for place, value in values:
        if (other := seen.setdefault(value, place)) != place:
            rows = {"first": _row(other), "second": _row(place)}
            yield Wrong("check_same", what=words(f"what_{what}"), **rows, at=place, other=other)


def _row(place: str) -> dict[str, str]:
    part, at, _ = place.split(".")
    return words("check_row", list=words(f"list_{part}"), at=int(at) + 1)
