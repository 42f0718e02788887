"""Deleting footage whose time is over, and nothing else. What belongs to an unsigned or unpurged session stays.

A file is set aside (`.expired`), its row and ledger entry written, and only then unlinked: whatever interrupts this,
`settle` at the next start finishes it or takes it back.
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from edge.clock import Instant, TimeQuality
from edge.recording.writer import sync_folder
from edge.store import ledger, segments

KEEP_DAYS = 90  # of footage outside any session; a session's own purge date rules over its footage
_DAY_MS = 86_400_000
_SUFFIX = ".expired"


def expire(
    connection: sqlite3.Connection, recordings: Path, camera: str, now: Instant, keep_days: int = KEEP_DAYS
) -> list[str]:
    """Delete the camera's expired segments and return their ids; nothing while the wall clock is not to be believed.

    OSError or Unavailable when the disk or the store does not let us; what was begun is settled later.
    """
    if now.quality not in (TimeQuality.SYNCHRONISED, TimeQuality.RTC) or keep_days < 1:
        return []
    gone = list[str]()
    for segment in segments.expired(connection, camera, now.wall_ms, keep_days * _DAY_MS):
        path = recordings / segment.path
        aside = path.with_name(path.name + _SUFFIX)
        if path.exists():
            path.rename(aside)
            sync_folder(path.parent)
        segments.remove(connection, segment, keep_days)
        aside.unlink(missing_ok=True)
        gone.append(segment.id)
    return gone


def settle(connection: sqlite3.Connection, recordings: Path, camera: str) -> None:
    """Finish what `expire` was interrupted in: delete the file the ledger says is deleted, bring back any other."""
    asides = sorted((recordings / camera).glob("*.mp4" + _SUFFIX))
    if not asides:
        return
    deleted = {entry.body["segment"] for entry in ledger.entries(connection, kinds=("segment-deleted",))}
    for aside in asides:
        path = aside.with_name(aside.name.removesuffix(_SUFFIX))
        boot_id, _, sequence = path.stem.partition("-")
        if sequence.isdigit() and segments.segment_id(camera, boot_id, int(sequence)) in deleted:
            aside.unlink()
        else:
            aside.rename(path)


def free_mb(recordings: Path) -> int:
    """What may still be written to the recordings' file system, in MB of a million bytes. OSError without one."""
    return shutil.disk_usage(recordings).free // 1_000_000
