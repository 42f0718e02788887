"""Footage the province asks rooms for: the signed request, what became of it, and the file in its parts.

A room fetches its requests, so none needs an open port. Its file is put together here once all parts are there, and is
deleted `clip_days` after; a request's words go with it.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Any

from pydantic import ValidationError
from sqlalchemy import Connection, and_, delete, insert, or_, select, update

from edge import clock
from edge.errors import (
    BadInput,
    ConfigError,
    Conflict,
    ExamroomError,
    Exists,
    NotFound,
    Refused,
    Unavailable,
    VerificationFailed,
)
from edge.gateway import joining
from edge.gateway.alarms import log_request
from edge.gateway.database import Record, reading
from edge.gateway.objects import FolderStore, ObjectStore, S3Store, own_secret
from edge.gateway.places import Places
from edge.gateway.rooms import Caller, lock_room
from edge.gateway.settings import DAY_MS, Province
from edge.gateway.sigv4 import Signing
from edge.gateway.tables import clips
from edge.trust import dsse
from edge.trust.remote import (
    ClipFile,
    ClipList,
    ClipPlan,
    ClipRequest,
    ClipState,
    PartAddress,
    sign_request,
)
from edge.why import where
from edge.why import why as why_not

log = logging.getLogger("examroom.gateway")

_AT_ONCE = 32
"""Addresses in one plan; a room asks for the next when these are used."""
REST_S = 300.0
"""A store that did not let us is left alone so long: every room's question would wait for it."""
_resting: dict[Path, float] = {}
_OPEN = ("asked", "sending")
_ID = re.compile(r"[0-9a-f]{32}")


def open_store(province: Province) -> ObjectStore:
    """Where this gateway keeps footage. ConfigError where its S3 key is missing."""
    settings = province.settings
    if not settings.s3_url:
        return FolderStore(province.folder / "clips", own_secret(province.folder / "keys" / "parts.key"))
    file = province.folder / "keys" / "s3.secret"
    try:
        secret = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeError) as error:
        raise ConfigError("clip_store_secret", path=file) from error
    signing = Signing(settings.s3_access_key, secret, settings.s3_region)
    return S3Store(settings.s3_url, settings.s3_bucket, signing)


def ask(
    province: Province, room: str, camera: str, from_ms: int, until_ms: int, why: str, by: str, days: int = 7
) -> ClipRequest:
    """A signed request that waits for the room to fetch it. NotFound for a room that is not enrolled, BadInput
    (`clip_terms`) for what no room could answer.
    """
    now = clock.wall_ms()
    with province.engine.begin() as connection:
        epoch = lock_room(connection, room).epoch
        if epoch < 1:
            raise NotFound("clip_not_enrolled", room=room)
        try:
            request = ClipRequest(
                id=secrets.token_hex(16),
                room=room,
                epoch=epoch,
                camera=camera,
                from_ms=from_ms,
                until_ms=until_ms,
                why=why,
                by=by,
                made_ms=now,
                not_after_ms=now + days * DAY_MS,
            )
            envelope = sign_request(request, province.key)
        except (ValidationError, UnicodeEncodeError) as error:
            raise BadInput("clip_terms", **where(error)) from error
        row = {"clip": request.id, "room": room, "epoch": epoch, "envelope": envelope, "state": "asked"}
        connection.execute(insert(clips).values(**row, made_ms=now, not_after_ms=request.not_after_ms))
    return request


def waiting(province: Province, caller: Caller) -> ClipList:
    """What the room is asked for and has not answered, the oldest first."""
    sweep(province)
    mine = and_(clips.c.room == caller.room, clips.c.epoch == caller.epoch, clips.c.state.in_(_OPEN))
    query = select(clips.c.envelope).where(mine).order_by(clips.c.made_ms, clips.c.clip).limit(1000)
    with reading(province.engine).connect() as connection:
        return ClipList(requests=[bytes(row.envelope).decode() for row in connection.execute(query)])


def refuse(province: Province, caller: Caller, clip: str, reason: str, route: str) -> ClipState:
    """The room will not; the same again is answered the same. Conflict once the footage is here."""
    with province.engine.begin() as connection:
        row = _mine(connection, caller, clip)
        if row.state == "received":
            raise Conflict("clip_ended", clip=clip, state=row.state)
        if row.state != "refused":
            _set(connection, clip, state="refused", reason=reason, ended_ms=clock.wall_ms())
        log_request(connection, caller.room, "POST", route, 200, 1)
    if row.state == "sending":
        try:
            open_store(province).delete(clip, row.upload)
        except Unavailable as error:  # it goes with the row, on its date
            log.warning("footage %s: %s", clip, error.code)
    return _state(clip, "refused")


def plan(
    province: Province, caller: Caller, clip: str, file: ClipFile, route: str, places: Places | None = None
) -> ClipPlan:
    """What of `file` is not here yet, and where each of its parts goes; another file than before begins anew.

    VerificationFailed (`clip_content_wrong`) once, where its parts have come to another whole meanwhile. TooMany where
    none of the `places` of this gateway's own folder is free for it.
    """
    store = open_store(province)
    with reading(province.engine).connect() as connection:
        row = _mine(connection, caller, clip)
    if row.state == "refused":
        raise NotFound("clip_unknown")
    known = None if row.file is None else ClipFile.model_validate_json(row.file)
    if row.state == "received":
        if known != file:
            raise Conflict("clip_ended", clip=clip, state=row.state)
        return ClipPlan(received=True, missing=[])
    if joining.is_going_on(_joined(province, clip, file.sha256)):
        return ClipPlan(received=False, missing=[])
    upload = row.upload or ""
    left = store.missing(clip, upload, file) if known == file else None
    if left != [] and places is not None and isinstance(store, FolderStore):
        places.keep(clip)
    anew = left is None
    if left is None:
        if known is not None:
            store.delete(clip, upload)
        upload = store.begin(clip, file)
        left = list(range(1, len(file.parts) + 1))
    with province.engine.begin() as connection:
        if anew:
            _set(connection, clip, state="sending", file=file.model_dump_json(), upload=upload)
        log_request(connection, caller.room, "POST", route, 200, 1, [file.sha256])
    addresses = [PartAddress(number=n, url=store.address(clip, upload, file, n)) for n in left[:_AT_ONCE]]
    return ClipPlan(received=False, missing=addresses)


def finish(province: Province, caller: Caller, clip: str, sha256: str, route: str) -> ClipState:
    """All parts are here: put them together, and compare the whole. Conflict `clip_part_missing` where one is not.

    What takes long is answered with `joining`: the room asks again.
    """
    store = open_store(province)
    with reading(province.engine).connect() as connection:
        row = _mine(connection, caller, clip)
    file = None if row.file is None else ClipFile.model_validate_json(row.file)
    if file is None or row.state == "refused" or file.sha256 != sha256:
        raise NotFound("clip_unknown")
    if row.state == "received":
        return _state(clip, "received")
    name = _joined(province, clip, sha256)
    if not joining.is_going_on(name) and store.missing(clip, row.upload or "", file) != []:
        raise Conflict("clip_part_missing")
    done = joining.finished(name, partial(_join, province, store, row, file))
    with province.engine.begin() as connection:
        log_request(connection, caller.room, "POST", route, 200, 1, [sha256])
    return _state(clip, "received" if done else "joining")


def _joined(province: Province, clip: str, sha256: str) -> tuple[Path, str, str]:
    return province.folder, clip, sha256


def _join(province: Province, store: ObjectStore, row: Record, file: ClipFile) -> None:
    """Put the parts together and note it, unless the request was taken back meanwhile or has another file by now."""
    store.finish(row.clip, row.upload or "", file)
    same = and_(clips.c.clip == row.clip, clips.c.state == "sending", clips.c.file == row.file)
    with province.engine.begin() as connection:
        noted = connection.execute(update(clips).where(same).values(state="received", ended_ms=clock.wall_ms()))
        now = connection.execute(select(clips.c.state).where(clips.c.clip == row.clip)).first()
    if not noted.rowcount and (now is None or now.state == "refused"):
        store.delete(row.clip, row.upload)


def listed(province: Province) -> list[dict[str, Any]]:
    """Every request that is still known, newest first: its terms, `state` (also `expired`), size and share that is
    here (per cent; None of what is being sent while the store does not say).
    """
    sweep(province)
    with reading(province.engine).connect() as connection:
        rows = connection.execute(select(clips).order_by(clips.c.made_ms.desc(), clips.c.clip)).all()
    shares = _Shares(province)
    return [_told(row, shares) for row in rows]


def save(province: Province, clip: str, out: Path) -> ClipFile:
    """Copy a received file to the new file `out`, and check that it is the one the room announced."""
    with reading(province.engine).connect() as connection:
        row = _row(connection, clip)
    if row.state != "received":
        raise NotFound("clip_not_here", clip=clip)
    file = ClipFile.model_validate_json(row.file)
    part = out.with_name(f".{out.name}.part")
    digest = hashlib.sha256()
    try:
        if out.exists():
            raise Exists("evidence_exists", path=out)
        with part.open("wb") as target:
            for block in open_store(province).blocks(clip):
                digest.update(block)
                target.write(block)
        if digest.hexdigest() != file.sha256:
            raise VerificationFailed("clip_content_wrong")
        part.rename(out)
    except OSError as error:
        raise Unavailable("evidence_unwritable", path=out, detail=why_not(error)) from error
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return file


def forget(province: Province, clip: str) -> None:
    """Take a request back, or delete what came: the file, then the row and its words, so that no file is left of which
    nobody knows. Unavailable where the store does not let us: then the row stays, and no part is taken for it any more.
    """
    with province.engine.begin() as connection:
        row = _row(connection, clip)
        stays = {"state": "refused", "reason": "clip_withdrawn"} if row.state in _OPEN else {}
        _set(connection, clip, **stays, ended_ms=0)
    open_store(province).delete(clip, row.upload)
    with province.engine.begin() as connection:
        connection.execute(delete(clips).where(clips.c.clip == clip))


def sweep(province: Province) -> None:
    """Delete what `clip_days` ago was received or refused, or ran out. What the store does not let us delete now is
    deleted another time.
    """
    if time.monotonic() < _resting.get(province.folder, 0.0):
        return
    before = clock.wall_ms() - province.settings.clip_days * DAY_MS
    old = or_(clips.c.ended_ms < before, and_(clips.c.ended_ms.is_(None), clips.c.not_after_ms < before))
    with reading(province.engine).connect() as connection:
        due = [row.clip for row in connection.execute(select(clips.c.clip).where(old))]
    for clip in due:
        try:
            forget(province, clip)
        except NotFound:
            continue  # another caller's sweep was first
        except ExamroomError as error:
            log.warning("footage %s is not deleted: %s", clip, error.code)
            _resting[province.folder] = time.monotonic() + REST_S
            return


def take(province: Province, clip: str, number: int, query: Mapping[str, str], body: IO[bytes], places: Places) -> None:
    """A part for the folder of this gateway, where its request still stands; else it would lie there for ever.

    Errors as `FolderStore.take`, NotFound where this gateway has no folder, and TooMany as `Places`.
    """
    store = open_store(province)
    if not isinstance(store, FolderStore):
        raise NotFound("page_missing")
    store.check(clip, number, query)
    with reading(province.engine).connect() as connection:
        found = connection.execute(select(clips.c.state).where(clips.c.clip == clip)).first()
    if found is None or found.state != "sending":
        raise Refused("clip_address")
    with places.reading(clip):
        store.take(clip, number, query, body)


def tidy(province: Province) -> None:
    """At a start: remove what a killed process left half written, and footage of requests that nobody knows."""
    with reading(province.engine).connect() as connection:
        known = {row.clip for row in connection.execute(select(clips.c.clip))}
    store = open_store(province)
    if isinstance(store, FolderStore):
        store.tidy(known)


class _Shares:
    """How much of a file is here, in per cent. A store that did not say once is not asked again: each time may last."""

    def __init__(self, province: Province) -> None:
        self._province = province
        self._silent = False

    def of(self, row: Record, file: ClipFile) -> int | None:
        if self._silent:
            return None
        try:
            left = open_store(self._province).missing(row.clip, row.upload or "", file)
        except ExamroomError as error:
            log.warning("footage %s: %s", row.clip, error.code)
            self._silent = True
            return None
        return 0 if left is None else 100 * (len(file.parts) - len(left)) // len(file.parts)


def _told(row: Record, shares: _Shares) -> dict[str, Any]:
    request = dsse.peek(bytes(row.envelope)).payload
    file = None if row.file is None else ClipFile.model_validate_json(row.file)
    state = row.state
    if state in _OPEN and row.not_after_ms < clock.wall_ms():
        state = "expired"
    share = shares.of(row, file) if state == "sending" and file is not None else 100 * (state == "received")
    size, sha256 = (None, None) if file is None else (file.size, file.sha256)
    facts = {"state": state, "reason": row.reason, "size": size, "sha256": sha256, "share": share}
    return {**request, **facts, "ended_ms": row.ended_ms}


def _mine(connection: Connection, caller: Caller, clip: str) -> Record:
    row = _row(connection, clip)
    if (row.room, row.epoch) != (caller.room, caller.epoch):
        raise NotFound("clip_unknown")
    return row


def _row(connection: Connection, clip: str) -> Record:
    """The request's row; what is no id at all is not asked of the database."""
    row = connection.execute(select(clips).where(clips.c.clip == clip)).first() if _ID.fullmatch(clip) else None
    if row is None:
        raise NotFound("clip_unknown")
    return row


def _set(connection: Connection, clip: str, **facts: object) -> None:
    connection.execute(update(clips).where(clips.c.clip == clip).values(**facts))


def _state(clip: str, state: str) -> ClipState:
    return ClipState.model_validate({"id": clip, "state": state, "time_ms": clock.wall_ms()})
