"""Whether the box may be unplugged: results are with the province, nothing is half done. Else what is missing."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from typing import Any

from edge import clock
from edge.config import Config
from edge.domain.reasons import sentence
from edge.store import outbox, progress, records, segments, sessions

_SEGMENT = re.compile(r"([0-9a-f]{32})-([0-9]{6,9})\.mp4")
FRESH_MS = 15_000
Found = tuple[str, dict[str, Any]]


def safe_to_unplug(
    connection: sqlite3.Connection,
    answers: sqlite3.Connection,
    config: Config,
    statuses: Mapping[str, Mapping[str, Any]],
    notes_waiting: int = 0,
) -> dict[str, Any]:
    """{"safe": bool, "missing": [what is to be done first], "notes": [what still runs and bears a power cut], ...}.

    Each entry is {"code", "zh", "en"}: one sentence that says what is missing and what to do.
    """
    missing = [
        *_sessions(connection, config),
        *_uploads(connection, config),
        *_undigested(answers, notes_waiting),
        *_unindexed(connection, config, statuses),
    ]
    return {
        "safe": not missing,
        "at_ms": clock.wall_ms(),
        "missing": [_entry(code, facts) for code, facts in missing],
        "notes": [_entry(code, facts) for code, facts in _running(config, statuses)],
        "uploads": outbox.counts(connection),
        "gateway": bool(config.gateway.url),
    }


def _entry(code: str, facts: Mapping[str, Any]) -> dict[str, str]:
    return {"code": code, "zh": sentence(code, "zh", **facts), "en": sentence(code, "en", **facts)}


def _sessions(connection: sqlite3.Connection, config: Config) -> Iterator[Found]:
    """No session is under way, and every real one that ended is signed, its result files written."""
    for session in sessions.all_sessions(connection):
        facts = {"title": session.title, "session": session.id}
        if session.state in ("checkin", "running"):
            yield ("unplug_practice" if session.practice else "unplug_session_open"), facts
        elif session.practice:
            continue
        elif session.state == "closed":
            yield "unplug_unsigned", facts
        elif session.state == "signed" and not config.gateway.url and session.purge_ms > clock.wall_ms():
            count = records.result_count(connection, session.id)
            files = len(list((config.paths.results / session.id).glob("*.json")))
            if files < count:
                yield "unplug_files_missing", facts | {"count": count - files}


def _uploads(connection: sqlite3.Connection, config: Config) -> Iterator[Found]:
    """Every result has a receipt that was verified before it was stored; a site without a gateway uploads none."""
    if not config.gateway.url:
        return
    counts = outbox.counts(connection)
    if counts["waiting"]:
        yield "unplug_uploads_waiting", {"count": counts["waiting"]}
    if counts["refused"]:
        yield "unplug_uploads_refused", {"count": counts["refused"]}


def _undigested(answers: sqlite3.Connection, notes_waiting: int) -> Iterator[Found]:
    """Every journal row is under a digest that is in the ledger, and no note waits to be written."""
    waiting = progress.undigested(answers)
    if waiting or notes_waiting:
        yield "unplug_ledger_behind", {"count": waiting + notes_waiting}


def _unindexed(
    connection: sqlite3.Connection, config: Config, statuses: Mapping[str, Mapping[str, Any]]
) -> Iterator[Found]:
    """Footage files without an index row, but the one that is being written."""
    for camera in sorted(config.camera):
        folder = config.paths.recordings / camera
        if not folder.is_dir():
            continue
        known = segments.known(connection, camera)
        open_now = _segment_open(camera, statuses)
        count = 0
        for file in folder.iterdir():
            named = _SEGMENT.fullmatch(file.name)
            if named is None or (named[1], int(named[2])) in known:
                continue
            count += open_now is None or not open_now.endswith(f"{named[1][:8]}-{int(named[2]):06d}")
        if count:
            yield "unplug_footage_unindexed", {"camera": camera, "count": count}


def _segment_open(camera: str, statuses: Mapping[str, Mapping[str, Any]]) -> str | None:
    status = statuses.get(f"camera-{camera}", {})
    fresh = clock.mono_ms() - int(status.get("mono_ms", -FRESH_MS)) < FRESH_MS
    return str(status["segment"]) if fresh and status.get("segment") else None


def _running(config: Config, statuses: Mapping[str, Mapping[str, Any]]) -> Iterator[Found]:
    for camera in sorted(config.camera):
        if _segment_open(camera, statuses):
            yield "unplug_still_recording", {"camera": camera}
