"""The simulated finger: lines `press` and `release` from a named pipe, acted on by a thread, as real edges come."""

from __future__ import annotations

import logging
import os
import select
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from edge.hardware.badge.pipes import open_to_read

_log = logging.getLogger(__name__)
_CHUNK = 4096
_LONGEST_LINE = 64


class ControlPipe:
    """Reads `path` (made when absent) and calls the act that a line names, until `close`.

    OSError when the pipe cannot be made. Lines that name no act are logged and passed over.
    """

    def __init__(self, path: Path, acts: Mapping[str, Callable[[], None]]) -> None:
        self._path, self._acts = path, acts
        self._pipe = open_to_read(path)
        self._wake_read, self._wake_write = os.pipe()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="panel-control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop and wait for the thread; may be called twice."""
        if self._closed:
            return
        self._closed = True
        os.write(self._wake_write, b".")
        self._thread.join()
        for descriptor in (self._wake_read, self._wake_write):
            os.close(descriptor)

    def _run(self) -> None:
        rest = b""
        while True:
            ready = select.poll()
            ready.register(self._pipe, select.POLLIN)
            ready.register(self._wake_read, select.POLLIN)
            if any(descriptor == self._wake_read for descriptor, _ in ready.poll()):
                break
            try:
                data = os.read(self._pipe, _CHUNK)
            except BlockingIOError:
                continue
            if data:
                rest = self._obey(rest + data)
            else:
                rest = b""
                if not self._renew():
                    break
        os.close(self._pipe)

    def _renew(self) -> bool:
        """The last writer has gone: open the new end before closing the old, so that no writer finds nobody."""
        try:
            fresh = open_to_read(self._path)
        except OSError as error:
            _log.warning("the simulated button's pipe is gone: %s", error.strerror)
            return False
        os.close(self._pipe)
        self._pipe = fresh
        return True

    def _obey(self, data: bytes) -> bytes:
        *lines, rest = data.split(b"\n")
        for line in lines:
            act = self._acts.get(line.strip().decode("ascii", "replace"))
            if act is None:
                _log.warning("the simulated button knows no such line (%d bytes)", len(line))
            else:
                act()
        return rest[: _LONGEST_LINE + 1]
