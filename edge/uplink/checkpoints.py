"""Signed tree heads of the ledger, and the gateway's signature on them: after that, no entry changes unseen."""

from __future__ import annotations

import sqlite3

from edge.errors import Conflict, VerificationFailed
from edge.store import ledger
from edge.store.db import transaction
from edge.trust.checkpoint import is_signed, open_note, read_note, sign_note
from edge.trust.enrolment import Identity
from edge.trust.protocol import CheckpointRequest
from edge.uplink.client import GatewayClient


def make_checkpoint(connection: sqlite3.Connection, identity: Identity) -> bool:
    """Sign the tree as it stands where it grew since the last checkpoint; whether it had.

    One note a size: load the identity just before, so that the entry of a new enrolment is signed by the new key.
    """
    origin = identity.certificate.origin
    size = ledger.size(connection)
    latest = ledger.latest_checkpoint(connection)
    if size == 0 or (latest is not None and latest.size >= size):
        return False
    root = ledger.root(connection, size)
    note = sign_note(origin, size, root, origin, identity.keys.sign)
    with transaction(connection):
        ledger.save_checkpoint(connection, size, root, note)
    return True


def push_checkpoint(connection: sqlite3.Connection, client: GatewayClient, identity: Identity) -> bool:
    """Have the gateway countersign the newest checkpoint, again where it signs with another key since; whether there
    was one to send.

    Raises what the line raises, and Conflict `checkpoint_smaller` or `checkpoint_fork` when the gateway saw another
    history of this room.
    """
    latest = ledger.latest_checkpoint(connection)
    origin = identity.certificate.origin
    if latest is None or identity.gateway is None or read_note(latest.note)[0].origin != origin:
        return False
    keys = {origin: identity.certificate.public, identity.gateway.name: identity.gateway.public}
    if latest.witnessed is not None and is_signed(latest.witnessed, keys):
        return False
    known = ledger.latest_checkpoint(connection, witnessed=True)
    seen = known.size if known is not None and read_note(known.note)[0].origin == origin else 0
    try:
        witnessed = client.push_checkpoint(_request(connection, latest, seen))
    except Conflict as error:
        if error.code != "checkpoint_old_size":
            raise
        # an answer was lost, or this is a spare box: the gateway tells the size it saw, and we prove from there
        told = error.facts.get("size")
        if not isinstance(told, int) or not 0 <= told <= latest.size:
            raise
        witnessed = client.push_checkpoint(_request(connection, latest, told))
    head = open_note(witnessed, keys)
    if (head.origin, head.size, head.root) != (origin, latest.size, latest.root):
        raise VerificationFailed("checkpoint_answer")
    with transaction(connection):
        ledger.save_witness(connection, latest.size, witnessed)
    return True


def _request(connection: sqlite3.Connection, latest: ledger.Checkpoint, old_size: int) -> CheckpointRequest:
    proof = ledger.consistency_proof(connection, old_size, latest.size)
    return CheckpointRequest(note=latest.note, old_size=old_size, proof=[step.hex() for step in proof])
