"""A service that `examroom run` has started ends with it, however that ended: no stray reader, no second uplink."""

from __future__ import annotations

import ctypes
import os
import signal

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
