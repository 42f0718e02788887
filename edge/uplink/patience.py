"""Waiting for the network without being held by it: the call runs aside, and whoever waits may be told to stop.

A name look-up or a TLS handshake cannot be interrupted in Python, so a call that is no longer waited for is left to
its own time limits in a daemon thread. Nothing that touches the store may run there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from edge.errors import Unavailable

T = TypeVar("T")
_LOOK_SECONDS = 0.1


def wait_for(
    call: Callable[[], T], stop: threading.Event, beat: Callable[[], None] = lambda: None, name: str = "network"
) -> T:
    """The result of `call`, or its exception. Unavailable `uplink_stopping` as soon as `stop` is set.

    `beat` is called several times a second meanwhile, to show that the waiting service lives.
    """
    done = threading.Event()
    results: list[T] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            results.append(call())
        except BaseException as error:  # handed to the waiting thread, which raises it
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name=name, daemon=True).start()
    while not done.wait(_LOOK_SECONDS):
        if stop.is_set():
            raise Unavailable("uplink_stopping")
        beat()
    if errors:
        raise errors[0]
    return results[0]
