"""Work that may outlast a request: it goes on aside, once for each name; whoever asks again hears what became of it.

What a process was at when it ended is begun again by the next one that asks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

WAIT_S = 2.0
"""So long a request waits for it: most files are small. A room itself waits ten seconds by default."""
_AT_A_TIME = threading.Semaphore(2)
_lock = threading.Lock()


@dataclass(eq=False)
class _Work:
    done: threading.Event = field(default_factory=threading.Event)
    error: BaseException | None = None


_going_on: dict[Hashable, _Work] = {}


def finished(name: Hashable, work: Callable[[], None]) -> bool:
    """Whether `work` is done, within `WAIT_S`; it is begun where nobody is at it. Raises what it raised, once."""
    with _lock:
        found = _going_on.get(name)
        if found is None:
            found = _going_on[name] = _Work()
            threading.Thread(target=_run, args=(name, found, work), name="joining", daemon=True).start()
    found.done.wait(WAIT_S)
    return _heard(name, found)


def is_going_on(name: Hashable) -> bool:
    """Whether somebody is at it. Raises what it raised, where nobody has heard that yet."""
    with _lock:
        found = _going_on.get(name)
    return found is not None and not _heard(name, found)


def _run(name: Hashable, work: _Work, what: Callable[[], None]) -> None:
    try:
        with _AT_A_TIME:
            what()
    except BaseException as error:  # handed to who asks next, which raises it
        work.error = error
    else:
        _forget(name, work)
    finally:
        work.done.set()


def _heard(name: Hashable, work: _Work) -> bool:
    if not work.done.is_set():
        return False
    if work.error is not None:
        _forget(name, work)
        raise work.error
    return True


def _forget(name: Hashable, work: _Work) -> None:
    with _lock:
        if _going_on.get(name) is work:
            del _going_on[name]
