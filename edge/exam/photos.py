"""A photograph taken in: it stands for its person alone."""

from __future__ import annotations

import sqlite3

from edge.errors import VerificationFailed
from edge.store import faces, ledger, people
from edge.trust.roomkeys import DataKey


def keep_photo(connection: sqlite3.Connection, session: str, person: str, sealed: bytes, key: DataKey) -> None:
    """Store a sealed photograph, in the caller's transaction, for check-in to make the template of.

    What was made of an earlier one goes with its proof, since a corrected photograph is to count; pictures kept as
    evidence stay. One that waits already, and is the same to the byte, is left where it is.
    """
    held = faces.held(connection, person)
    waiting = people.photo(connection, person)
    if waiting is not None and not held["templates"] and _same(waiting, sealed, person, key):
        return
    proof = faces.delete_faces(connection, [person], stills=False)
    if proof is not None:
        ledger.append(connection, "face_data_deleted", proof | {"why": "replaced"}, subject=person, session=session)
    people.set_photo(connection, person, sealed)


def _same(one: bytes, other: bytes, person: str, key: DataKey) -> bool:
    try:
        return key.decrypt(one, person.encode()) == key.decrypt(other, person.encode())
    except VerificationFailed:
        return False
