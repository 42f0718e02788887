"""The `checkin` process: reader, panel and face pack opened once, then step after step until it is told to stop."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from dataclasses import asdict
from functools import partial

import cv2
import numpy as np

from edge import clock
from edge.checkin.door import Door
from edge.config import Config
from edge.domain.sight import BLACK, DARK
from edge.errors import ExamroomError, Unavailable
from edge.hardware.badge import UNREMARKABLE, open_readers
from edge.hardware.badge.qr import Picture, Pictures
from edge.hardware.panel import open_panel
from edge.store import recorders
from edge.store.db import SHORT_BUSY_MS, open_room, patience
from edge.store.recorders import Fault
from edge.store.ring import RingReader
from edge.store.status import read_statuses, write_status
from edge.trust import enrolment
from edge.trust.ticket import TicketTrust
from edge.vision import packs
from edge.vision.face_pack import FacePack
from edge.vision.liveness import Liveness

log = logging.getLogger("examroom.checkin")
STATUS_SECONDS = 1.0


def run(config: Config, stop: threading.Event) -> None:
    """Serve the door until `stop`. Before enrolment it waits, and says so in its status."""
    identity = None
    while identity is None and not stop.is_set():
        try:
            identity = enrolment.load(config.paths)
        except ExamroomError as error:
            write_status(config.paths.status, "checkin", state="waiting", reason=error.code)
            stop.wait(1.0)
    if identity is None:
        return
    cv2.setNumThreads(1)  # the other cores are the recording's and the answers'
    pack, pack_reason = _load_pack(config)
    connection = open_room(config.paths.room_db)
    patience(connection, SHORT_BUSY_MS)
    reader, panel = open_readers(config.badge, partial(_pictures, config)), open_panel(config.panel)
    tickets = TicketTrust(config.paths.trust, [identity.root_public])
    liveness = _load_liveness(config)
    door = Door(config, connection, identity.keys, reader, panel, pack, tickets, liveness)
    said, held = 0.0, False
    try:
        while not stop.is_set():
            before = held
            held = _step(door)
            if held:
                stop.wait(0.2)
            if held != before or time.monotonic() - said >= STATUS_SECONDS:
                said = time.monotonic()
                unrecorded = _unrecorded(config, door.state)
                door.recording_fault(unrecorded is not None)
                there = reader.state()
                write_status(
                    config.paths.status,
                    "checkin",
                    state=door.state or "ready",
                    **_said(held, there.reason, unrecorded, pack_reason or door.lack),
                    held=held,
                    reader=there.present,
                    readers={name: asdict(one) for name, one in reader.states().items()},
                    panel=asdict(panel.state()),
                    pack=pack.name if pack else None,
                    pack_version=pack.version if pack else None,
                    liveness=liveness.version if liveness else None,
                    lamps=panel.lamps(),
                )
    finally:
        door.close()
        panel.close()
        reader.close()
        connection.close()


def _unrecorded(config: Config, state: str) -> Fault | None:
    """The first camera that does not record as it should. With no session under way the room may be dark."""
    found = recorders.faults(config.camera, read_statuses(config.paths.status), clock.mono_ms())
    told = [why for why in found.values() if state != "closed" or why[0] not in (DARK, BLACK)]
    return told[0] if told else None


def _said(held: bool, reader: str | None, unrecorded: Fault | None, lack: str | None) -> dict[str, object]:
    """What happened comes before what was never there: a store that holds us, a lost reader, a camera that does not
    record, then the pack that is lacking and the reader that nobody wants."""
    if held or (reader is not None and reader not in UNREMARKABLE):
        return {"reason": "checkin_held" if held else reader}
    if unrecorded is not None:
        return {"reason": unrecorded[0], "facts": unrecorded[1]}
    return {"reason": lack or reader}


def _step(door: Door) -> bool:
    """One step; whether the store holds the door up.

    The kiosk says so by our status, since its own words stand in the store.
    """
    try:
        door.step()
    except (Unavailable, sqlite3.OperationalError) as error:  # reading may fail too, of a disk as a rule
        log.warning("will try again: %s", error)
        return True
    except ExamroomError as error:
        log.error("a visit was given up: %s", error)
    return False


def _pictures(config: Config, camera: str) -> Pictures:
    """The newest picture of a camera, the door's where none is named, for the reader of tickets."""
    ring = RingReader(config.paths.ring(camera or config.checkin.camera))

    def newest() -> Picture | None:
        frame = ring.latest()
        if frame is None or not frame.bgr:
            return None
        bgr = np.frombuffer(frame.bgr, np.uint8).reshape(frame.height, frame.width, 3)
        return Picture(frame.number, frame.mono_ms, bgr)

    return newest


def _load_pack(config: Config) -> tuple[FacePack | None, str | None]:
    """The face pack, or why there is none: then everybody takes the other route."""
    try:
        at_most = config.checkin.accept_at_most
        return packs.load(config.checkin.pack, config.paths.models, accept_at_most=at_most), None
    except ExamroomError as error:
        log.warning("no face pack: %s", error)
        return None, error.code


def _load_liveness(config: Config) -> Liveness | None:
    """The liveness networks where they are installed. Where policy asks for them and they are not, nobody enters by
    face: the door says so."""
    try:
        return packs.load_liveness(config.paths.models)
    except ExamroomError as error:
        if error.code != "pack_not_installed":
            log.warning("no liveness: %s", error)
        return None
