"""The evdev backend against a stand-in of python-evdev's interface; it has never run on a device.

The stand-in has what the backend uses, with the behaviour read in python-evdev 1.9: `InputDevice(path)` raises OSError
when the node cannot be opened; `.fd` can be polled; `.grab()` raises OSError (EBUSY) when another holds the device;
`.read()` is a generator of events with sec, usec, type, code and value, raising BlockingIOError when there are none and
OSError (ENODEV) once the device is unplugged; `.close()` may be called twice. Its events travel through a real pipe.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import ClassVar

import pytest

from edge import clock
from edge.config import Badge as Options
from edge.hardware.badge import BadgeReader, ReaderState, evdevice, open_reader
from edge.hardware.badge.records import EV_SYN, RECORD, SYN_DROPPED
from edge.hardware.badge.simulator import press_keys

NODE = "/dev/input/by-id/usb-reader-event-kbd"
GAP_MS = 60


@dataclass
class Record:
    sec: int
    usec: int
    type: int
    code: int
    value: int


@dataclass
class Port:
    """A socket on the machine: what is plugged in, and how it behaves."""

    plugged: bool = True
    refuse_open: int = 0
    refuse_grab: int = 0
    grabbed: int = 0
    open_devices: list[InputDevice] = field(default_factory=list)

    def type_in(self, data: bytes) -> None:
        for device in self.open_devices:
            os.write(device.far_end, data)

    def unplug(self) -> None:
        self.plugged = False
        for device in self.open_devices:
            os.write(device.far_end, b"\0" * RECORD.size)  # poll reports something; read then fails


class InputDevice:
    port: ClassVar[Port]

    def __init__(self, path: str) -> None:
        self.fd = -1
        assert path == NODE
        if self.port.refuse_open:
            raise OSError(self.port.refuse_open, os.strerror(self.port.refuse_open))
        if not self.port.plugged:
            raise FileNotFoundError(errno.ENOENT, "no such device", path)
        self.fd, self.far_end = os.pipe()
        os.set_blocking(self.fd, False)
        self.port.open_devices.append(self)

    def grab(self) -> None:
        if self.port.refuse_grab:
            raise OSError(self.port.refuse_grab, os.strerror(self.port.refuse_grab))
        self.port.grabbed += 1

    def read(self) -> Iterator[Record]:
        if not self.port.plugged:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        for fields in RECORD.iter_unpack(os.read(self.fd, RECORD.size * 64)):
            yield Record(*fields)

    def close(self) -> None:
        if self.fd > -1:
            self.port.open_devices.remove(self)
            os.close(self.far_end)
            os.close(self.fd)
            self.fd = -1


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Port:
    module = ModuleType("evdev")
    InputDevice.port = Port()
    module.InputDevice = InputDevice  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "evdev", module)
    monkeypatch.setattr(evdevice, "_RETRY_MS", 30)
    return InputDevice.port


@pytest.fixture
def reader(port: Port) -> Iterator[BadgeReader]:
    found = open_reader(options())
    yield found
    found.close()
    assert port.open_devices == []


def options() -> Options:
    return Options(backend="evdev", device=NODE, gap_ms=GAP_MS, debounce_ms=0)


def later() -> int:
    """A time at which a new frame cannot be the tail of an older one."""
    return clock.mono_ms() + 10 * GAP_MS


def told(reader: BadgeReader, timeout_s: float = 0.2) -> list[str | None]:
    return [one.badge or one.reason for one in reader.poll(timeout_s)]


def test_a_grabbed_device_reads_taps(reader: BadgeReader, port: Port) -> None:
    assert reader.state() == ReaderState(True)
    assert port.grabbed == 1
    assert told(reader, 0.01) == []
    port.type_in(press_keys("AB123", later()))
    assert told(reader) == ["AB123"]
    port.type_in(press_keys("4711", later()))
    assert told(reader) == ["4711"]


def test_what_was_being_typed_when_it_was_opened_is_nobody(reader: BadgeReader, port: Port) -> None:
    port.type_in(press_keys("12345678", clock.mono_ms())[-12 * RECORD.size :])
    assert told(reader) == ["badge_frame_cut"]


def test_events_that_the_kernel_dropped_break_the_frame(reader: BadgeReader, port: Port) -> None:
    assert told(reader, 0.01) == []
    port.type_in(press_keys("1234", later())[: 8 * RECORD.size])
    port.type_in(RECORD.pack(0, 0, EV_SYN, SYN_DROPPED, 0))
    assert told(reader, 0.3) == ["badge_frame_broken"]


def test_unplugged_in_mid_tap_and_plugged_in_again(reader: BadgeReader, port: Port) -> None:
    assert told(reader, 0.01) == []
    port.type_in(press_keys("12345678", later())[: 10 * RECORD.size])
    assert told(reader, 0.01) == []
    port.unplug()
    assert told(reader) == ["badge_frame_cut"]
    assert reader.state() == ReaderState(False, "reader_lost")
    start = time.monotonic()
    assert told(reader, 0.1) == []
    assert time.monotonic() - start >= 0.09
    assert reader.state() == ReaderState(False, "reader_lost")
    port.plugged = True
    assert told(reader, 0.1) == []
    assert reader.state() == ReaderState(True)
    assert port.grabbed == 2
    port.type_in(press_keys("4711", later()))
    assert told(reader) == ["4711"]


@pytest.mark.parametrize(
    ("number", "at_grab", "reason"),
    [
        (errno.ENOENT, False, "reader_missing"),
        (errno.ENXIO, False, "reader_missing"),
        (errno.EACCES, False, "reader_denied"),
        (errno.EBUSY, True, "reader_busy"),
    ],
)
def test_each_way_of_not_being_there_is_a_state(port: Port, number: int, at_grab: bool, reason: str) -> None:
    if at_grab:
        port.refuse_grab = number
    else:
        port.refuse_open = number
    reader = open_reader(options())
    assert reader.state() == ReaderState(False, reason)
    assert port.open_devices == []
    assert told(reader, 0.05) == []
    port.refuse_grab = port.refuse_open = 0
    assert told(reader, 0.1) == []
    assert reader.state() == ReaderState(True)
    reader.close()
    reader.close()


def test_without_the_package_it_is_a_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "evdev", None)
    reader = open_reader(options())
    assert reader.state() == ReaderState(False, "reader_driver")
    assert reader.poll(0.01) == []
    reader.close()
