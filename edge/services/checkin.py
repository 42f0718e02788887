"""The `checkin` process: reader, panel and face pack opened once, then step after step until it is told to stop."""

from __future__ import annotations

import logging
import threading
import time

from edge.checkin.door import Door
from edge.config import Config
from edge.errors import ExamroomError
from edge.hardware.badge import open_reader
from edge.hardware.panel import open_panel
from edge.store.db import open_room
from edge.store.status import write_status
from edge.trust import enrolment
from edge.vision import packs
from edge.vision.face_pack import FacePack

log = logging.getLogger("examroom.checkin")
STATUS_SECONDS = 1.0


def run(config: Config, stop: threading.Event) -> None:
    """Serve the door until `stop`. Before enrolment it waits, and says so in its status."""
    keys = None
    while keys is None and not stop.is_set():
        try:
            keys = enrolment.load(config.paths).keys
        except ExamroomError as error:
            write_status(config.paths.status, "checkin", state="waiting", reason=error.code)
            stop.wait(1.0)
    if keys is None:
        return
    pack, pack_reason = _load_pack(config)
    connection = open_room(config.paths.room_db)
    reader, panel = open_reader(config.badge), open_panel(config.panel)
    door = Door(config, connection, keys, reader, panel, pack)
    said = 0.0
    try:
        while not stop.is_set():
            try:
                door.step()
            except ExamroomError as error:
                # a busy store or a vanished device is tried again; the person at the door has seen nothing change
                log.warning("will try again: %s", error)
                stop.wait(0.2)
            if time.monotonic() - said >= STATUS_SECONDS:
                said = time.monotonic()
                there = reader.state()
                write_status(
                    config.paths.status,
                    "checkin",
                    state=door.state or "ready",
                    reason=pack_reason or there.reason,
                    reader=there.present,
                    lamps=panel.lamps(),
                )
    finally:
        door.close()
        panel.close()
        reader.close()
        connection.close()


def _load_pack(config: Config) -> tuple[FacePack | None, str | None]:
    """The face pack, or why there is none: then everybody takes the other route."""
    try:
        return packs.load(config.checkin.pack, config.paths.models), None
    except ExamroomError as error:
        log.warning("no face pack: %s", error)
        return None, error.code
