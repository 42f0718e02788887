"""The `events` backend: raw input records from a named pipe, which this end makes and keeps."""

from __future__ import annotations

import os
import select
import time
from pathlib import Path

from edge import clock
from edge.domain.badges import KeyEvent
from edge.hardware.badge import ReaderState
from edge.hardware.badge.pipes import is_same_file, open_to_read
from edge.hardware.badge.records import RECORD, Mark, RecordStream

_CHUNK = RECORD.size * 256
_RETRY_MS = 500


class FifoSource:
    """A pipe at `path`. `quiet_ms`: silence after which half a record or garbage is given up."""

    def __init__(self, path: Path, quiet_ms: int) -> None:
        self._path, self._quiet_ms = path, quiet_ms
        self._stream = RecordStream()
        self._pipe: int | None = None
        self._seen = False
        self._closed = False
        self._state = ReaderState(False, "reader_missing")
        self._data_ms = self._retry_ms = clock.mono_ms()
        self._open()

    def state(self) -> ReaderState:
        return self._state

    def read(self, timeout_s: float) -> list[KeyEvent | Mark]:
        if self._pipe is not None and not is_same_file(self._pipe, self._path):
            self._drop()
            self._open()
            return [Mark.ENDED]
        if self._pipe is None and not self._reopen(timeout_s):
            return []
        return self._wait(self._pipe, timeout_s) if self._pipe is not None else []

    def close(self) -> None:
        self._drop()
        self._closed = True
        self._state = ReaderState(False, "reader_missing")

    def _wait(self, pipe: int, timeout_s: float) -> list[KeyEvent | Mark]:
        ready = select.poll()
        ready.register(pipe, select.POLLIN)
        wait_ms = timeout_s * 1000
        if self._stream.unsettled:
            wait_ms = min(wait_ms, self._quiet_ms)
        if ready.poll(wait_ms):
            try:
                data = os.read(pipe, _CHUNK)
            except BlockingIOError:
                return []
            if not data:
                return self._renew(pipe)
            self._data_ms = clock.mono_ms()
            return self._stream.feed(data)
        if self._stream.unsettled and clock.mono_ms() - self._data_ms >= self._quiet_ms:
            return self._stream.quiet()
        return []

    def _renew(self, old: int) -> list[KeyEvent | Mark]:
        """The last writer has gone. The new end is opened before the old one is closed, so that no writer ever finds
        the pipe without a reader."""
        self._stream.reset()
        self._pipe = None
        self._open()
        os.close(old)
        return [Mark.ENDED]

    def _reopen(self, timeout_s: float) -> bool:
        """Try again when it is time to; whether there is a pipe now."""
        pause_s = timeout_s + 1 if self._closed else max(0.0, (self._retry_ms - clock.mono_ms()) / 1000)
        time.sleep(min(timeout_s, pause_s))
        if pause_s > timeout_s:
            return False
        self._open()
        return self._pipe is not None

    def _open(self) -> None:
        try:
            self._pipe = open_to_read(self._path)
        except OSError as error:
            missing = "reader_lost" if self._seen else "reader_missing"
            self._state = ReaderState(False, "reader_denied" if isinstance(error, PermissionError) else missing)
            self._retry_ms = clock.mono_ms() + _RETRY_MS
            return
        self._seen = True
        self._state = ReaderState(True)

    def _drop(self) -> None:
        self._stream.reset()
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None
