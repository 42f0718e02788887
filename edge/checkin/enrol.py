"""Making templates from ID photographs, once consent is recorded; a photograph goes as soon as its template stands."""

from __future__ import annotations

import secrets
import sqlite3

import cv2
import numpy as np

from edge.errors import BadInput, ExamroomError
from edge.store import ledger, people
from edge.store.db import transaction
from edge.store.meta import get_meta, set_meta
from edge.trust.roomkeys import DataKey
from edge.vision.face_pack import LARGEST_SIDE, FacePack
from edge.vision.header import picture_size
from edge.vision.quality import judge
from edge.vision.template import Template, from_bytes, to_bytes

LARGEST_PIXELS = 50_000_000  # decoded, 150 MB
_AT_WORK = "enrolling"
_RUN = secrets.token_hex(8)
"""This process: what is marked by it is merely under way, or waits for the store."""


def enrol_next(connection: sqlite3.Connection, pack: FacePack, key: DataKey) -> bool:
    """Turn one photograph that consent allows into a template; whether more are waiting.

    One at a call, since each takes a good part of a second and the door is deaf meanwhile.
    """
    waiting = people.awaiting_template(connection, pack.name, pack.version)
    if waiting:
        enrol_person(connection, pack, key, waiting[0])
    return len(waiting) > 1


def enrol_person(connection: sqlite3.Connection, pack: FacePack, key: DataKey, person: str) -> bool:
    """Whether a template was made from this person's photograph.

    A photograph without exactly one good face is deleted and said in the ledger: the person enters by the other route.
    So is one at which this process died before: it would at every start.
    """
    sealed = people.photo(connection, person)
    if sealed is None:
        return False
    if _died_at(connection) == person:
        return False
    with transaction(connection):
        set_meta(connection, _AT_WORK, f"{_RUN} {person}")
    try:
        template = template_of(pack, key.decrypt(sealed, person.encode()))
    except ExamroomError as error:
        _failed(connection, person, error.code)
        return False
    with transaction(connection):
        set_meta(connection, _AT_WORK, "")
        people.set_photo(connection, person, None)
        stored = key.encrypt(to_bytes(template), _context(person, pack))
        people.set_template(connection, person, pack.name, pack.version, stored)
        ledger.append(connection, "enrolled_face", {"pack": pack.name, "pack_version": pack.version}, subject=person)
    return True


def _died_at(connection: sqlite3.Connection) -> str | None:
    """Whose photograph an earlier process was at when it ended, now counted as failed."""
    run, _, person = (get_meta(connection, _AT_WORK) or "").partition(" ")
    if run in ("", _RUN):
        return None
    _failed(connection, person, "picture_invalid")
    return person


def _failed(connection: sqlite3.Connection, person: str, reason: str) -> None:
    with transaction(connection):
        set_meta(connection, _AT_WORK, "")
        people.delete_face_data(connection, person)
        ledger.append(connection, "enrolment_failed", {"reason": reason}, subject=person)


def template_of(pack: FacePack, photograph: bytes) -> Template:
    """The template of the one face in an encoded picture (JPEG or PNG). BadInput: no face, several, or not fit."""
    columns, rows = picture_size(photograph) or (0, 0)
    if not 0 < columns * rows <= LARGEST_PIXELS or max(columns, rows) > LARGEST_SIDE:
        raise BadInput("picture_invalid")
    try:
        picture = cv2.imdecode(np.frombuffer(photograph, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise BadInput("picture_invalid")
        bgr = picture.astype(np.uint8, copy=False)
        faces = pack.detect(bgr, thorough=True)
        if codes := judge(bgr, faces):
            raise BadInput(codes[0])
        return pack.embed(bgr, faces[0])
    except (cv2.error, MemoryError, RuntimeError, ValueError) as error:  # a file may hold anything behind its header
        raise BadInput("picture_invalid") from error


def read_template(connection: sqlite3.Connection, pack: FacePack, key: DataKey, person: str) -> Template | None:
    """The person's template for exactly this pack and version, or None."""
    sealed = people.template(connection, person, pack.name, pack.version)
    return None if sealed is None else from_bytes(key.decrypt(sealed, _context(person, pack)))


def _context(person: str, pack: FacePack) -> bytes:
    """Ties a template to its person, pack and version: swapped rows do not decrypt."""
    return f"{person}\n{pack.name}\n{pack.version}".encode()
