"""Waiting for the network: results and errors come through, and being told to stop is heard at once."""

from __future__ import annotations

import threading
import time

import pytest

from edge.errors import Unavailable
from edge.uplink.patience import wait_for


def test_results_and_errors_come_through() -> None:
    stop = threading.Event()
    assert wait_for(lambda: 7, stop) == 7

    def fail() -> int:
        raise ZeroDivisionError("x")

    with pytest.raises(ZeroDivisionError):
        wait_for(fail, stop)


def test_stop_is_heard_and_the_waiting_service_shows_life() -> None:
    stop, release = threading.Event(), threading.Event()
    beats: list[float] = []
    threading.Timer(0.5, stop.set).start()
    begun = time.monotonic()
    with pytest.raises(Unavailable) as error:
        wait_for(lambda: release.wait(30), stop, lambda: beats.append(time.monotonic()))
    assert error.value.code == "uplink_stopping"
    assert time.monotonic() - begun < 2
    assert len(beats) >= 2
    release.set()
