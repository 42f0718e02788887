"""Templates as they are stored: encrypted with the device's data key, each tied to its person, pack and version."""

from __future__ import annotations

import sqlite3

from edge.store import people
from edge.trust.roomkeys import DataKey
from edge.vision.face_pack import FacePack
from edge.vision.template import Template, from_bytes


def read_template(connection: sqlite3.Connection, pack: FacePack, key: DataKey, person: str) -> Template | None:
    """The person's template for exactly this pack and version, or None."""
    sealed = people.template(connection, person, pack.name, pack.version)
    return None if sealed is None else opened(pack, key, person, sealed)


def opened(pack: FacePack, key: DataKey, person: str, sealed: bytes) -> Template:
    """VerificationFailed or BadInput for one that was made for another row, pack or key."""
    return from_bytes(key.decrypt(sealed, context(person, pack)))


def context(person: str, pack: FacePack) -> bytes:
    """Ties a template to its person, pack and version: swapped rows do not decrypt."""
    return f"{person}\n{pack.name}\n{pack.version}".encode()
