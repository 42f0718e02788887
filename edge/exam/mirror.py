"""The second medium: what the room holds, also on a disk that can be carried to a spare machine.

With `store.mirror` set, every group commit is written there before it is acknowledged. A mirror that fails, is full,
is pulled out or takes longer than a second holds up nobody: it is lost, the console and the ledger say so, answers go
on with the first medium alone, and when it is back it is given what it lacks before it counts again.

On the mirror (`edge.store.mirrorlog`): answers.db commit by commit, and written behind by small portions (a second or
so later, longer where much has changed) room.db, the files of the state folder but the keys that sign, and the
certificates of the pages with their keys. So a mirror can open what the room could open (sealed banks, face templates),
can pass for the room at its tablets and shows whom the room knew: keep it as the box itself is kept, or set
`store.mirror_secret`, a file whose content encrypts all of it and without which `examroom restore` reads nothing. It
cannot sign for the room; who
restores it enrols again. What the room's purge deletes is gone from the mirror once a new generation has replaced the
old, which a purge starts at once.
"""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge.config import Config
from edge.errors import ConfigError
from edge.exam.mirrorwriting import Batch, Writing
from edge.why import why

log = logging.getLogger("examroom.exam.mirror")
SECRET_LENGTH = 12
DEADLINE_S = 1.0
STEP_S = 0.05
RETRY_S = 2.0
QUEUE_BYTES = 64 * 1024 * 1024

Told = Callable[[str, Mapping[str, Any]], None]
"""Hears "mirror_lost" with {"reason"}, "mirror_back", and "mirror_incomplete" with {"files"}: how many it lacks."""


class SameDisk(OSError):
    """The medium is not another disk: most likely it is not there, and its folder is what it would be mounted over."""


def open_mirror(config: Config, room: str, told: Told) -> Mirror | None:
    """The mirror that the configuration asks for; ConfigError when its secret cannot be used."""
    if config.store.mirror is None:
        return None
    return Mirror(config, config.store.mirror, room, read_secret(config.store.mirror_secret), told)


def read_secret(file: Path | None) -> bytes | None:
    """The secret in a file, without the space around it; None for no file. ConfigError for one that is no secret."""
    if file is None:
        return None
    try:
        secret = file.read_bytes().strip()
    except OSError as error:
        raise ConfigError("mirror_secret_unreadable", path=file, detail=why(error)) from error
    if len(secret) < SECRET_LENGTH:
        raise ConfigError("mirror_secret_short", path=file, least=SECRET_LENGTH)
    return secret


class Mirror:
    """One a process, beside the journal. `attach` is what the journal's thread must run between two commits."""

    def __init__(self, config: Config, folder: Path, room: str, secret: bytes | None, told: Told) -> None:
        self._config = config
        self._folder = folder
        self._room = room
        self._secret = secret
        self._told = told
        self._lock = threading.Condition()
        self._queue: deque[Batch] = deque()
        self._queued = 0
        self._attached = False
        self._good = False
        self._reason: str | None = "mirror_catching_up"
        self._alarmed = False
        self._lacking = 0
        self._written = time.monotonic()
        self._attach: Callable[[Callable[[bytes], None]], None] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)

    def start(self, attach: Callable[[Callable[[bytes], None]], None]) -> None:
        """`attach(take)` calls `take` with answers.db between two commits; the next commit is offered here."""
        self._attach = attach
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        with self._lock:
            self._lock.notify_all()
        if self._thread.ident is not None:
            self._thread.join(2 * DEADLINE_S)

    # ---- asked by the journal and the keeper

    def offer(self, pages: dict[int, bytes], count: int) -> Batch | None:
        """Take over what was just committed. The batch to wait for, or None when the mirror does not count now.

        A mirror that counted until now and is silent, or too far behind, is lost with this.
        """
        with self._lock:
            counted = self._good
            if not self._attached:
                return None
            if self._queued > QUEUE_BYTES:
                self._detach()  # too far behind: it will be given the whole difference later
                batch = None
            else:
                batch = Batch(pages, count)
                self._queue.append(batch)
                self._queued += sum(map(len, pages.values()))
                self._lock.notify()
                if counted and self._fresh():
                    return batch
        if counted:
            self._lose("mirror_slow")
        return None

    def wait(self, batch: Batch) -> bool:
        """Whether the batch is on the mirror within the deadline; if not, the mirror is lost."""
        end = time.monotonic() + DEADLINE_S
        while not batch.done.wait(STEP_S):
            if not self._good:
                return False  # lost meanwhile, for another reason
            if time.monotonic() > end:
                self._lose("mirror_slow")
                return False
        return True

    def miss(self) -> None:
        """A commit did not get here: the mirror lacks it until it has been given the whole difference."""
        with self._lock:
            self._detach()
        self._lose("mirror_failed")

    def state(self) -> tuple[str, str | None]:
        """("ok" or "degraded", the reason's code), for the status; notices a mirror that has fallen silent."""
        with self._lock:
            silent = not self._alarmed and not self._fresh()
        if silent:
            self._lose("mirror_slow")
        with self._lock:
            if not self._good:
                return "degraded", self._reason
            return ("degraded", "mirror_incomplete") if self._lacking else ("ok", None)

    def _detach(self) -> None:
        self._attached = False
        self._queue.clear()
        self._queued = 0

    def _fresh(self) -> bool:
        return time.monotonic() - self._written < DEADLINE_S

    def _lose(self, reason: str) -> None:
        with self._lock:
            self._good, self._reason = False, reason
            told, self._alarmed = self._alarmed, True
        if not told:
            log.error("the mirror is lost: %s", reason)
            self._told("mirror_lost", {"reason": reason})

    def win(self) -> None:
        with self._lock:
            if self._queue or not self._attached:
                return
            self._good, self._reason = True, None
            told, self._alarmed = self._alarmed, False
        if told:
            log.warning("the mirror is back")
            self._told("mirror_back", {})

    # ---- the mirror's own thread

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                Writing(self, self._config.paths, self._folder, self._room, self._secret).serve(self._stop)
            except SameDisk:
                self._lose("mirror_same_disk")
            except OSError as error:
                self._lose("mirror_full" if error.errno == errno.ENOSPC else "mirror_failed")
                log.warning("the mirror failed and will be tried again: %s", error)
            except Exception:
                log.exception("the mirror failed and will be tried again")
                self._lose("mirror_failed")
            with self._lock:
                self._detach()
            self._stop.wait(RETRY_S)

    def fetch(self) -> bytes:
        """The bytes of answers.db between two commits; from then on every commit is offered."""
        found: list[bytes] = []

        def take(whole: bytes) -> None:
            found.append(whole)
            with self._lock:
                self._attached = True
                self._queue.clear()
                self._queued = 0

        assert self._attach is not None  # noqa: S101 - `start` has set it
        self._attach(take)
        return found[0]

    def waiting(self, seconds: float) -> list[Batch]:
        """What is to be written now; waits up to `seconds` for something."""
        with self._lock:
            if not self._queue:
                self._lock.wait(seconds)
            found = list(self._queue)
            self._queue.clear()
            self._queued = 0
            return found

    def attached(self) -> bool:
        with self._lock:
            return self._attached

    def on_device(self, medium: int, state: int) -> None:
        """Which devices medium and state are on. SameDisk when it is one and the configuration does not want that."""
        if medium == state and not self._config.store.mirror_same_disk:
            raise SameDisk(f"{self._folder} is on the disk of the room itself")

    def lacks(self, files: int) -> None:
        """How many files the mirror is without because they cannot be read here."""
        before, self._lacking = self._lacking, files
        if files and not before:
            self._told("mirror_incomplete", {"files": files})

    def heard(self) -> None:
        """The medium has just confirmed a write."""
        self._written = time.monotonic()
