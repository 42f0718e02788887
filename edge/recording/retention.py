"""Deleting footage whose date has come, or for want of space what belongs to no session; nothing else, and never what
a session, its policy or a hold keeps (`edge.domain.keeping`).

A file is set aside (`.expired`), its row and ledger entry written, and only then unlinked: whatever interrupts this,
`settle` finishes it or takes it back. Any process of the room may sweep, for every camera, configured or not; one at
a time does.
"""

from __future__ import annotations

import fcntl
import logging
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edge import clock
from edge.clock import Instant
from edge.config import Config
from edge.domain import keeping
from edge.domain.keeping import DAY_MS, Kept
from edge.errors import Conflict, NotFound
from edge.recording import files
from edge.recording.files import ASIDE, sync_folder
from edge.recording.rates import most_bps
from edge.store import downloads, holds, segments, space
from edge.store.purge import clock_is_held
from edge.store.reserve import free_bytes
from edge.store.segments import Segment

_log = logging.getLogger(__name__)
MOST = 500
"""Segments that one sweep deletes at most; what is left waits for the next."""
AHEAD_S = 600
"""Of what all cameras record, so much stays free beside the reserve."""
GIVE_WAY_S = 300
"""With less free than what they record in so long, exports go: they can be made again, footage cannot. Until then they
count as free, or each would push out as much footage."""
_LAST_S = 120
"""With less, nobody has made the exports go: footage does."""
MB = 1_000_000
_MOST_FAILED = 20
"""With more files that the disk lets nobody delete it is the disk, and a sweep ends."""
_LOCK = ".retention.lock"


@dataclass(frozen=True)
class Rules:
    """What the configuration says: `keep_days` of footage of no session, `limit` bytes of all footage (0: as much as
    the disk has), `reserve` bytes where recording stops, and each configured camera's bits a second.
    """

    keep_days: int = 90
    limit: int = 0
    reserve: int = 0
    bitrates: Mapping[str, int] = field(default_factory=dict)

    @property
    def wanted_free(self) -> int:
        """Bytes that should be free, so that recording never comes to its reserve while there is something to go."""
        return self.free_for(AHEAD_S, sum(self.bitrates.values()))

    def free_for(self, seconds: int, bps: int) -> int:
        """The reserve with its margin, and what all cameras record in so long at `bps` bits a second."""
        return self.reserve + self.reserve // 10 + bps * seconds // 8


def rules_of(config: Config) -> Rules:
    options = config.recording
    bitrates = {name: camera.bitrate for name, camera in config.camera.items()}
    return Rules(options.keep_days, options.limit_gb * 10**9, options.reserve_mb * MB, bitrates)


def room_kept(connection: sqlite3.Connection, rules: Rules) -> int:
    """Bytes that stay free beside exports: with less, those go, and none is begun."""
    return rules.free_for(GIVE_WAY_S, most_bps(connection, rules.bitrates, clock.wall_ms()))


def sweep(
    connection: sqlite3.Connection,
    recordings: Path,
    rules: Rules,
    now: Instant,
    *,
    tidy: bool = False,
    halt: Callable[[], bool] = lambda: False,
    free: Callable[[Path], int] = free_bytes,
) -> list[str]:
    """Delete what is due, then what space asks for; the segments' ids.

    `tidy`: look through the folders too, for what an earlier sweep left half done and for files that nobody names.
    Nothing while another process sweeps, or while the wall clock is not to be believed. Ends early once `halt` says so.
    OSError or Unavailable when the disk or the store does not let us, for one file after all others; what was begun is
    settled later.
    """
    gone, failed = list[str](), list[OSError]()

    def delete(segment: Segment, keep_days: int, why: str) -> list[str]:
        try:
            return _delete(connection, recordings, segment, keep_days, why)
        except OSError as error:
            failed.append(error)
            if len(failed) > _MOST_FAILED:
                raise
            return []

    with _one_at_a_time(recordings) as mine:
        if not mine:
            return gone
        if tidy:
            for folder in files.folders(recordings):
                settle(connection, recordings, folder.name)
        if rules.keep_days < 1 or not clock_is_held(connection, now):
            return gone
        kept = holds.keeping(connection)
        days = {term.session: term.keep_days for term in holds.terms(connection)}
        for camera in segments.cameras(connection):
            stretches = keeping.due(kept, camera, now.wall_ms, rules.keep_days * DAY_MS)
            for segment in segments.expired(connection, camera, stretches, MOST - len(gone)):
                if halt():
                    return gone
                kept_for = _days(kept, days, segment, rules.keep_days)
                gone += delete(segment, kept_for, "expired")
        gone += _make_room(connection, recordings, rules, kept, now, halt, free, MOST - len(gone), delete)
        if tidy:
            for folder in files.folders(recordings):
                _tidy(connection, folder, now.wall_ms - rules.keep_days * DAY_MS)
    if failed:
        raise failed[0]
    return gone


@contextmanager
def _one_at_a_time(recordings: Path) -> Iterator[bool]:
    recordings.mkdir(parents=True, exist_ok=True)
    with (recordings / _LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


def _days(kept: list[Kept], days: Mapping[str, int], segment: Segment, otherwise: int) -> int:
    """The rule a segment goes by: the longest policy of the sessions it belongs to, or the room's own days."""
    mine = [
        days.get(one.session or "", otherwise)
        for one in kept
        if one.why is keeping.Why.POLICY and one.touches(segment.started_ms, segment.ended_ms)
    ]
    return max(mine, default=otherwise)


def _make_room(
    connection: sqlite3.Connection,
    recordings: Path,
    rules: Rules,
    kept: list[Kept],
    now: Instant,
    halt: Callable[[], bool],
    free: Callable[[Path], int],
    most: int,
    delete: Callable[[Segment, int, str], list[str]],
) -> list[str]:
    """Delete the oldest footage of no session while all of it is above the limit or too little is free."""
    gone = list[str]()
    over = space.total_bytes(connection) - rules.limit if rules.limit else 0
    bps = most_bps(connection, rules.bitrates, now.wall_ms)

    def enough() -> bool:
        there = free(recordings)
        exported = 0 if there < rules.free_for(_LAST_S, bps) else files.exported_bytes(recordings)
        return there + exported >= rules.free_for(AHEAD_S, bps)

    if most <= 0 or (over <= 0 and enough()):
        return gone
    for segment in _oldest(connection, kept, now, rules, most):
        if halt() or (over <= 0 and enough()):
            break
        if delete(segment, rules.keep_days, "space"):
            gone.append(segment.id)
            over -= segment.bytes
    if gone:
        _log.info("%d segments of no session deleted for want of space", len(gone))
    return gone


def _oldest(connection: sqlite3.Connection, kept: list[Kept], now: Instant, rules: Rules, most: int) -> list[Segment]:
    found = list[Segment]()
    for camera in segments.cameras(connection):
        stretches = keeping.spare(kept, camera, now.wall_ms, rules.keep_days * DAY_MS)
        found += segments.expired(connection, camera, stretches, most)
    return sorted(found, key=lambda segment: segment.ended_ms)[:most]


def _delete(connection: sqlite3.Connection, recordings: Path, segment: Segment, keep_days: int, why: str) -> list[str]:
    """Its id when it is gone; nothing where a hold was placed on it meanwhile, or while somebody is taking it."""
    if downloads.pinned(connection, segment.id, segment.camera, segment.started_ms, segment.ended_ms):
        return []  # its file is not even set aside: whoever reads it opens it by name
    path = recordings / segment.path
    aside = path.with_name(path.name + ASIDE)
    if path.exists():
        path.rename(aside)
        sync_folder(path.parent)
    try:
        segments.remove(connection, segment, keep_days, why)
    except Conflict:
        if aside.exists():
            aside.rename(path)
        return []
    files.delete_beside(path)
    aside.unlink(missing_ok=True)
    return [segment.id]


def settle(connection: sqlite3.Connection, recordings: Path, camera: str) -> None:
    """Finish what a sweep was interrupted in: delete the file the ledger says is deleted, bring back any other."""
    for aside in sorted((recordings / camera).glob("*.mp4" + ASIDE)):
        path = aside.with_name(aside.name.removesuffix(ASIDE))
        if _gone(connection, path):
            files.delete_beside(path)
            aside.unlink()
        else:
            aside.rename(path)


def _gone(connection: sqlite3.Connection, path: Path) -> bool:
    """Whether the segment of this file was deleted, by the index and the ledger."""
    boot_id, _, sequence = path.stem.partition("-")
    if not sequence.isdigit():
        return False
    segment = segments.segment_id(path.parent.name, boot_id, int(sequence))
    try:
        segments.get(connection, segment)
    except NotFound:
        return space.was_deleted(connection, segment)
    return False


def _tidy(connection: sqlite3.Connection, folder: Path, before_ms: int) -> None:
    """What was kept beside a segment goes with it: now where the ledger says that went, else on its own date."""
    for file, of in files.alone(folder):
        if _gone(connection, of) or file.stat().st_mtime_ns // 1_000_000 < before_ms:
            file.unlink(missing_ok=True)


def free_mb(recordings: Path) -> int:
    """What may still be written to the recordings' file system, in MB of a million bytes. OSError without one."""
    return shutil.disk_usage(recordings).free // MB
