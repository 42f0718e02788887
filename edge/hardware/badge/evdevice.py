"""The `evdev` backend: a keyboard wedge through its device node, best named by its link in /dev/input/by-id.

The device is grabbed: what a card types goes nowhere else, above all not to a console. Unplugged and plugged in again,
it is opened anew. Written to the interface of python-evdev 1.9; tried with a stand-in of it, never yet on a device.
"""

from __future__ import annotations

import errno
import fcntl
import importlib
import select
import struct
import time
from contextlib import suppress
from typing import Any

from edge import clock
from edge.domain.badges import KeyEvent
from edge.hardware.badge import ReaderState
from edge.hardware.badge.records import Mark, interpret

_RETRY_MS = 1000
# _IOW('E', 0xa0, int) of linux/input.h: the clock of the records' times.
_EVIOCSCLOCKID = 0x400445A0


class EvdevSource:
    """The input device at the path `device`, present or not."""

    def __init__(self, device: str) -> None:
        self._path = device
        self._device: Any = None
        self._seen = False
        self._closed = False
        self._state = ReaderState(False, "reader_missing")
        self._retry_ms = clock.mono_ms()
        self._opened = self._open()

    def state(self) -> ReaderState:
        return self._state

    def read(self, timeout_s: float) -> list[KeyEvent | Mark]:
        if self._device is None and not self._reopen(timeout_s):
            return []
        if self._opened:
            self._opened = False
            return [Mark.OPENED]
        try:
            return self._wait(timeout_s)
        except OSError:  # ENODEV: unplugged
            self._lose("reader_lost")
            return [Mark.ENDED]

    def close(self) -> None:
        self._closed = True
        self._lose("reader_missing")

    def _wait(self, timeout_s: float) -> list[KeyEvent | Mark]:
        ready = select.poll()
        ready.register(self._device.fd, select.POLLIN)
        if not ready.poll(timeout_s * 1000):
            return []
        try:
            records = list(self._device.read())
        except BlockingIOError:
            return []
        events = (interpret(one.sec, one.usec, one.type, one.code, one.value) for one in records)
        return [event for event in events if event is not None]

    def _reopen(self, timeout_s: float) -> bool:
        """Try again when it is time to; whether there is a device now."""
        pause_s = timeout_s + 1 if self._closed else max(0.0, (self._retry_ms - clock.mono_ms()) / 1000)
        time.sleep(min(timeout_s, pause_s))
        if pause_s > timeout_s:
            return False
        self._opened = self._open()
        return self._opened

    def _open(self) -> bool:
        self._retry_ms = clock.mono_ms() + _RETRY_MS
        try:
            evdev = importlib.import_module("evdev")
        except ImportError:
            self._state = ReaderState(False, "reader_driver")
            return False
        try:
            self._device = evdev.InputDevice(self._path)
            # Times that no clock step disturbs, comparable with ours; without it only a tap during a step suffers.
            with suppress(OSError):
                fcntl.ioctl(self._device.fd, _EVIOCSCLOCKID, struct.pack("i", time.CLOCK_BOOTTIME))
            self._device.grab()
        except OSError as error:
            self._lose(_reason(error, self._seen))
            return False
        self._seen = True
        self._state = ReaderState(True)
        return True

    def _lose(self, reason: str) -> None:
        device, self._device = self._device, None
        if device is not None:
            with suppress(OSError):  # the node may be gone
                device.close()
        self._state = ReaderState(False, reason)
        self._retry_ms = clock.mono_ms() + _RETRY_MS


def _reason(error: OSError, seen: bool) -> str:
    if error.errno in (errno.EACCES, errno.EPERM):
        return "reader_denied"
    if error.errno == errno.EBUSY:
        return "reader_busy"
    return "reader_lost" if seen else "reader_missing"
