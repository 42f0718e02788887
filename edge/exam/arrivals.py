"""Bundles that `uplink` has fetched become sessions: the roster decides, with the newest policy and its bank."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from edge import clock
from edge.config import Paths
from edge.domain.reasons import sentence
from edge.errors import ExamroomError, Unavailable
from edge.exam.documents import PolicyDocument, RosterDocument, parse_policy, parse_roster
from edge.exam.intake import plan_session
from edge.exam.planning import need_fit, note_short
from edge.store import bundles, gatewaytime, ledger
from edge.store.db import transaction
from edge.trust import enrolment
from edge.trust.seal import open_bundle

log = logging.getLogger("examroom.arrivals")
TOLD_MS = 30 * 86_400_000


class _Waits(Exception):
    """A roster that may be good later; `reason` and `facts` make the sentence that says what it waits for."""

    def __init__(self, reason: str, facts: Mapping[str, object]) -> None:
        super().__init__(reason)
        self.reason, self.facts = reason, facts


@dataclass(frozen=True)
class _Planned:
    roster: RosterDocument
    policy: PolicyDocument
    bank: bundles.BundleRow
    local: bundles.BundleRow | None


def take_in_arrivals(connection: sqlite3.Connection, paths: Paths) -> list[str]:
    """Plan a session for every roster bundle that is new; the ids planned.

    A roster that is early waits for its time, and one whose bank or policy is not here, or not usable, waits for that.
    One that is wrong itself is refused, in the ledger. Neither holds up the others.
    """
    planned: list[str] = []
    waiting = bundles.untaken(connection, "roster")
    if not waiting:
        return planned
    here = enrolment.load(paths)
    for arrival in waiting:
        try:
            ready = _ready(connection, here, paths, arrival)
            with transaction(connection):
                session = plan_session(
                    connection,
                    ready.roster,
                    ready.policy,
                    room=here.certificate.room,
                    bank_file=ready.bank.path,
                    data_key=here.keys.data,
                    local_bank_file=None if ready.local is None else ready.local.path,
                )
                bundles.set_taken(connection, arrival, None, session)
            planned.append(session)
            _empty(paths, arrival)
            note_short(connection, here, paths.bundles, session)
        except Unavailable:
            continue  # its file is being fetched again, or the store is busy
        except _Waits as wait:
            with transaction(connection):
                new = bundles.set_waiting(connection, arrival, wait.reason, wait.facts)
            if new:
                log.warning("roster bundle %s waits: %s", arrival.name, wait.reason)
        except ExamroomError as error:
            _refuse(connection, arrival, error.code, error.facts)
        except sqlite3.IntegrityError as error:
            log.warning("roster bundle %s: %s", arrival.name, error)
            _refuse(connection, arrival, "roster_clash", {})
        except (ValueError, OverflowError, sqlite3.DataError) as error:
            # what no check above foresaw must not keep later rosters from their turn
            _refuse(connection, arrival, "roster_broken", {"where": "-", "detail": type(error).__name__})
    return planned


def not_used(connection: sqlite3.Connection) -> list[dict[str, object]]:
    """For staff: the bundles that were refused, and the rosters that wait and for what; newest first.

    {"kind", "name", "version", "refused", "at_ms", "zh", "en"}; refusals for 30 days.
    """
    since = clock.wall_ms() - TOLD_MS
    return [
        {
            "kind": one.kind,
            "name": one.name,
            "version": one.version,
            "refused": one.refused,
            "at_ms": one.at_ms,
            **{language: sentence(one.reason, language, **one.facts) for language in ("zh", "en")},
        }
        for one in sorted(bundles.unused(connection), key=lambda one: -one.at_ms)
        if not one.refused or one.at_ms >= since
    ]


def _ready(
    connection: sqlite3.Connection, here: enrolment.Identity, paths: Paths, arrival: bundles.BundleRow
) -> _Planned:
    """What a session is planned from. ExamroomError for what is wrong with the roster itself, else _Waits."""
    try:
        content = _open(connection, here, paths, arrival)
    except ExamroomError as error:
        _, believed = gatewaytime.best_ms(connection)
        if error.code == "bundle_early" or (error.code == "bundle_expired" and not believed):
            raise _Waits(error.code, error.facts) from error
        raise
    roster = parse_roster(content)
    need_fit(roster)
    banks = []
    for wanted in (roster.bank, roster.local_bank):
        bank = None if wanted is None else bundles.get(connection, "bank", wanted.name, wanted.version)
        if wanted is not None and bank is None:
            raise _Waits("roster_waits_bank", {"name": wanted.name, "version": wanted.version})
        banks.append(bank)
    main, local = banks
    newest = bundles.newest(connection, "policy", "policy")
    if newest is None or main is None:
        raise _Waits("roster_waits_policy", {})
    try:
        policy = parse_policy(_open(connection, here, paths, newest))
    except ExamroomError as error:
        raise _Waits("roster_waits_policy_usable", {"version": newest.version, "detail": error.words}) from error
    return _Planned(roster, policy, main, local)


def _open(connection: sqlite3.Connection, here: enrolment.Identity, paths: Paths, arrival: bundles.BundleRow) -> bytes:
    file = paths.bundles / arrival.path
    try:
        data = file.read_bytes()
        if not data:  # emptied when it was taken, by a store that has been restored since from before that
            file.unlink()
            raise FileNotFoundError(file)
    except OSError as error:
        raise Unavailable("bank_missing", name=arrival.name, version=arrival.version) from error
    at_ms, _ = gatewaytime.best_ms(connection)
    return open_bundle(data, [here.root_public], here.certificate.room, here.keys.seal, at_ms)[1]


def _empty(paths: Paths, arrival: bundles.BundleRow) -> None:
    """All of a roster stands in the store now, where withdrawal and deletion reach it. Its file stays: one that is not
    there would be fetched again. What fails here is done with the hourly deletion."""
    try:
        (paths.bundles / arrival.path).write_bytes(b"")
    except OSError as error:
        log.warning("roster bundle %s: its file is not emptied yet: %s", arrival.name, error)


def _refuse(
    connection: sqlite3.Connection, arrival: bundles.BundleRow, reason: str, facts: Mapping[str, object]
) -> None:
    log.warning("roster bundle %s refused: %s", arrival.name, reason)
    body: dict[str, object] = {"name": arrival.name, "version": arrival.version, "reason": reason}
    if place := _public_place(str(facts.get("where", ""))):
        body["where"] = place
    with transaction(connection):
        bundles.set_taken(connection, arrival, reason, None, facts)
        ledger.append(connection, "bundle_refused", body)


def _public_place(where: str) -> str:
    """The part of a place in a document that names our own fields and rows: an unknown key may be somebody's name."""
    known = []
    for part in where.split("."):
        if not (part.isascii() and (part.isdigit() or part in _fields())):
            break
        known.append(part)
    return ".".join(known)


@lru_cache(maxsize=1)
def _fields() -> frozenset[str]:
    schema = RosterDocument.model_json_schema()
    parts = [schema, *schema.get("$defs", {}).values()]
    return frozenset(name for part in parts for name in part.get("properties", {}))
