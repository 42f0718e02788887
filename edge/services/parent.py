"""A service that `examroom run` has started ends with it, however that ended: no stray reader, no second uplink.

    python -m edge.services.parent PID COMMAND ...

becomes COMMAND, which SIGTERM ends when the process PID that started it does.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

SUPERVISED = "EXAMROOM_SUPERVISED_BY"
_PR_SET_PDEATHSIG = 1


def end_with_parent(number: signal.Signals) -> None:
    """Ask the kernel for signal `number` when the process that started this one dies (prctl(2))."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, number)


def follow_supervisor() -> None:
    """Under a supervisor, end when it does; a supervisor that is gone already counts as just gone."""
    supervisor = os.environ.get(SUPERVISED)
    if supervisor is not None:
        end_with_parent(signal.SIGTERM)
        if os.getppid() != int(supervisor):
            os.kill(os.getpid(), signal.SIGTERM)


def become(parent: int, command: list[str]) -> None:
    """Run `command` in place of this process, to end with `parent`; exit 1 where that is gone already."""
    end_with_parent(signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - there is no shell, and none is wanted


if __name__ == "__main__":
    become(int(sys.argv[1]), sys.argv[2:])
