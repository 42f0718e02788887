"""Making templates from ID photographs, once consent is recorded; a photograph goes as soon as its template stands."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import suppress

import cv2
import numpy as np

from edge.checkin.templates import context
from edge.domain.consents import ONE_TO_ONE
from edge.domain.pictures import picture_size, size_fits
from edge.errors import BadInput, ExamroomError
from edge.store import faces, ledger, people
from edge.store.db import transaction
from edge.store.meta import get_meta, set_meta
from edge.trust.roomkeys import DataKey
from edge.vision.face import NETWORK_ERRORS, PICTURE_ERRORS
from edge.vision.face_pack import FacePack
from edge.vision.quality import judge
from edge.vision.template import Template, to_bytes

DEATHS = 2
"""So many processes have to end at a photograph before it is blamed: once it may have been the power. So many times a
network, too, or the memory for it."""
AT_WORK, AT_WORK_COMMAND = "enrolling", "enrolling_by_command"
_RUN = secrets.token_hex(8)
"""This process: what is marked by it is merely under way, or waits for the store."""


def enrol_next(connection: sqlite3.Connection, pack: FacePack, key: DataKey) -> bool:
    """Turn one photograph that consent allows into a template; whether more are waiting.

    One at a call, since each takes a good part of a second and the door is deaf meanwhile.
    """
    _count_death(connection, AT_WORK)
    waiting = faces.awaiting_template(connection, pack.name, pack.version)
    if waiting:
        enrol_person(connection, pack, key, waiting[0])
    if len(waiting) == 1:
        note_photos_gone(connection)
    return len(waiting) > 1


def enrol_now(connection: sqlite3.Connection, pack: FacePack, key: DataKey, person: str) -> bool:
    """Of whoever stands at the door, before those whose photographs still wait; whether they have a template now."""
    made = enrol_person(connection, pack, key, person)
    if made and not faces.awaiting_template(connection, pack.name, pack.version):
        note_photos_gone(connection)
    return made


def note_photos_gone(connection: sqlite3.Connection) -> None:
    """After the last of many: their photographs leave the log and the second medium too, all at once."""
    with transaction(connection):
        faces.note_deletion(connection)


def enrol_person(
    connection: sqlite3.Connection, pack: FacePack, key: DataKey, person: str, at_work: str = AT_WORK
) -> bool:
    """Whether a template was made from this person's photograph, which needs their consent as it stands now.

    A photograph without exactly one good face is deleted and said in the ledger: the person enters by the other route.
    So is one at which two processes have ended, or a network has failed twice: it would again and again. `at_work` is
    the mark of the process's kind.
    A photograph or consent that is gone when the template is ready leaves no template: it was withdrawn meanwhile.
    """
    _count_death(connection, at_work)
    sealed = people.photo(connection, person)
    if sealed is None or not people.consent(connection, person, ONE_TO_ONE):
        return False
    with transaction(connection):
        set_meta(connection, at_work, f"{_RUN} {person}")
    try:
        template = template_of(pack, key.decrypt(sealed, person.encode()))
    except ExamroomError as error:
        with transaction(connection):
            set_meta(connection, at_work, "")
            # where memory or a network failed, the photograph need not be the cause
            doubtful = isinstance(error.__cause__, (MemoryError, *NETWORK_ERRORS))
            if not doubtful or people.count_photo_death(connection, person) >= DEATHS:
                _give_up(connection, person, error.code)
        return False
    except KeyboardInterrupt:  # somebody's wish is not the photograph's fault
        with suppress(ExamroomError), transaction(connection):
            set_meta(connection, at_work, "")
        raise
    with transaction(connection):
        set_meta(connection, at_work, "")
        if people.photo(connection, person) != sealed or not people.consent(connection, person, ONE_TO_ONE):
            return False
        people.set_photo(connection, person, None)
        stored = key.encrypt(to_bytes(template), context(person, pack))
        people.set_template(connection, person, pack.name, pack.version, stored)
        ledger.append(connection, "enrolled_face", {"pack": pack.name, "pack_version": pack.version}, subject=person)
    return True


def _count_death(connection: sqlite3.Connection, at_work: str) -> None:
    """Where an earlier process ended while it was at somebody's photograph, count that, and at last give it up."""
    run, _, person = (get_meta(connection, at_work) or "").partition(" ")
    if run in ("", _RUN):
        return
    with transaction(connection):
        set_meta(connection, at_work, "")
        if people.count_photo_death(connection, person) >= DEATHS:
            _give_up(connection, person, "picture_invalid")


def _give_up(connection: sqlite3.Connection, person: str, reason: str) -> None:
    """Delete a photograph that makes no template and say so; in the caller's transaction."""
    if people.photo(connection, person) is None:
        return
    people.set_face_fault(connection, person, reason)
    ledger.append(connection, "enrolment_failed", {"reason": reason}, subject=person)
    if (proof := faces.delete_faces(connection, [person], stills=False)) is not None:
        ledger.append(connection, "face_data_deleted", proof | {"why": "unfit"}, subject=person)


def photo_faults(pack: FacePack, photograph: bytes) -> tuple[str, ...]:
    """The codes of what keeps a photograph from being enrolled; empty when it is fit. Nothing is kept of it."""
    try:
        template_of(pack, photograph)
    except ExamroomError as error:
        return (error.code,)
    return ()


def template_of(pack: FacePack, photograph: bytes) -> Template:
    """The template of the one face in an encoded picture (JPEG or PNG). BadInput: no face, several, or not fit."""
    if not size_fits(picture_size(photograph)):
        raise BadInput("picture_invalid")
    try:
        picture = cv2.imdecode(np.frombuffer(photograph, np.uint8), cv2.IMREAD_COLOR)
        if picture is None:
            raise BadInput("picture_invalid")
        bgr = picture.astype(np.uint8, copy=False)
        found = pack.detect(bgr, thorough=True)
        if codes := judge(bgr, found, pack.fit):
            raise BadInput(codes[0])
        return pack.embed(bgr, found[0])
    except PICTURE_ERRORS as error:
        raise BadInput("picture_invalid") from error
