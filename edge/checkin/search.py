"""Looking for a face among many: who came without a badge, and whether one face goes by two names.

Each is a purpose of its own: only where signed policy has it, and only among those who agreed to it. Distances are
worked out for all of a gallery at once; the limits are those of the pack's manifest, and follow the gallery's size.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edge import clock
from edge.checkin.look import Seen
from edge.checkin.templates import opened
from edge.checkin.visit import Visit, of_several, rules_of, under_way
from edge.domain.consents import DUPLICATES, SEARCH
from edge.domain.facerules import FaceRules, face_rules, strictest
from edge.domain.faces import FULL_AREA
from edge.domain.search import pick, suspect
from edge.errors import BadInput, VerificationFailed
from edge.store import faces, people
from edge.trust.roomkeys import DataKey
from edge.vision.face_pack import FacePack
from edge.vision.template import Template

DAY_MS = 86_400_000


@dataclass(frozen=True, eq=False)
class Entry:
    """Somebody of a session whose face may be looked for."""

    session: str
    person: str
    number: int
    admitted_ms: int | None
    template: Template = field(repr=False)


def gallery(
    connection: sqlite3.Connection, pack: FacePack, key: DataKey, sessions: Sequence[str], purpose: str
) -> list[Entry]:
    """Of these sessions, everybody who agreed to `purpose`; a template that does not open is nobody's."""
    found = []
    for session in sessions:
        for one in faces.gallery(connection, session, pack.name, pack.version, purpose):
            try:
                template = opened(pack, key, one.person, one.sealed)
            except (VerificationFailed, BadInput):
                continue
            found.append(Entry(session, one.person, one.number, one.admitted_ms, template))
    return found


def distances(seen: Sequence[Seen], entries: Sequence[Entry]) -> tuple[list[float], list[float]]:
    """For each entry the mean distance over the frames, weighted as `domain.faces.decide` does, and the farthest."""
    if not seen or not entries:
        return [], []
    stack = np.stack([one.template for one in entries])
    each = np.stack([np.linalg.norm(stack - one.template, axis=1) for one in seen])
    weights = np.array([one.quality * min(one.area, FULL_AREA) for one in seen])
    means = np.average(each, axis=0, weights=weights)
    return [float(value) for value in means], [float(value) for value in each.max(axis=0)]


# ---- who came without a badge


@dataclass(frozen=True)
class Among:
    """The sessions whose candidates may be looked for now, and what their policies ask."""

    sessions: tuple[str, ...]
    rules: FaceRules


def among(connection: sqlite3.Connection, pack: FacePack | None, liveness: bool) -> Among | str:
    """Or the code of why nobody is looked for: no session under way has the search, nobody agreed to it, the pack has
    no limits for it or not for so many, or policy wants networks for liveness that are not there."""
    if pack is None or pack.search is None:
        return "button_no_badge"
    here = {id_: face_rules(session.policy) for id_, session in under_way(connection).items()}
    here = {id_: rules for id_, rules in here.items() if rules.search}
    agreed = {one.person for id_ in here for one in faces.gallery(connection, id_, pack.name, pack.version, SEARCH)}
    found = Among(tuple(here), strictest(list(here.values())))
    if not agreed:
        return "button_no_badge"
    if len(agreed) > pack.search.gallery:
        return "search_too_many"
    return "liveness_unavailable" if found.rules.passive and not liveness else found


@dataclass(frozen=True)
class Result:
    who: people.Candidate | None
    reason: str
    distance: float | None


def find(connection: sqlite3.Connection, pack: FacePack, key: DataKey, visit: Visit) -> Result:
    """Whom the frames of a visit show. Somebody in several sessions stands in the gallery once."""
    if pack.search is None:
        return Result(None, "search_none", None)
    everybody = gallery(connection, pack, key, visit.among, SEARCH)
    entries = list({one.person: one for one in everybody}.values())
    found = pick(*distances(visit.seen, entries), pack.search, pack.threshold.refuse)
    if found.place is None:
        return Result(None, found.reason, found.distance)
    person = entries[found.place].person
    meant = [people.candidate(connection, one.session, person) for one in everybody if one.person == person]
    return Result(of_several(connection, meant), found.reason, found.distance)


# ---- one face, two names


def entered(
    connection: sqlite3.Connection, pack: FacePack, key: DataKey, visit: Visit, who: people.Candidate
) -> Entry | None:
    """Somebody else, let in within the last day, whose registered face is the one before the camera.

    Whatever the badge's own photograph says: it may show the same person again, under the other name.
    """
    if not _looks_for_two_names(connection, pack, who):
        return None
    since = clock.wall_ms() - DAY_MS
    here = [id_ for id_, session in under_way(connection).items() if face_rules(session.policy).duplicates]
    others = [
        one
        for one in gallery(connection, pack, key, here, DUPLICATES)
        if one.person != who.person and one.admitted_ms is not None and one.admitted_ms >= since
    ]
    return nearest(pack, visit.seen, others)


def twin(
    connection: sqlite3.Connection, pack: FacePack, key: DataKey, who: people.Candidate, template: Template
) -> Entry | None:
    """Somebody else of their session with the same registered face."""
    if not _looks_for_two_names(connection, pack, who):
        return None
    others = [one for one in gallery(connection, pack, key, [who.session], DUPLICATES) if one.person != who.person]
    return nearest(pack, registered(template), others)


def _looks_for_two_names(connection: sqlite3.Connection, pack: FacePack, who: people.Candidate) -> bool:
    agreed = people.consent(connection, who.person, DUPLICATES) is True
    return pack.search is not None and agreed and rules_of(connection, who).duplicates


def registered(template: Template) -> list[Seen]:
    """A registered face as if it had been seen."""
    return [Seen(template, 1.0, FULL_AREA)]


def nearest(pack: FacePack, seen: Sequence[Seen], entries: Sequence[Entry]) -> Entry | None:
    """The nearest that a search would find, whoever else is near: a person judges it. How near that has to be follows
    how many are compared, or a large roster would accuse many."""
    if pack.search is None:
        return None
    means, farthest = distances(seen, entries)
    place = suspect(means, farthest, pack.search, pack.threshold.refuse)
    return None if place is None else entries[place]
