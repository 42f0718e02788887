"""The completeness certificate of what a camera recorded in a test, as the room signs it and a stranger checks it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from edge import clock
from edge.config import Config
from edge.demo import people as cast
from edge.domain.canonical import canonical
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.recording import certificate
from edge.store import ledger
from edge.store.db import open_room, transaction
from edge.trust import dsse, enrolment
from edge.trust.completeness_format import CameraFact, Completeness, completeness_file
from edge.trust.enrolment import certify_locally
from edge.trust.verifier import verify_file


@contextmanager
def session_of(config: Config, camera: str) -> Iterator[str]:
    """A session that opens and closes while the camera's process lives, both entered: so its certificate goes by the
    clock that only goes forward, as in a real room. It gives the session's id."""
    with closing(open_room(config.paths.room_db)) as db:
        session = _taken_in(config, db, camera)
        _entered(db, session, "checkin_opened", {"cameras": [camera]}, "state = 'checkin', opened_ms = ?")
        try:
            yield session
        finally:
            _entered(db, session, "exam_closed", {}, "state = 'closed', closed_ms = ?")


def certified(config: Config, camera: str, from_ms: int, until_ms: int) -> CameraFact:
    """What the certificate of a session of that wall time says of the camera; the room is enrolled where it is not.

    No entry tells when it opened and closed: `session_of` makes one of which the ledger knows.
    """
    with closing(open_room(config.paths.room_db)) as db:
        session = _taken_in(config, db, camera)
        with transaction(db):
            query = "UPDATE sessions SET state = 'closed', opened_ms = ?, closed_ms = ? WHERE id = ?"
            db.execute(query, (from_ms, until_ms, session))
    return certified_session(config, camera, session)


def certified_session(config: Config, camera: str, session: str) -> CameraFact:
    """What the certificate of a closed session says of the camera."""
    here = enrolment.load(config.paths)
    with closing(open_room(config.paths.room_db)) as db:
        kept = certificate.certify(db, config, here, session)
    file = config.paths.state / f"{session}.json"
    file.write_bytes(completeness_file(here.envelope, kept.envelope))
    verdict = verify_file(file, [here.root_public])
    assert verdict.ok, verdict
    found = Completeness.model_validate(dsse.peek(kept.envelope).payload)
    return next(one for one in found.cameras if one.camera == camera)


def _taken_in(config: Config, db: sqlite3.Connection, camera: str) -> str:
    if not config.paths.keys.is_dir():
        certify_locally(config.paths, "示例学校", "room-1", 1, clock.wall_ms())
    roster = parse_roster(canonical(cast.roster(f"S-{camera}", clock.wall_ms(), size=1)))
    rules, keys = parse_policy(canonical(cast.POLICY)), enrolment.load(config.paths).keys
    return take_in(db, roster, rules, room="room-1", bank_file="bank", data_key=keys.data)


def _entered(db: sqlite3.Connection, session: str, kind: str, body: dict[str, object], change: str) -> None:
    with transaction(db):
        entry = ledger.get(db, ledger.append(db, kind, body, session=session))
        db.execute(f"UPDATE sessions SET {change} WHERE id = ?", (entry.at_ms, session))  # noqa: S608
