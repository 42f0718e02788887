"""What the status files of the camera processes amount to: which cameras do not record as they should, and why.

A process that hangs or is dead cannot say so: its silence does. One that loses its camera or its disk says so itself.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from edge.domain.reasons import REASONS
from edge.domain.sight import BLIND, DOUBLED
from edge.store.ledger import Entry

OLD_MS = 4000
"""A recording process speaks each second: silent for longer, it is not there. With a look each second, that is told
within five."""
OPENING_MS = 15_000
"""Opening a camera, or waiting for one that is away, may take so long without a word."""
PREFIX = "camera-"
SILENT, STOPPED = "camera_silent", "recording_stopped"
_FINE = ("recording", "starting")

Statuses = Mapping[str, Mapping[str, Any]]
Fault = tuple[str, dict[str, object]]


def fault(camera: str, statuses: Statuses, now_ms: int) -> Fault | None:
    """Why the camera does not record as it should: a code of the catalogue and its facts; None where it does.

    `statuses`: as `edge.store.status.read_statuses` gives, `now_ms` on the monotonic clock.
    """
    said = statuses.get(PREFIX + camera, {})
    state, age_ms = said.get("state"), now_ms - int(said.get("mono_ms", 0))
    patience = OLD_MS if state in ("recording", "soundless", "blind", "behind", "losing", "unsynced") else OPENING_MS
    if not said or not 0 <= age_ms < patience:
        return SILENT, {"camera": camera}
    if state == "stopped":  # told only where it lasts: everything stops when the box does
        return (STOPPED, {"camera": camera}) if age_ms >= OLD_MS else None
    reason = str(said.get("reason"))
    if state in _FINE or reason not in REASONS:
        return None
    facts = said.get("facts")
    return reason, {**(facts if isinstance(facts, Mapping) else {}), "camera": camera}


def faults(cameras: Iterable[str], statuses: Statuses, now_ms: int) -> dict[str, Fault]:
    """Of these cameras those that do not record as they should."""
    found = {camera: fault(camera, statuses, now_ms) for camera in cameras}
    return {camera: why for camera, why in found.items() if why is not None}


def sees(said: Mapping[str, Any], now_ms: int) -> bool:
    """Whether a camera's pictures show something that is there now, by its own status `said`: a sight that was told
    long ago says nothing. Of a doubled camera every second picture is new, which is enough for a face."""
    fresh = 0 <= now_ms - int(said.get("mono_ms", 0)) < OLD_MS
    return not fresh or said.get("sight") not in BLIND - {DOUBLED}


def judged(cameras: Iterable[str], statuses: Statuses, now_ms: int) -> dict[str, Mapping[str, Any]]:
    """The statuses, with the words of cameras that are silent in place of their last ones."""
    shown: dict[str, Mapping[str, Any]] = dict(statuses)
    for camera, (code, facts) in faults(cameras, statuses, now_ms).items():
        if code == SILENT:
            last = statuses.get(PREFIX + camera, {})
            shown[PREFIX + camera] = {**last, "state": "silent", "reason": code, "facts": facts, "mono_ms": now_ms}
    return shown


def sight_told(connection: sqlite3.Connection, camera: str, before: int) -> Entry | None:
    """The last entry before number `before` that tells whether the camera's pictures show anything; None for none."""
    row = connection.execute(
        "SELECT seq, kind, at_ms, subject, session_id, entry FROM ledger WHERE kind = 'camera' AND seq < ?"
        " AND json_extract(CAST(entry AS TEXT), '$.body.camera') = ?"
        " AND json_extract(CAST(entry AS TEXT), '$.body.reason') IN (SELECT value FROM json_each(?))"
        " ORDER BY seq DESC LIMIT 1",
        (before, camera, json.dumps(sorted(BLIND))),
    ).fetchone()
    return None if row is None else Entry(*row)


def tells_of_sight(entry: Entry, camera: str) -> bool:
    """Whether a `camera` entry begins or ends that camera's blindness: not that its process is silent, or it away."""
    return entry.body.get("camera") == camera and entry.body.get("reason") in BLIND


def blind_still(connection: sqlite3.Connection, camera: str) -> str | None:
    """The code of a blindness that nobody has entered the end of: its process was killed first."""
    last = sight_told(connection, camera, 1 << 53)
    return None if last is None or last.body.get("state") != "trouble" else str(last.body["reason"])
