"""Bundles that `uplink` has fetched become sessions: the roster decides, with the newest policy and its bank."""

from __future__ import annotations

import logging
import sqlite3

from edge import clock
from edge.config import Paths
from edge.errors import ExamroomError, Unavailable
from edge.exam.documents import PolicyDocument, parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.store import bundles, ledger
from edge.store.db import transaction
from edge.trust import enrolment
from edge.trust.seal import open_bundle

log = logging.getLogger("examroom.arrivals")


def take_in_arrivals(connection: sqlite3.Connection, paths: Paths) -> list[str]:
    """Plan a session for every roster bundle that is new; the ids planned.

    A roster whose bank or policy is not here yet waits for it. One that is wrong is refused once, in the ledger.
    """
    planned: list[str] = []
    waiting = bundles.untaken(connection, "roster")
    if not waiting:
        return planned
    here = enrolment.load(paths)
    for arrival in waiting:
        session = None
        try:
            content = _open(here, paths, arrival)
            roster = parse_roster(content)
            bank = bundles.get(connection, "bank", roster.bank.name, roster.bank.version)
            local = None
            if roster.local_bank is not None:
                local = bundles.get(connection, "bank", roster.local_bank.name, roster.local_bank.version)
                if local is None:
                    continue
            newest = bundles.newest(connection, "policy", "policy")
            if bank is None or newest is None:
                continue
            policy = _policy(here, paths, newest)
            session = take_in(
                connection,
                roster,
                policy,
                room=here.certificate.room,
                bank_file=bank.path,
                data_key=here.keys.data,
                local_bank_file=None if local is None else local.path,
            )
            planned.append(session)
            reason = None
        except Unavailable:
            continue
        except ExamroomError as error:
            log.warning("roster bundle %s refused: %s", arrival.name, error.code)
            reason = error.code
        except sqlite3.IntegrityError as error:
            log.warning("roster bundle %s refused: %s", arrival.name, error)
            reason = "roster_clash"
        with transaction(connection):
            bundles.set_taken(connection, arrival, reason, session)
            if reason is not None:
                body = {"name": arrival.name, "version": arrival.version, "reason": reason}
                ledger.append(connection, "bundle_refused", body)
    return planned


def _policy(here: enrolment.Identity, paths: Paths, arrival: bundles.BundleRow) -> PolicyDocument:
    return parse_policy(_open(here, paths, arrival))


def _open(here: enrolment.Identity, paths: Paths, arrival: bundles.BundleRow) -> bytes:
    try:
        data = (paths.bundles / arrival.path).read_bytes()
    except OSError as error:
        raise Unavailable("bank_missing", name=arrival.name, version=arrival.version) from error
    room = here.certificate.room
    return open_bundle(data, [here.root_public], room, here.keys.seal, clock.wall_ms())[1]
