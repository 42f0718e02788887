"""Writing to the second medium: one spell, from opening it to its failure. See `edge.exam.mirror` for what and why."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from edge import clock
from edge.config import Paths
from edge.exam.mirroraside import Aside
from edge.store.follow import PORTION_BYTES
from edge.store.mirrorlog import Kind, LogWriter, generations
from edge.store.pages import Image

BEAT_S = 0.4
LOOK_S = 2.0
RENEW_BYTES = 128 * 1024 * 1024
RENEW_FACTOR = 4
ANSWERS = "answers.db"


class Batch:
    """What one group commit changed, on its way to the mirror."""

    __slots__ = ("count", "done", "pages")

    def __init__(self, pages: dict[int, bytes], count: int) -> None:
        self.pages = pages
        self.count = count
        self.done = threading.Event()


class Owner(Protocol):
    """What the writing asks of the mirror it writes for."""

    def fetch(self) -> bytes: ...

    def waiting(self, seconds: float) -> list[Batch]: ...

    def attached(self) -> bool: ...

    def heard(self) -> None: ...

    def win(self) -> None: ...

    def lacks(self, files: int) -> None: ...

    def on_device(self, medium: int, state: int) -> None: ...


class Writing:
    """One spell of writing to the medium: from opening it to its failure."""

    def __init__(self, mirror: Owner, paths: Paths, folder: Path, room: str, secret: bytes | None) -> None:
        self._mirror = mirror
        self._paths = paths
        self._folder = folder
        self._room_id = room
        self._secret = secret
        self._answers = Image()
        self._log: LogWriter | None = None
        self._aside: Aside | None = None
        self._next: LogWriter | None = None
        self._next_aside: Aside | None = None
        self._base: Iterator[bytes] = iter(())
        self._base_bytes = 0
        self._later: deque[bytes] = deque()
        self._beat = self._looked = -LOOK_S

    def serve(self, stop: threading.Event) -> None:
        """Write what comes until `stop`; OSError when the medium fails."""
        try:
            self._need_device(_device(self._folder))
            self._answers.differ(self._mirror.fetch())
            self._renew()
            busy = True
            while not stop.is_set():
                busy = self._turn(0.0 if busy else BEAT_S / 2)
        finally:
            for aside in (self._aside, self._next_aside):
                if aside is not None:
                    aside.close()
            for one in (self._log, self._next):
                if one is not None:
                    with suppress(OSError):
                        one.close()
            if self._next is not None:
                with suppress(OSError):
                    self._next.path.unlink()

    def _turn(self, wait_s: float) -> bool:
        """Answers, then at most one portion of anything else; whether there is likely to be another one."""
        batches = self._mirror.waiting(wait_s)
        if self._mirror.attached():
            for batch in batches:
                self._add_answers(self._answers.change(batch.pages, batch.count))
        else:  # what the batches hold is in what is fetched, and they are older
            self._add_answers(self._answers.differ(self._mirror.fetch()))
        now = time.monotonic()
        beat = now - self._beat >= BEAT_S
        if beat or batches:
            self._beat = now
            if self._log is not None:
                self._log.add(Kind.MARK, "", json.dumps({"wall_ms": clock.wall_ms()}).encode())
                self._sync(self._log)
        for batch in batches:
            batch.done.set()
        busy = self._follow()
        if self._next is not None:
            busy = self._go_on(self._next, beat) or busy
        elif self._log is not None:
            self._mirror.win()
            purged = self._aside is not None and self._aside.purged
            if purged or self._log.size > max(RENEW_BYTES, RENEW_FACTOR * self._base_bytes):
                self._renew()
        return busy

    def _add_answers(self, patch: bytes) -> None:
        if patch and self._log is not None:
            self._log.add(Kind.PATCH, ANSWERS, patch)
        if patch and self._next is not None:
            self._later.append(patch)

    def _sync(self, one: LogWriter) -> None:
        one.sync()
        self._mirror.heard()

    def _follow(self) -> bool:
        """One portion of what is not answers, if there is one."""
        if self._log is None or self._aside is None:
            return False
        now = time.monotonic()
        if now - self._looked >= LOOK_S:
            self._looked = now
            self._need_device(self._log.need_name())
            self._mirror.lacks(len(self._aside.skipped))
        if (portion := self._aside.take()) is None:
            return False
        if portion.kind is not Kind.WHOLE:
            self._log.add(*portion)
            self._sync(self._log)
        return True

    def _need_device(self, medium: int) -> None:
        self._mirror.on_device(medium, self._paths.state.stat().st_dev)

    # ---- a new generation, written beside the old one while that goes on

    def _renew(self) -> None:
        self._next = LogWriter(self._folder, self._room_id, self._secret)
        self._next_aside = Aside(self._paths)
        self._later.clear()
        self._base = self._answers.slices()

    def _go_on(self, new: LogWriter, beat: bool) -> bool:
        """One portion more, if there is one; when all is there, the new generation takes the old one's place."""
        assert self._next_aside is not None  # noqa: S101 - made together
        self._need_device(new.need_name())
        if (patch := next(self._base, None)) is not None:
            new.add(Kind.PATCH, ANSWERS, patch)
        elif self._later:
            self._catch_up(new, PORTION_BYTES)
        elif (portion := self._next_aside.take()) is None:
            if beat and self._log is None:
                self._sync(new)
            return False
        elif portion.kind is Kind.WHOLE:
            self._take_over(new, self._next_aside)
            return True
        else:
            new.add(*portion)
        new.sync()
        if self._log is None:
            self._mirror.heard()
        return True

    def _catch_up(self, new: LogWriter, upto: int) -> None:
        end = new.size + upto
        while self._later and new.size < end:
            new.add(Kind.PATCH, ANSWERS, self._later.popleft())

    def _take_over(self, new: LogWriter, aside: Aside) -> None:
        new.add(Kind.MARK, "", json.dumps({"wall_ms": clock.wall_ms()}).encode())
        new.add(Kind.WHOLE)
        new.sync()
        new.sync_folder()
        old, self._log, self._next = self._log, new, None
        old_aside, self._aside, self._next_aside = self._aside, aside, None
        self._base_bytes = new.size
        if old_aside is not None:
            old_aside.close()
        if old is not None:
            old.close()
        for file in generations(self._folder):
            if file != new.path:
                file.unlink()
        self._mirror.heard()


def _device(folder: Path) -> int:
    """Of the folder, or of the nearest one above it that there is."""
    while not folder.exists():
        folder = folder.parent
    return folder.stat().st_dev
