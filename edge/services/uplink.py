"""The `uplink` process: results out, receipts in, bundles in, checkpoints countersigned and time-stamped, footage that
the province asks for, whatever the line does.

New results go out as soon as another process commits them; everything else runs every `gateway.poll_seconds`. While
there is no line it tries again with growing pauses, never longer than that.
"""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from edge import clock
from edge.config import Config
from edge.errors import ExamroomError, Unavailable
from edge.services.clipping import ClipWorker, Link
from edge.store import clips as store_clips
from edge.store import gatewaytime
from edge.store import outbox as store_outbox
from edge.store.db import SHORT_BUSY_MS, data_version, open_room, patience
from edge.store.status import write_status
from edge.trust import enrolment
from edge.trust.enrolment import Identity
from edge.uplink import outbox
from edge.uplink.checkpoints import make_checkpoint, push_checkpoint
from edge.uplink.client import GatewayClient, endpoint
from edge.uplink.enrol import note_identity
from edge.uplink.release import fetch_releases
from edge.uplink.sync import Sync, sync_bundles
from edge.uplink.timestamps import Authority, stamp_checkpoint

log = logging.getLogger("examroom.uplink")

LOOK_SECONDS = 0.25
BEAT_SECONDS = 1.0
FIRST_PAUSE_SECONDS = 0.5
AUTHORITY_SECONDS = 60.0
"""The first pause after a time-stamping authority that failed; each further one is twice as long, up to an hour."""

# one thing to do: None when it went well, else the code of what did not; it may raise as well
_Step = Callable[[], str | None]


@dataclass
class _Uplink:
    """What the loop remembers. `state` is "alone" (no gateway), "online" or "offline"."""

    config: Config
    connection: sqlite3.Connection
    stop: threading.Event
    state: str = "alone"
    last_error: str | None = None
    contact_ms: int | None = None
    suspended: bool = False
    identity: Identity | None = None
    client: GatewayClient | None = None
    greeted: bool = False
    version: int = -1
    failures: int = 0
    next_poll: float = 0.0
    next_checkpoint: float = 0.0
    next_beat: float = 0.0
    next_stamp: float = 0.0
    stamp_failures: int = 0
    stamp_error: str | None = None
    memory: Sync = field(default_factory=Sync)
    unreleased: dict[tuple[str, str, int], str] = field(default_factory=dict)
    authority: Authority | None = field(init=False)
    footage: ClipWorker = field(init=False)

    def __post_init__(self) -> None:
        wanted = self.config.timestamp
        self.authority = None
        if wanted.url and wanted.ca is not None:
            timeout = self.config.gateway.timeout_seconds
            self.authority = Authority(wanted.url, wanted.ca, timeout, self.stop, self.beat)
        self.footage = ClipWorker(self.config, self.stop)

    def look(self) -> None:
        """One look at store and clock, and whatever is due."""
        now = time.monotonic()
        version = data_version(self.connection)
        changed, self.version = version != self.version, version
        if now >= self.next_poll or (changed and self.client is None):
            self._refresh()
        if self.identity is not None and now >= self.next_checkpoint:
            self.next_checkpoint = now + self.config.ledger.checkpoint_seconds
            self._try(self._checkpoint)
        if self.authority is not None and now >= self.next_stamp:
            self._stamp(self.authority, now)
        if now >= self.next_poll:
            self._round()
        elif changed and self.state == "online":
            self._try(self._send)
        self.footage.tell(self._link())
        self.beat()

    def beat(self) -> None:
        """Say that we live, about once a second; also called while a request is under way."""
        now = time.monotonic()
        if now < self.next_beat:
            return
        self.next_beat = now + BEAT_SECONDS
        write_status(
            self.config.paths.status,
            "uplink",
            state=self.state,
            last_error=self.last_error,
            contact_ms=self.contact_ms,
            suspended=self.suspended,
            clips=store_clips.counts(self.connection),
            **store_outbox.counts(self.connection),
        )

    def close(self) -> None:
        if self.client is not None:
            self.client.close()

    def end(self) -> None:
        self.close()
        self.footage.join()

    def _refresh(self) -> None:
        """Who we are and where the gateway is, read afresh: enrolment needs no restart."""
        try:
            identity = enrolment.load(self.config.paths)
            note_identity(self.connection, identity)
            wanted = None
            if identity.gateway is not None or self.config.gateway.url:
                wanted = endpoint(self.config, identity)
        except (ExamroomError, sqlite3.Error, OSError) as error:
            self._forget()
            self.state, self.last_error = "alone", _code(error)
            return
        if wanted is None:
            self._forget()
            self.identity = identity
            self.state, self.last_error = "alone", self.stamp_error
        elif self.client is None or self.client.endpoint != wanted or _differ(self.identity, identity):
            if self.identity is None or self.identity.envelope != identity.envelope:
                self._forget()
            offset = 0 if self.client is None else self.client.offset_ms
            self.close()
            self.client = GatewayClient(wanted, identity, self.stop, self.beat, offset)
            self.state = "offline" if self.state == "alone" else self.state
        self.identity = identity

    def _forget(self) -> None:
        self.close()
        self.client, self.identity, self.greeted, self.failures = None, None, False, 0
        self.memory = Sync()

    def _round(self) -> None:
        """Everything once. What is refused by one step does not keep the others from their turn."""
        if self.client is None:
            self._plan(self.config.gateway.poll_seconds)
            return
        steps: list[_Step] = [self._send, self._sync, self._release, self._push]
        if not self.greeted:
            steps.insert(0, self._greet)
        good = True
        for step in steps:
            good = self._try(step) and good
            if self.state == "offline" or self.stop.is_set():
                break
        if self.state == "offline":
            self.failures += 1
            pause = FIRST_PAUSE_SECONDS * 2 ** min(self.failures - 1, 12)
            self._plan(min(pause, self.config.gateway.poll_seconds))
            return
        self.failures = 0
        self._plan(self.config.gateway.poll_seconds)
        if good:
            self.last_error = self.stamp_error or self.footage.error  # what outlasts a round of ours

    def _plan(self, pause: float) -> None:
        """The next round, spread so that thousands of rooms do not come back in one second."""
        self.next_poll = time.monotonic() + pause * random.uniform(0.8, 1.2)  # noqa: S311 - not a secret

    def _try(self, step: _Step) -> bool:
        """Run one step; whether it went well. Its error becomes our state, never our end."""
        try:
            code = step()
        except (ExamroomError, sqlite3.Error, OSError) as error:
            code = _code(error)
            if isinstance(error, Unavailable) and code.startswith("gateway_"):
                self.state, self.greeted = "offline", False
        if code is None:
            return True
        if code != "uplink_stopping":
            if code != self.last_error:
                log.warning("uplink: %s", code)
            self.last_error = code
        return False

    def _contact(self) -> None:
        if self.state != "online":
            log.info("the gateway answers")
        self.state, self.contact_ms = "online", clock.wall_ms()

    def _greet(self) -> str | None:
        """First contact: what the gateway has of us, and whether it signs with the key we know."""
        client, identity = self._need()
        status = client.status()
        self._contact()
        gatewaytime.heard(self.connection, status.time_ms)
        self.suspended, self.greeted = status.suspended, True
        envelope = status.gateway.encode()
        known = self.config.paths.trust / "gateway.json"
        if not known.exists() or known.read_bytes() != envelope:
            enrolment.replace_gateway_key(self.config.paths, envelope, identity.root_public)
            self._refresh()
        return None

    def _send(self) -> str | None:
        if not store_outbox.counts(self.connection)["waiting"]:
            return None
        client, identity = self._need()
        done = outbox.send_waiting(self.connection, client, identity)
        self._contact()
        if done.error is not None:
            self.greeted = False  # a key of the gateway's may have changed: ask before the next round
        return done.error

    def _sync(self) -> str | None:
        client, identity = self._need()
        done = sync_bundles(self.connection, client, identity, self.config.paths, self.memory)
        self._contact()
        return done.refused[0][3] if done.refused else None

    def _release(self) -> str | None:
        client, identity = self._need()
        early_ms = self.config.bank.unlock_minutes * 60_000
        return fetch_releases(self.connection, client, identity, self.config.paths, early_ms, self.unreleased)

    def _checkpoint(self) -> str | None:
        self._refresh()
        if self.identity is not None and make_checkpoint(self.connection, self.identity) and self.state == "online":
            return self._push()
        return None

    def _push(self) -> str | None:
        client, identity = self._need()
        if push_checkpoint(self.connection, client, identity):
            self._contact()
        return None

    def _stamp(self, authority: Authority, now: float) -> None:
        """Have the newest checkpoint time-stamped, where it is not yet, and plan the next."""
        made = False

        def step() -> None:
            nonlocal made
            made = stamp_checkpoint(self.connection, authority) is not None

        if not self._try(step):
            self.stamp_failures += 1
            self.stamp_error = self.last_error
            self.next_stamp = now + min(3600.0, AUTHORITY_SECONDS * 2 ** min(self.stamp_failures - 1, 10))
            return
        self.stamp_failures, self.stamp_error = 0, None
        pause = self.config.timestamp.minutes * 60 if made else 0.0
        self.next_stamp = now + max(pause, self.config.ledger.checkpoint_seconds)

    def _link(self) -> Link | None:
        if self.client is None or self.identity is None or self.state != "online":
            return None
        return Link(self.client.endpoint, self.identity, self.client.offset_ms)

    def _need(self) -> tuple[GatewayClient, Identity]:
        if self.client is None or self.identity is None:
            raise Unavailable("gateway_unset")
        return self.client, self.identity


def _differ(before: Identity | None, now: Identity) -> bool:
    """Whether anything the client uses has changed."""
    return before is None or (before.envelope, before.gateway, before.ca) != (now.envelope, now.gateway, now.ca)


def _code(error: Exception) -> str:
    return error.code if isinstance(error, ExamroomError) else "store_unavailable"


def run(config: Config, stop: threading.Event) -> None:
    """Serve until `stop`, which also cuts short a request under way. Unavailable when the store cannot be opened."""
    connection = open_room(config.paths.room_db)
    patience(connection, SHORT_BUSY_MS)
    uplink = _Uplink(config, connection, stop)
    try:
        while not stop.is_set():
            uplink.look()
            stop.wait(LOOK_SECONDS)
    finally:
        uplink.end()
        connection.close()
