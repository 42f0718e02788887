"""A rehearsal asked for at the console: `web` writes down what is wanted, and a process of its own takes it up.

`web` may not hold one itself: it is pinned to one core and bounded by its unit, and so would be what it measures. The
supervisor of a desk, or systemd on the box (examroom-rehearse.path), sees the request and starts
`examroom rehearse --requested`. All of it lies in the runtime folder, and is gone with a reboot.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, TextIO

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge import clock
from edge.domain.rehearsal import LEAST_ANSWERS, MOST, SLOWEST_PACE_MS
from edge.errors import Conflict

REQUEST, STOP, LOCK = "rehearse.request", "rehearse.stop", "rehearse.lock"
TAKEN_MS = 15_000
"""A request that nobody has taken after this is said to be left lying; Python starts slowly on a cold card."""
STALE_MS = 60_000
"""One older than this is not taken any more: whoever asked has gone on to something else."""
GONE_MS = 15_000
"""One that has said nothing for this long is not running any more; it speaks each second."""


class Wanted(BaseModel):
    """What is asked for: by whom, for which session, how many candidates. `mono_ms`: when.

    Without a session it is held for the next planned one, or with the sample bank where there is none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    session: str | None = None
    candidates: Annotated[int, Field(ge=1, le=MOST)]
    by: str
    mono_ms: int
    answers: Annotated[int, Field(ge=1, le=500)] = LEAST_ANSWERS
    pace_ms: Annotated[int, Field(ge=50, le=600_000)] = SLOWEST_PACE_MS

    @property
    def age_ms(self) -> int:
        return clock.mono_ms() - self.mono_ms


def ask(runtime: Path, wanted: Wanted) -> None:
    """Leave the request for whoever takes it, whole or not at all. OSError where it cannot be written."""
    runtime.mkdir(parents=True, exist_ok=True)
    _write(runtime / REQUEST, wanted.model_dump_json())


def waiting(runtime: Path) -> Wanted | None:
    """The request that nobody has taken yet."""
    return _read(runtime / REQUEST)


def take(runtime: Path) -> Wanted | None:
    """The request, removed before anything is done about it, so that it never starts two; None for an old one."""
    taken = runtime / f"{REQUEST}.taken"
    try:
        (runtime / REQUEST).replace(taken)
    except FileNotFoundError:
        return None
    wanted = _read(taken)
    taken.unlink()
    return wanted if wanted is not None and 0 <= wanted.age_ms < STALE_MS else None


def withdraw(runtime: Path, session: str) -> bool:
    """Remove this session's request; False when it is taken already, or was never there."""
    wanted = waiting(runtime)
    if wanted is None or wanted.session != session:
        return False
    try:
        (runtime / REQUEST).unlink()
    except FileNotFoundError:
        return False
    return True


def running(status: Mapping[str, Any]) -> bool:
    """Whether a rehearsal that says `status` of itself is at work."""
    return status.get("state") == "running" and 0 <= clock.mono_ms() - int(status.get("mono_ms", -GONE_MS)) < GONE_MS


def stop(runtime: Path, pid: int) -> None:
    """Ask the rehearsal of this process id to end. OSError where that cannot be written."""
    _write(runtime / STOP, str(pid))


def stop_wanted(runtime: Path, pid: int) -> bool:
    with suppress(OSError):
        return (runtime / STOP).read_text() == str(pid)
    return False


def hold(runtime: Path) -> TextIO | None:
    """Be the one rehearsal of this room for as long as the file is open. Conflict while there is another.

    None where there can be no runtime folder: no service runs there, and nobody asks.
    """
    try:
        runtime.mkdir(parents=True, exist_ok=True)
        file = (runtime / LOCK).open("a")
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise Conflict("rehearsal_running") from None
    (runtime / STOP).unlink(missing_ok=True)
    return file


def _read(file: Path) -> Wanted | None:
    try:
        return Wanted.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None


def _write(file: Path, content: str) -> None:
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    part.write_text(content)
    part.replace(file)
