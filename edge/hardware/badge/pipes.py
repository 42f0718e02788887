"""Named pipes as stand-ins for hardware: the reading end that outlives its writers, the writing end that cannot hang.

The panel's simulated button uses these too.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import stat
import time
from contextlib import suppress
from pathlib import Path

from edge.errors import Unavailable

_RETRY_S = 0.005


def open_to_read(path: Path) -> int:
    """A descriptor on the pipe at `path`, made (mode 0600) when absent; never blocks.

    OSError when it cannot be made, or something else stands there. While no writer has come, polling it reports
    nothing; after the last has gone it reports the end without cease, and the reader opens it anew.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # another process was quicker: what stands there is looked at below
            os.mkfifo(path, 0o600)
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    if not is_pipe(descriptor):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not a named pipe", str(path))
    return descriptor


def is_pipe(descriptor: int) -> bool:
    return stat.S_ISFIFO(os.fstat(descriptor).st_mode)


def is_same_file(descriptor: int, path: Path) -> bool:
    """Whether `path` still names the file behind the descriptor."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False


def write_whole(path: Path, data: bytes, nobody: str, stalled: str, timeout_s: float = 2.0) -> None:
    """Write all of `data` to the pipe, unmixed with other writers' (they take turns by `flock`).

    Unavailable with the code `nobody` when there is no pipe or no reader, with `stalled` when the reader does not take
    it within `timeout_s`. Both codes have a {path}.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError as error:
        raise Unavailable(nobody, path=path) from error
    try:
        if not is_pipe(descriptor):
            raise Unavailable(nobody, path=path)
        deadline = time.monotonic() + timeout_s
        _lock(descriptor, path, deadline, stalled)
        _push(descriptor, path, data, deadline, stalled)
    except BrokenPipeError as error:
        raise Unavailable(nobody, path=path) from error
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path, deadline: float, stalled: str) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= deadline:
                raise Unavailable(stalled, path=path) from error
            time.sleep(_RETRY_S)


def _push(descriptor: int, path: Path, data: bytes, deadline: float, stalled: str) -> None:
    room = select.poll()
    room.register(descriptor, select.POLLOUT)
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError as error:
            left = deadline - time.monotonic()
            if left <= 0:
                raise Unavailable(stalled, path=path) from error
            room.poll(left * 1000)
