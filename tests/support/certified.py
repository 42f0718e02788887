"""The completeness certificate of what a camera recorded in a test, as the room signs it and a stranger checks it."""

from __future__ import annotations

from contextlib import closing

from edge import clock
from edge.config import Config
from edge.demo import people as cast
from edge.domain.canonical import canonical
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.recording import certificate
from edge.store.db import open_room, transaction
from edge.trust import dsse, enrolment
from edge.trust.completeness_format import CameraFact, Completeness, completeness_file
from edge.trust.enrolment import certify_locally
from edge.trust.verifier import verify_file


def certified(config: Config, camera: str, from_ms: int, until_ms: int) -> CameraFact:
    """What the certificate of a session of that wall time says of the camera; the room is enrolled where it is not."""
    if not config.paths.keys.is_dir():
        certify_locally(config.paths, "示例学校", "room-1", 1, clock.wall_ms())
    here = enrolment.load(config.paths)
    with closing(open_room(config.paths.room_db)) as db:
        roster = parse_roster(canonical(cast.roster(f"S-{camera}", clock.wall_ms(), size=1)))
        rules = parse_policy(canonical(cast.POLICY))
        session = take_in(db, roster, rules, room="room-1", bank_file="bank", data_key=here.keys.data)
        with transaction(db):
            query = "UPDATE sessions SET state = 'closed', opened_ms = ?, closed_ms = ? WHERE id = ?"
            db.execute(query, (from_ms, until_ms, session))
        kept = certificate.certify(db, config, here, session)
    file = config.paths.state / f"{session}.json"
    file.write_bytes(completeness_file(here.envelope, kept.envelope))
    verdict = verify_file(file, [here.root_public])
    assert verdict.ok, verdict
    found = Completeness.model_validate(dsse.peek(kept.envelope).payload)
    return next(one for one in found.cameras if one.camera == camera)
