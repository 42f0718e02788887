"""What the gateway said the time is: a room whose clock lags still knows whether a bundle may be opened."""

from __future__ import annotations

import json
import sqlite3

from edge import clock
from edge.store.db import transaction
from edge.store.meta import get_meta, set_meta

_KEY = "gateway_time"
NEAR_MS = 2000


def heard(connection: sqlite3.Connection, gateway_ms: int) -> None:
    """Keep the gateway's time (ms since 1970) with ours beside it; nothing is written while we knew it already."""
    known = _known(connection)
    if known is not None and abs(known - gateway_ms) < NEAR_MS:
        return
    said = {"gateway_ms": gateway_ms, "mono_ms": clock.mono_ms(), "boot_id": clock.boot_id()}
    with transaction(connection):
        set_meta(connection, _KEY, json.dumps(said))


def best_ms(connection: sqlite3.Connection) -> tuple[int, bool]:
    """The time by the gateway's clock where it spoke since this boot, else by ours, and whether it can be believed.

    What it said before this boot still holds as "not earlier than".
    """
    known = _known(connection)
    if known is not None:
        return known, True
    noted = get_meta(connection, _KEY)
    floor = 0 if noted is None else int(json.loads(noted)["gateway_ms"])
    return max(clock.wall_ms(), floor), clock.quality() is clock.TimeQuality.SYNCHRONISED


def _known(connection: sqlite3.Connection) -> int | None:
    noted = get_meta(connection, _KEY)
    said = {} if noted is None else json.loads(noted)
    if said.get("boot_id") != clock.boot_id():
        return None
    return int(said["gateway_ms"]) + clock.mono_ms() - int(said["mono_ms"])
