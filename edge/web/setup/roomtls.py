"""The room's certificates as the pages need them: read when the file has changed, None where there are none."""

from __future__ import annotations

import os
import threading

from edge.errors import Unavailable
from edge.trust import roomtls
from edge.web.room import room

_lock = threading.Lock()
_known: dict[str, tuple[tuple[int, int], roomtls.RoomTls]] = {}


def room_tls() -> roomtls.RoomTls | None:
    """What tablets are to trust; None on a desk without HTTPS of its own."""
    folder = room().config.paths.tls
    try:
        stamp = (os.stat(folder / "ca.crt").st_mtime_ns, os.stat(folder / "room.crt").st_mtime_ns)  # noqa: PTH116
    except OSError:
        return None
    with _lock:
        known = _known.get(str(folder))
    if known is not None and known[0] == stamp:
        return known[1]
    try:
        found = roomtls.load(folder)
    except Unavailable:  # caught in mid-renewal: the next request sees the new one
        return known[1] if known else None
    with _lock:
        _known[str(folder)] = (stamp, found)
    return found


def authority() -> bytes | None:
    """The authority in DER form, or None."""
    found = room_tls()
    return found.ca_der if found else None
