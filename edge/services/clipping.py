"""Footage for the province, on a thread of the uplink's own: results and checkpoints wait for no export and no film."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from dataclasses import dataclass

from edge.config import Config
from edge.errors import ExamroomError
from edge.recording.aside import step_back
from edge.store.db import SHORT_BUSY_MS, open_room, patience
from edge.trust.enrolment import Identity
from edge.uplink.client import Endpoint, GatewayClient
from edge.uplink.clipfiles import Clips, tidy
from edge.uplink.clips import hear, send_part

log = logging.getLogger("examroom.uplink")

LOOK_SECONDS = 0.25
JOIN_SECONDS = 2.0
"""What is left of an export when the process ends is swept at the next start."""


@dataclass(frozen=True)
class Link:
    """The gateway as the uplink's loop found it: it answers, and `offset_ms` is its clock minus ours."""

    endpoint: Endpoint
    identity: Identity
    offset_ms: int

    def same_as(self, other: Link) -> bool:
        """Whether a client made for one serves the other: an identity that is read again is the same."""
        mine, theirs = self.identity, other.identity
        same = (mine.envelope, mine.gateway, mine.ca) == (theirs.envelope, theirs.gateway, theirs.ca)
        return same and (self.endpoint, self.offset_ms) == (other.endpoint, other.offset_ms)


class ClipWorker:
    """Runs from the first word of the line until `stop`, whatever goes wrong: a file that waits to be sent has to give
    way to recording without a gateway, too. `error` is the code of what did not go well, or None.
    """

    def __init__(self, config: Config, stop: threading.Event) -> None:
        self.error: str | None = None
        self._config = config
        self._stop = stop
        self._link: Link | None = None
        self._client: GatewayClient | None = None
        self._made_for: Link | None = None
        self._thread: threading.Thread | None = None

    def tell(self, link: Link | None) -> None:
        """What the line is like now; None while the gateway does not answer."""
        self._link = link
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="clips", daemon=True)
            self._thread.start()

    def join(self) -> None:
        """Wait a little for the end that `stop` has asked for."""
        if self._thread is not None:
            self._thread.join(JOIN_SECONDS)

    def _run(self) -> None:
        step_back()
        memory = Clips(self._config, self._stop)
        next_round = 0.0
        connection: sqlite3.Connection | None = None
        while not self._stop.wait(LOOK_SECONDS):
            link = self._link
            due = link is not None and time.monotonic() >= next_round
            if not due and time.monotonic() < memory.next_tidy:
                continue
            more = False
            try:
                if connection is None:
                    connection = open_room(self._config.paths.room_db)
                    patience(connection, SHORT_BUSY_MS)
                tidy(memory, connection)
                if link is not None and due:
                    more = self._round(memory, connection, link)
            except (ExamroomError, sqlite3.Error, OSError) as error:
                code = error.code if isinstance(error, ExamroomError) else "store_unavailable"
                if code != self.error and code != "uplink_stopping":
                    log.warning("footage for the province: %s", code)
                self.error = code
            except Exception:
                if self.error != "clip_failed":
                    log.exception("footage for the province")
                self.error = "clip_failed"
            if due:
                next_round = time.monotonic() + (0 if more else self._config.gateway.poll_seconds)
        if self._client is not None:
            self._client.close()
        if connection is not None:
            connection.close()

    def _round(self, memory: Clips, connection: sqlite3.Connection, link: Link) -> bool:
        """Hear, then send for as long as from one hearing to the next: whether there is more to send."""
        client, more = self._client_for(link), False
        self.error = hear(memory, connection, client, link.identity)
        until = time.monotonic() + self._config.gateway.poll_seconds
        while self._link is not None and (more := send_part(memory, connection, client)) and time.monotonic() < until:
            tidy(memory, connection)
        self.error = self.error or memory.rests.code
        return more

    def _client_for(self, link: Link) -> GatewayClient:
        if self._client is None or self._made_for is None or not link.same_as(self._made_for):
            if self._client is not None:
                self._client.close()
            self._client = GatewayClient(link.endpoint, link.identity, self._stop, offset_ms=link.offset_ms)
            self._made_for = link
        return self._client
