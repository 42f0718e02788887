"""Pictures of a candidate's work piece: taken by the examiner's tablet, sent in small parts, kept encrypted.

Each part is encrypted as it comes; the whole is looked at (a plain JPEG of bounded size, without a camera's notes) and
encrypted anew before the parts go. The ledger holds its SHA-256, the session's purge deletes it.
"""

from __future__ import annotations

import hashlib
import sqlite3
from typing import Any

from edge.domain.jpeg import read_jpeg
from edge.domain.reasons import words
from edge.errors import BadInput, Conflict, NotFound
from edge.exam.stations import OPEN_STATES, find_rubric, take_slot, work_of
from edge.store import ledger, people, pictures, practical, sessions
from edge.store.db import transaction
from edge.trust.roomkeys import DataKey
from edge.why import why

PART_BYTES = 48 * 1024
MOST_BYTES = 1_500_000
MOST_PIXELS = 1600
DEFAULT_MOST = 6


def most(session: sessions.Session) -> int:
    """How many pictures a sheet may have, by the session's signed policy."""
    return int(session.policy.get("pictures", DEFAULT_MOST))


def begin(
    connection: sqlite3.Connection, session_id: str, person: str, rubric: str, *, sha256: str, size: int, by: str
) -> dict[str, Any]:
    """Announce a picture: {"picture", "parts", "have"}; announced again after an interruption, what is here already."""
    if not 0 < size <= MOST_BYTES:
        raise BadInput("picture_too_large", limit=MOST_BYTES // 1000)
    session = sessions.find(connection, session_id)
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), *OPEN_STATES)
        find_rubric(connection, session_id, rubric)
        if people.candidate(connection, session_id, person).state not in ("admitted", "finished"):
            raise Conflict("not_admitted")
        work = work_of(connection, session_id, person, rubric)
        take_slot(connection, session_id, work, by, "")
        own = pictures.of_work(connection, work.id, by)
        known = next((one for one in own if one.sha256 == sha256), None)
        if known is None and len(own) >= most(session):
            raise Conflict("pictures_full", count=most(session))
        if known is not None and known.bytes != size:
            raise BadInput("picture_wrong", detail=words("picture_size"))
        picture = pictures.begin(connection, work.id, by, sha256, size, -(-size // PART_BYTES))
    return {"picture": picture.id, "parts": picture.parts, "done": picture.done, "have": have(connection, picture)}


def have(connection: sqlite3.Connection, picture: pictures.Picture) -> list[int]:
    return list(range(picture.parts)) if picture.done else pictures.parts_here(connection, picture.id)


def _own(connection: sqlite3.Connection, session_id: str, picture_id: str, by: str) -> pictures.Picture:
    found = pictures.find(connection, session_id, picture_id)
    if found.examiner != by:
        raise NotFound("picture_unknown")
    return found


def add_part(
    connection: sqlite3.Connection,
    session_id: str,
    picture_id: str,
    part: int,
    data: bytes,
    sha256: str,
    *,
    by: str,
    data_key: DataKey,
) -> dict[str, Any]:
    """Keep one part; with the last one the picture is whole: {"done", "have"}. The same part again changes nothing.

    BadInput for a part that is not what its hash says, and for a whole that is no such picture: then all of it goes.
    """
    picture = _own(connection, session_id, picture_id, by)
    if picture.done:
        return {"done": True, "have": have(connection, picture)}
    wanted = min(PART_BYTES, picture.bytes - part * PART_BYTES)
    if not 0 <= part < picture.parts or len(data) != wanted or hashlib.sha256(data).hexdigest() != sha256:
        raise BadInput("picture_part_wrong")
    sealed = data_key.encrypt(data, f"{picture_id}/{part}".encode())
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), *OPEN_STATES)
        pictures.put_part(connection, picture_id, part, sealed)
        here = pictures.parts(connection, picture_id)
    if len(here) < picture.parts:
        return {"done": False, "have": sorted(here)}
    whole = b"".join(data_key.decrypt(here[n], f"{picture_id}/{n}".encode()) for n in sorted(here))
    try:
        width, height = _look(whole, picture.sha256)
    except BadInput:
        with transaction(connection):
            pictures.remove(connection, picture_id)
        raise
    _finish(connection, session_id, picture, whole, (width, height), by, data_key)
    return {"done": True, "have": list(range(picture.parts))}


def _look(whole: bytes, sha256: str) -> tuple[int, int]:
    if hashlib.sha256(whole).hexdigest() != sha256:
        raise BadInput("picture_wrong", detail=words("picture_hash"))
    try:
        found = read_jpeg(whole)
    except ValueError as error:
        raise BadInput("picture_wrong", detail=why(error)) from error
    if found.exif:
        raise BadInput("picture_exif")
    if max(found.width, found.height) > MOST_PIXELS:
        raise BadInput("picture_wrong", detail=words("picture_pixels", width=found.width, height=found.height))
    return found.width, found.height


def _finish(
    connection: sqlite3.Connection,
    session_id: str,
    picture: pictures.Picture,
    whole: bytes,
    size: tuple[int, int],
    by: str,
    data_key: DataKey,
) -> None:
    sealed = data_key.encrypt(whole, picture.id.encode())
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), *OPEN_STATES)
        if pictures.find(connection, session_id, picture.id).done:  # the last part came twice, side by side
            return
        pictures.finish(connection, picture.id, *size, sealed)
        work = practical.work(connection, session_id, picture.work)
        body = {"work": work.id, "picture": picture.id, "sha256": picture.sha256, "bytes": picture.bytes}
        ledger.append(connection, "work_picture", body, subject=work.person, session=session_id, by=by)


def remove(connection: sqlite3.Connection, session_id: str, picture_id: str, by: str) -> None:
    """Take back a picture of one's own that no signed sheet names."""
    picture = _own(connection, session_id, picture_id, by)
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), *OPEN_STATES)
        work = practical.work(connection, session_id, picture.work)
        if pictures.is_signed(connection, session_id, work.person, picture):
            raise Conflict("picture_signed")
        pictures.remove(connection, picture_id)
        body = {"work": work.id, "picture": picture_id}
        ledger.append(connection, "work_picture_removed", body, subject=work.person, session=session_id, by=by)


def open_picture(connection: sqlite3.Connection, session_id: str, picture_id: str, data_key: DataKey) -> bytes:
    """The JPEG. NotFound when it is not whole, or deleted."""
    pictures.find(connection, session_id, picture_id)
    sealed = pictures.content(connection, picture_id)
    if sealed is None:
        raise NotFound("picture_unknown")
    return data_key.decrypt(sealed, picture_id.encode())
