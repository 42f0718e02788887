"""Files that answer the province's requests for footage: when one is made, tried again, gives way, and is deleted.

A file can be made again, footage and answers cannot: it is made outside exams (unless their signed policy lets it),
stops as one begins, and is deleted while the disk is short. Each export begun is a ledger entry, so they are few.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from edge import clock
from edge.config import Config
from edge.errors import Conflict, ExamroomError, Unavailable
from edge.recording.aside import EXAM_BITS
from edge.recording.coverage import still_comes, touched_beside
from edge.recording.evidence import export_evidence, need
from edge.recording.files import CLIPS
from edge.recording.retention import room_kept, rules_of
from edge.store import clips, ledger, sessions, walltime
from edge.store.clips import ClipRow
from edge.store.db import transaction
from edge.store.reserve import free_bytes
from edge.trust import dsse
from edge.trust.enrolment import Identity
from edge.trust.remote import PART_BYTES, ClipPlan, ClipRequest
from edge.uplink.pace import Pace
from edge.uplink.rests import Rests
from edge.why import why

MOST_TRIES = 5
"""Footage that could not be read so often will not be."""
_AT_ONCE = 3
"""So many files of one request are made without a pause: one that was lost or damaged is not every one."""
PAUSE_MS, LONGEST_PAUSE_MS = 60_000, 6 * 3_600_000
TIDY_S = 60.0
_LOOK_S = 1.0
_BLOCK = 1 << 20
# what trying again would not change
_FINAL = {400, 403, 404, 409, 422}
_PASSING = {"export_no_room", "evidence_exists"}


@dataclass
class Clips:
    """What the service remembers between turns: where the next parts go, and how fast."""

    config: Config
    stop: threading.Event
    part_bytes: int = PART_BYTES
    plans: dict[str, ClipPlan] = field(default_factory=dict)
    next_tidy: float = 0.0
    busy_until: float = 0.0
    """When the gateway, which has asked for a pause, is sent parts again (monotonic seconds)."""
    left_out: set[str] = field(default_factory=set)
    left_out_said: int = 0
    """`left_out`: the SHA-256 of requests that were too many for a day and not entered; entries have said so many."""
    pace: Pace = field(init=False)
    disk: Pace = field(init=False)
    rests: Rests = field(init=False)

    def __post_init__(self) -> None:
        self.pace = Pace(self.config.gateway.upload_mbit * 1_000_000 / 8, self.stop)
        self.disk = Pace(EXAM_BITS / 8, self.stop)
        self.rests = Rests(self.config.gateway.poll_seconds)

    @property
    def folder(self) -> Path:
        return self.config.paths.recordings / CLIPS


class _ExamBegan(Exception):
    """The export is made another time."""


def may_send(connection: sqlite3.Connection) -> bool:
    """Whether no session is at check-in or running, or each one's signed policy lets footage be fetched meanwhile."""
    return all(session.policy.get("remote_clips") == "always" for session in _going_on(connection))


def export_waiting(memory: Clips, connection: sqlite3.Connection, identity: Identity) -> str | None:
    """Make the file of the first request that can be answered now; the code of what hinders the first that cannot.

    One that failed is tried again after a pause that grows, and holds up none of the others. Unavailable
    `uplink_stopping` once the process is to end.
    """
    first: str | None = None
    if not may_send(connection):
        return first
    for row in clips.standing(connection, "waiting"):
        request, now = request_of(row), clock.wall_ms()
        if still_comes(connection, memory.config, request.camera, request.from_ms, request.until_ms):
            continue
        if now < row.next_ms <= now + LONGEST_PAUSE_MS:
            first = first or row.why_not
            continue
        hindrance = _try(memory, connection, identity, row, request)
        if hindrance is None:
            return first
        first = first or hindrance
    return first


def _try(
    memory: Clips, connection: sqlite3.Connection, identity: Identity, row: ClipRow, request: ClipRequest
) -> str | None:
    """Make the file; the code of what hindered it, or None. A try is written down before it begins, so that a process
    which it ends does not begin it again and again.
    """
    out = memory.folder / f"{row.sha256}.zip"
    try:
        _need_room(memory, connection, row, request, out)
    except ExamroomError as error:
        final = _is_final(error)
        if error.code == "evidence_no_footage":  # while it lies beside the index, there is some
            final = not touched_beside(connection, memory.config, request.camera, request.from_ms, request.until_ms)
        return _hindered(memory, connection, row, error.code, row.tries, final=final)
    tries = row.tries + 1
    _pause(connection, row, tries, row.why_not)
    try:
        _export(memory, connection, identity, row, request, out)
    except _ExamBegan:
        with transaction(connection):
            clips.set_waiting(connection, row.sha256, row.tries, row.next_ms, row.why_not)
        return row.why_not or "clip_exam"
    except ExamroomError as error:
        if error.code == "uplink_stopping":
            with transaction(connection):
                clips.set_waiting(connection, row.sha256, row.tries, row.next_ms, row.why_not)
            raise
        if error.code == "footage_missing" and tries >= MOST_TRIES:
            return _hindered(memory, connection, row, "clip_unreadable", tries, final=True)
        return _hindered(memory, connection, row, error.code, tries, final=_is_final(error))
    return None


def _is_final(error: ExamroomError) -> bool:
    return error.status in _FINAL and error.code not in _PASSING


def _hindered(
    memory: Clips, connection: sqlite3.Connection, row: ClipRow, code: str, tries: int, *, final: bool
) -> str:
    if final:
        refuse(memory.folder, connection, row, code)
    elif tries > row.tries:
        _pause(connection, row, tries, code)
    return code


def make_again(connection: sqlite3.Connection, row: ClipRow) -> None:
    """Its file is gone, or no longer what it was when it was written."""
    if row.tries >= _AT_ONCE:
        _pause(connection, row, row.tries, None)
        return
    with transaction(connection):
        clips.set_waiting(connection, row.sha256, row.tries, 0)


def _pause(connection: sqlite3.Connection, row: ClipRow, tries: int, why_not: str | None) -> None:
    pause = min(PAUSE_MS << min(tries - 1, 20), LONGEST_PAUSE_MS)
    with transaction(connection):
        clips.set_waiting(connection, row.sha256, tries, clock.wall_ms() + pause, why_not)


def _need_room(memory: Clips, connection: sqlite3.Connection, row: ClipRow, request: ClipRequest, out: Path) -> None:
    """Raises what would hinder the export, before anything is entered."""
    try:
        memory.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        out.unlink(missing_ok=True)
        need(
            connection,
            camera=request.camera,
            from_ms=request.from_ms,
            until_ms=request.until_ms,
            why=_words(request),
            by=request.by,
            out=out,
            reserve=_reserve(memory, connection),
        )
    except Conflict as error:
        if error.code != "export_no_room":
            raise
        raise Unavailable("clip_no_space", camera=request.camera) from error
    except OSError as error:
        raise Unavailable("evidence_unwritable", path=out, detail=why(error)) from error


def _export(
    memory: Clips, connection: sqlite3.Connection, identity: Identity, row: ClipRow, request: ClipRequest, out: Path
) -> None:
    """The file of one request; OSError counts as a disk that does not let us."""
    go_on = _asking(memory, connection)
    written = 0

    def told(done: int, _total: int) -> None:
        nonlocal written
        go_on(done - written)
        written = done

    try:
        export_evidence(
            connection,
            memory.config.paths,
            identity,
            camera=request.camera,
            from_ms=request.from_ms,
            until_ms=request.until_ms,
            why=_words(request),
            by=by_of(identity),
            out=out,
            session=_session(connection, request),
            reserve=_reserve(memory, connection),
            told=told,
        )
        whole, parts, size = _hashes(out, memory.part_bytes, go_on)
    except OSError as error:
        raise Unavailable("evidence_unwritable", path=out, detail=why(error)) from error
    with transaction(connection):
        clips.set_ready(connection, row.sha256, out.name, whole, size, parts)


def _asking(memory: Clips, connection: sqlite3.Connection) -> Callable[[int], None]:
    """Called with each stretch of bytes: waits its turn while an exam is on, and raises once this has to stop."""
    looked, exam = float("-inf"), False

    def go_on(count: int) -> None:
        nonlocal looked, exam
        if memory.stop.is_set():
            raise Unavailable("uplink_stopping")
        if time.monotonic() - looked >= _LOOK_S:
            looked, exam = time.monotonic(), bool(_going_on(connection))
            if not may_send(connection):
                raise _ExamBegan
        if exam:
            memory.disk.take(count)

    return go_on


def tidy(memory: Clips, connection: sqlite3.Connection) -> None:
    """About once a minute, also without a gateway: of files those alone stay that are to be sent, and of these none
    that recording needs the space of; requests are forgotten on their date.
    """
    if time.monotonic() < memory.next_tidy:
        return
    memory.next_tidy = time.monotonic() + TIDY_S
    ready = clips.standing(connection, "ready")
    wanted = {row.file for row in ready}
    for file in memory.folder.iterdir() if memory.folder.is_dir() else ():
        if file.name not in wanted:
            file.unlink(missing_ok=True)
    for row in reversed(ready):  # what is sent next goes last
        if not memory.folder.is_dir() or free_bytes(memory.folder) >= _reserve(memory, connection):
            break
        _pause(connection, row, row.tries, "clip_no_space")
        (memory.folder / (row.file or "")).unlink(missing_ok=True)
        memory.plans.pop(row.sha256, None)
    with transaction(connection):
        clips.forget(connection)


def refuse(folder: Path, connection: sqlite3.Connection, row: ClipRow, reason: str) -> None:
    """It will not be answered: entered, and its file in `folder` deleted."""
    with transaction(connection):
        clips.end(connection, row.sha256, reason)
        told = {"clip": row.id, "request_sha256": row.sha256, "reason": reason}
        ledger.append(connection, "clip_refused", told)
    if row.file is not None:
        (folder / row.file).unlink(missing_ok=True)


def request_of(row: ClipRow) -> ClipRequest:
    """What was asked, as it was checked when it was heard: the gateway's key may be another by now."""
    return ClipRequest.model_validate_json(json.dumps(dsse.peek(row.envelope).payload))


def by_of(identity: Identity) -> str:
    """Who asks, as the ledger names them."""
    return f"gateway:{identity.gateway.name}" if identity.gateway is not None else "gateway"


def _words(request: ClipRequest) -> str:
    return f"{request.why} ({request.by})"


def _reserve(memory: Clips, connection: sqlite3.Connection) -> int:
    return room_kept(connection, rules_of(memory.config))


def _going_on(connection: sqlite3.Connection) -> list[sessions.Session]:
    return sessions.all_sessions(connection, "checkin", "running")


def _session(connection: sqlite3.Connection, request: ClipRequest) -> str | None:
    """The first session whose open time the span touches."""
    return next(iter(walltime.touching(connection, request.from_ms, request.until_ms)), None)


def _hashes(path: Path, part_bytes: int, go_on: Callable[[int], None]) -> tuple[str, list[str], int]:
    """SHA-256 of the file and of each of its parts, and its size."""
    whole, parts, size = hashlib.sha256(), list[str](), 0
    with path.open("rb") as file:
        while True:
            part, left = hashlib.sha256(), part_bytes
            while left and (block := file.read(min(left, _BLOCK))):
                go_on(len(block))
                part.update(block)
                whole.update(block)
                left -= len(block)
            if left == part_bytes:
                return whole.hexdigest(), parts, size
            parts.append(part.hexdigest())
            size += part_bytes - left
