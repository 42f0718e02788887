"""Which room the store belongs to: the last (room, epoch) the ledger has noted as enrolled."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from edge.store import ledger
from edge.store.meta import get_meta, set_meta

_KEY = "identity"


def noted(connection: sqlite3.Connection) -> tuple[str, int] | None:
    """The (room, epoch) this store was last enrolled as."""
    text = get_meta(connection, _KEY)
    if text is None:
        return None
    room, epoch = json.loads(text)
    return str(room), int(epoch)


def note_enrolled(connection: sqlite3.Connection, room: str, epoch: int, facts: dict[str, Any]) -> bool:
    """Note the enrolment in meta and ledger, once; the caller holds the transaction. Whether it was new."""
    if noted(connection) == (room, epoch):
        return False
    set_meta(connection, _KEY, json.dumps([room, epoch]))
    ledger.append(connection, "enrolled", {"room": room, "epoch": epoch, **facts})
    return True
