"""The check-in process with two readers of its configuration: a pipe, and tickets in the door camera's pictures."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import segno

from edge import clock
from edge.demo.people import badge_of
from edge.exam import conduct
from edge.exam.banks import open_bank
from edge.hardware.badge.simulator import tap
from edge.services import checkin
from edge.store import checkins, people, sessions
from edge.store.ring import RingWriter
from edge.store.status import read_statuses
from edge.trust.signer import Ed25519Signer
from edge.trust.ticket import Ticket, issue
from support.rooms import DeskRoom, make_desk_room
from support.vcard import wait_for


@pytest.fixture
def room(tmp_path: Path) -> Iterator[DeskRoom]:
    readers = {"card": {"backend": "events", "device": str(tmp_path / "card")}, "ticket": {"backend": "qr"}}
    desk = make_desk_room(tmp_path, badge=readers, checkin={"show_seconds": 0.1})
    bank = open_bank(desk.identity, desk.config.paths.bundles, sessions.find(desk.db, desk.session))
    conduct.open_checkin(desk.db, desk.session, bank, "P-001")
    stop = threading.Event()
    thread = threading.Thread(target=checkin.run, args=(desk.config, stop))
    thread.start()
    yield desk
    stop.set()
    thread.join(10)
    assert not thread.is_alive()
    desk.db.close()


def state_of(room: DeskRoom, number: int) -> str:
    return next(c.state for c in people.candidates(room.db, room.session) if c.number == number)


def test_both_readers_are_said_and_read(room: DeskRoom) -> None:
    def readers() -> dict[str, dict[str, object]]:
        found = read_statuses(room.config.paths.status).get("checkin", {}).get("readers", {})
        return dict(found)

    lost = {"present": False, "reason": "ticket_camera"}
    wait_for(lambda: readers() == {"card": {"present": True, "reason": None}, "ticket": lost}, "the states are said")
    # the reader of cards is there; that the other is not is said all the same
    wait_for(lambda: read_statuses(room.config.paths.status)["checkin"].get("reason") == "ticket_camera", "its word")
    tap(Path(room.config.badge["card"].device), badge_of(1))
    wait_for(lambda: state_of(room, 1) == "waiting", "the badge was read")

    root = Ed25519Signer.load(room.config.paths.keys / "root.key")
    text = issue(Ticket(room.session, 2, clock.wall_ms() + 3_600_000), root)
    rows = np.array([[bool(cell) for cell in row] for row in segno.make(text, error="m").matrix_iter(border=4)])
    code = cv2.resize(np.where(rows, 20, 235).astype(np.uint8), (260, 260), interpolation=cv2.INTER_AREA)
    picture = np.full((480, 640, 3), 120, np.uint8)
    picture[100:360, 180:440] = code[:, :, None]
    ring = RingWriter(room.config.paths.ring("door"), 800 * 480 * 3)
    bgr = picture.tobytes()

    def was_read() -> bool:
        """A camera goes on giving pictures: the first may be old by the time anybody looks at them."""
        now = clock.now()
        ring.write(mono_ms=now.mono_ms, wall_ms=now.wall_ms, source_ms=0, width=640, height=480, bgr=bgr, jpeg=b"")
        return state_of(room, 2) == "waiting"

    wait_for(was_read, "the ticket was read")
    shown = checkins.shown(room.db)
    assert shown is not None
    wait_for(lambda: bool(readers()["ticket"]["present"]), "the camera is back")
    ring.close()
