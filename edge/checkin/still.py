"""One picture of an admission by face, kept as evidence where signed policy says so and the person agreed to that."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable

import cv2
import numpy as np

from edge import clock
from edge.checkin.visit import Visit, purposes
from edge.domain.consents import STILL
from edge.store import faces, ledger, people, sessions
from edge.trust.roomkeys import DataKey

DAY_MS = 86_400_000
QUALITY = 85


def keeper(
    connection: sqlite3.Connection, key: DataKey, visit: Visit, who: people.Candidate
) -> Callable[[], None] | None:
    """What to do in the transaction of the admission; None where nothing is to be kept, which is the rule.

    The picture is encrypted with the device's data key, tied to person and row, and has its day of deletion.
    """
    frame = visit.picture
    agreed = people.consent(connection, who.person, STILL)
    if frame is None or not agreed or STILL not in purposes(connection, who):
        return None
    picture = np.frombuffer(frame.bgr, np.uint8).reshape(frame.height, frame.width, 3)
    done, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        return None
    still = secrets.token_hex(12)
    sealed = key.encrypt(jpeg.tobytes(), faces.still_context(who.person, still))
    session = sessions.find(connection, who.session)
    days = int((session.policy.get("face") or {}).get("still_days", 30))
    delete_ms = min(clock.wall_ms() + days * DAY_MS, session.purge_ms)

    def keep() -> None:
        if people.consent(connection, who.person, STILL) is not True:  # withdrawn since
            return
        faces.add_still(connection, still, who.session, who.person, sealed, delete_ms)
        body = {"still": still, "delete_at": clock.iso(delete_ms)}
        ledger.append(connection, "still_kept", body, subject=who.person, session=who.session)

    return keep
