"""Making templates from ID photographs, once consent is recorded; a photograph goes as soon as its template stands."""

from __future__ import annotations

import sqlite3

import cv2
import numpy as np

from edge.errors import BadInput, ExamroomError
from edge.store import ledger, people
from edge.store.db import transaction
from edge.trust.roomkeys import DataKey
from edge.vision.face_pack import FacePack
from edge.vision.quality import judge
from edge.vision.template import Template, from_bytes, to_bytes


def enrol_waiting(connection: sqlite3.Connection, pack: FacePack, key: DataKey) -> int:
    """Turn every photograph that consent allows into a template; how many people were dealt with.

    A photograph without exactly one good face is deleted and said in the ledger: the person enters by the other route.
    """
    waiting = people.awaiting_template(connection, pack.name, pack.version)
    for person in waiting:
        enrol_person(connection, pack, key, person)
    return len(waiting)


def enrol_person(connection: sqlite3.Connection, pack: FacePack, key: DataKey, person: str) -> bool:
    """Whether a template was made from this person's photograph."""
    sealed = people.photo(connection, person)
    if sealed is None:
        return False
    try:
        template = template_of(pack, key.decrypt(sealed, person.encode()))
    except ExamroomError as error:
        with transaction(connection):
            people.delete_face_data(connection, person)
            ledger.append(connection, "enrolment_failed", {"reason": error.code}, subject=person)
        return False
    with transaction(connection):
        people.set_photo(connection, person, None)
        stored = key.encrypt(to_bytes(template), _context(person, pack))
        people.set_template(connection, person, pack.name, pack.version, stored)
        ledger.append(connection, "enrolled_face", {"pack": pack.name, "pack_version": pack.version}, subject=person)
    return True


def template_of(pack: FacePack, photograph: bytes) -> Template:
    """The template of the one face in an encoded picture (JPEG or PNG). BadInput: no face, several, or not fit."""
    try:
        picture = cv2.imdecode(np.frombuffer(photograph, np.uint8), cv2.IMREAD_COLOR)
    except (cv2.error, MemoryError) as error:  # a header may claim any size
        raise BadInput("picture_invalid") from error
    if picture is None:
        raise BadInput("picture_invalid")
    bgr = picture.astype(np.uint8, copy=False)
    faces = pack.detect(bgr, thorough=True)
    if codes := judge(bgr, faces):
        raise BadInput(codes[0])
    return pack.embed(bgr, faces[0])


def read_template(connection: sqlite3.Connection, pack: FacePack, key: DataKey, person: str) -> Template | None:
    """The person's template for exactly this pack and version, or None."""
    sealed = people.template(connection, person, pack.name, pack.version)
    return None if sealed is None else from_bytes(key.decrypt(sealed, _context(person, pack)))


def _context(person: str, pack: FacePack) -> bytes:
    """Ties a template to its person, pack and version: swapped rows do not decrypt."""
    return f"{person}\n{pack.name}\n{pack.version}".encode()
