"""Enrolling this box to a room: with a province's token, or as a small site's own authority."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge import clock
from edge.config import Config
from edge.errors import BadInput, Conflict, Unavailable, VerificationFailed
from edge.store import identity as identities
from edge.store import outbox
from edge.store.db import open_room, transaction
from edge.trust import enrolment
from edge.trust.enrolment import Identity
from edge.trust.token import read_token
from edge.uplink.client import GatewayClient, endpoint


def enrol(
    config: Config,
    url: str | None,
    ca: Path | None,
    token: str,
    *,
    again: bool = False,
    leave_waiting: bool = False,
) -> Identity:
    """Become the room `token` names. Repeating it after a lost answer goes on where it was, with the same keys.

    Conflict `already_enrolled` without `again`; `results_waiting` where results have no receipt, as the next epoch
    cannot send them. Otherwise raises what the line and the gateway raise; nothing is changed then.
    """
    plain = read_token(token)
    where = endpoint(config, None, url, ca)
    authority = None if where.ca is None else _read_ca(where.ca)
    with _room(config) as connection:
        if not enrolment.enrolled_with(config.paths, plain):
            _may_change(config, connection, again, leave_waiting)
            request = enrolment.request_for(config.paths, plain)
            with GatewayClient(where, stop=threading.Event()) as client:
                answer = client.enrol(request)
            enrolment.accept(config.paths, plain, answer, where.url, authority)
        return _noted(config, connection)


def enrol_local(
    config: Config, institution: str, room: str, *, again: bool = False, leave_waiting: bool = False
) -> Identity:
    """Make the institution itself the authority: a root key born here certifies the room. Repeating it is harmless."""
    with _room(config) as connection:
        current = _current(config)
        if current is not None and not again:
            certificate = current.certificate
            if (certificate.room, certificate.institution) != (room, institution) or current.gateway is not None:
                raise Conflict("already_enrolled", room=certificate.room)
            return _noted(config, connection)
        _may_change(config, connection, again, leave_waiting)
        before = identities.noted(connection)
        epoch = 1 if before is None or before[0] != room else before[1] + 1
        enrolment.certify_locally(config.paths, institution, room, epoch, clock.wall_ms())
        return _noted(config, connection)


def note_identity(connection: sqlite3.Connection, identity: Identity) -> None:
    """Make sure meta and ledger know who the room is: enrolment may have been cut off before its ledger entry."""
    certificate = identity.certificate
    if identities.noted(connection) == (certificate.room, certificate.epoch):
        return
    facts = {"issuer": certificate.issuer, "certificate_sha256": hashlib.sha256(identity.envelope).hexdigest()}
    with transaction(connection):
        identities.note_enrolled(connection, certificate.room, certificate.epoch, facts)


def _noted(config: Config, connection: sqlite3.Connection) -> Identity:
    identity = enrolment.load(config.paths)
    note_identity(connection, identity)
    return identity


def _current(config: Config) -> Identity | None:
    """Who the room is now; None where it is nobody, or its files are broken and want replacing."""
    try:
        return enrolment.load(config.paths)
    except (Unavailable, VerificationFailed, BadInput):
        return None


def _may_change(config: Config, connection: sqlite3.Connection, again: bool, leave_waiting: bool) -> None:
    current = _current(config)
    if current is not None and not again:
        raise Conflict("already_enrolled", room=current.certificate.room)
    waiting = outbox.counts(connection)["waiting"]
    if waiting and not leave_waiting:
        raise Conflict("results_waiting", count=waiting)


def _read_ca(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput("ca_unreadable", path=path) from error
    if b"-----BEGIN CERTIFICATE-----" not in data:
        raise BadInput("ca_unreadable", path=path)
    return data


@contextmanager
def _room(config: Config) -> Iterator[sqlite3.Connection]:
    connection = open_room(config.paths.room_db)
    try:
        yield connection
    finally:
        connection.close()
