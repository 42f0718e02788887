"""The figures of all footage and its disk, and how long that will do: what the page of space shows."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge import clock
from edge.clock import Instant
from edge.config import Config
from edge.domain import keeping
from edge.domain.keeping import DAY_MS, Forecast, Kept, Why
from edge.domain.walltime import Span
from edge.recording.rates import Rate, rates
from edge.recording.retention import rules_of
from edge.recording.space import may_go, there
from edge.store import holds, segments, space
from edge.store.holds import Hold
from edge.store.purge import clock_is_held
from edge.store.reserve import free_bytes

_LOOK_BACK_DAYS = 30
_LEAST_DAYS = 7


@dataclass(frozen=True)
class CameraFigures:
    """A camera's rate (None: no longer configured) and its footage, `due` bytes of which have come to their date."""

    camera: str
    rate: Rate | None
    bytes: int
    oldest_ms: int | None
    due: int


@dataclass(frozen=True)
class SessionFigures:
    """The footage of one session: `date_ms` when it goes, None: not before what `why` says has changed."""

    session: str
    title: str
    bytes: int
    date_ms: int | None
    why: Why


@dataclass(frozen=True)
class Figures:
    """Of all footage and its disk, in bytes and milliseconds of wall time."""

    at_ms: int
    disk: int
    free: int
    reserve: int
    limit: int
    keep_days: int
    footage: int
    kept: int
    may_go: int
    day_bytes: int
    clock_held: bool
    cameras: tuple[CameraFigures, ...]
    sessions: tuple[SessionFigures, ...]
    holds: tuple[tuple[Hold, int], ...]
    forecast: Forecast
    room_db: int
    room_db_day: int
    state_free: int


def figures(connection: sqlite3.Connection, config: Config, now: Instant | None = None) -> Figures:
    """All that the page of space shows. The sums are SQLite's; nothing here reads a segment's row."""
    at, rules = now or clock.now(), rules_of(config)
    recorded = segments.cameras(connection)
    kept = holds.keeping(connection)
    stored = {name: space.stored(connection, name) for name in recorded}
    running = {one.camera: one for one in rates(connection, rules.bitrates, at.wall_ms)}
    cameras = tuple(
        CameraFigures(
            name,
            running.get(name),
            stored[name].bytes if name in stored else 0,
            stored[name].oldest_ms if name in stored else None,
            space.bytes_within(connection, name, keeping.due(kept, name, at.wall_ms, rules.keep_days * DAY_MS)),
        )
        for name in sorted({*recorded, *running})
    )
    sessions = _sessions(connection, kept, recorded)
    footage = sum(one.bytes for one in stored.values())
    day_bytes = sum(one.bytes(DAY_MS) for one in running.values())
    usage = shutil.disk_usage(there(config.paths.recordings))
    room = min(usage.free - rules.reserve, rules.limit - footage) if rules.limit else usage.free - rules.reserve
    new_rows = sum(space.recent(connection, name, at.wall_ms - DAY_MS, at.wall_ms)[0] for name in recorded)
    return Figures(
        at_ms=at.wall_ms,
        disk=usage.total,
        free=usage.free,
        reserve=rules.reserve,
        limit=rules.limit,
        keep_days=rules.keep_days,
        footage=footage,
        kept=sum(
            space.bytes_touching(connection, name, *span)
            for name in recorded
            for span in keeping.spans(kept, name, at.wall_ms)
        ),
        may_go=may_go(connection, kept, rules, at),
        day_bytes=day_bytes,
        clock_held=clock_is_held(connection, at),
        cameras=cameras,
        sessions=sessions,
        holds=tuple((hold, _held_bytes(connection, hold, recorded)) for hold in holds.standing(connection)),
        forecast=_forecast(connection, kept, sessions, at.wall_ms, footage, room, day_bytes),
        room_db=_size(config.paths.room_db),
        room_db_day=new_rows * space.row_bytes(connection),
        state_free=free_bytes(config.paths.state),
    )


def _sessions(connection: sqlite3.Connection, kept: list[Kept], cameras: list[str]) -> tuple[SessionFigures, ...]:
    titles = {term.session: term.title for term in holds.terms(connection)}
    found = list[SessionFigures]()
    for one in kept:
        if one.why is Why.HELD or one.session is None:
            continue
        size = _touching(connection, cameras, one.spans)
        if size:
            found.append(SessionFigures(one.session, titles[one.session], size, one.date_ms, one.why))
    return tuple(reversed(found))


def _held_bytes(connection: sqlite3.Connection, hold: Hold, cameras: list[str]) -> int:
    return _touching(connection, [c for c in cameras if hold.camera in (None, c)], hold.spans)


def _forecast(
    connection: sqlite3.Connection,
    kept: list[Kept],
    sessions: tuple[SessionFigures, ...],
    now_ms: int,
    footage: int,
    room: int,
    day_bytes: int,
) -> Forecast:
    """By what is kept now and by what the sessions of the last weeks added a day."""
    sizes = {one.session: one.bytes for one in sessions}
    held = {one.session for one in kept if one.why is Why.HELD}
    stays = [(None if one.session in held else one.date_ms, one.bytes) for one in sessions]
    for one in kept:
        if one.why is Why.HELD and one.session not in sizes:
            names = segments.cameras(connection) if one.camera is None else [one.camera]
            stays.append((None, _touching(connection, names, one.spans)))
    since = now_ms - _LOOK_BACK_DAYS * DAY_MS
    recent = [one for one in kept if one.why not in (Why.HELD, Why.PRACTICE) and one.from_ms > since]
    days = (now_ms - min((one.from_ms for one in recent), default=now_ms)) / DAY_MS
    added = sum(sizes.get(one.session or "", 0) for one in recent) / max(days, _LEAST_DAYS)
    return keeping.forecast(
        now_ms,
        capacity=footage + room,
        free=room,
        day_bytes=day_bytes,
        kept=stays,
        session_day_bytes=round(added),
        session_days=max((term.keep_days for term in holds.terms(connection)), default=holds.KEEP_RECORDINGS_DAYS),
    )


def _touching(connection: sqlite3.Connection, cameras: Iterable[str], spans: Iterable[Span]) -> int:
    within = list(spans)
    return sum(space.bytes_touching(connection, camera, *span) for camera in cameras for span in within)


def _size(database: Path) -> int:
    """A database with its log."""
    files = (database, database.with_name(database.name + "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def document(found: Figures) -> dict[str, Any]:
    """The figures for programs: bytes, bits a second, milliseconds since 1970."""
    forecast = found.forecast
    return {
        "at_ms": found.at_ms,
        "disk": found.disk,
        "free": found.free,
        "reserve": found.reserve,
        "limit": found.limit,
        "footage": found.footage,
        "kept": found.kept,
        "may_go": found.may_go,
        "day_bytes": found.day_bytes,
        "full_ms": forecast.full_ms,
        "reach_days": forecast.reach_days,
        "untouched_ms": forecast.untouched_ms,
        "room_db": found.room_db,
        "room_db_day": found.room_db_day,
        "state_free": found.state_free,
        "clock_held": found.clock_held,
        "cameras": [
            {
                "name": one.camera,
                "configured": one.rate is not None,
                "bps": one.rate.bps if one.rate else None,
                "measured": bool(one.rate and one.rate.measured),
                "bytes": one.bytes,
                "oldest_ms": one.oldest_ms,
                "due": one.due,
            }
            for one in found.cameras
        ],
        "sessions": [
            {"session": one.session, "bytes": one.bytes, "date_ms": one.date_ms, "why": str(one.why)}
            for one in found.sessions
        ],
        "holds": [
            {
                "hold": one.id,
                "session": one.session,
                "camera": one.camera,
                "from_ms": one.from_ms,
                "until_ms": one.until_ms,
                "at_ms": one.at_ms,
                "by": one.by,
                "bytes": size,
            }
            for one, size in found.holds
        ],
    }
