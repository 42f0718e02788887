"""`examroom rehearse --join`: candidates at another machine, in the rehearsal that runs on the box.

They hand in when all others do: the box stops the exam's clock for a moment, and one of them asks often enough to see
it. The box holds the store against what was acknowledged to them (`tally.out_of_order`); how long they waited is told
here, and held against the same limits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import requests

from edge.domain.rehearsal import Limits, Measured, percentile, shortcomings
from edge.errors import Unavailable
from edge.ops.rehearsal.run import SETTLE_S, Crowd, Plan, milliseconds

REACH_S = 15.0
LOOK_S = 0.1


def take_part(
    url: str, codes: list[str], plan: Plan, limits: Limits, stage: Callable[[str], Any]
) -> tuple[list[str], dict[str, Any], list[str]]:
    """Sit at the seats of `codes`: (reason codes of what was not good enough, figures, problems).

    Unavailable `rehearsal_not_reached` or `rehearsal_no_signal` when the box does not answer, or never calls for the
    hand-in.
    """
    _reach(url)
    crowd = Crowd(url, codes, plan)
    heard = crowd.heard
    try:
        with stage("answer 作答") as tick:
            crowd.start()
            wanted = len(codes) * plan.answers
            # the box waits for all seats, then for the answers of the slowest
            _await_sign(url, crowd, 2 * SETTLE_S + 2 * plan.seconds, lambda: tick(len(heard.saves) / wanted, ""))
        with stage("hand in together 同时交卷"):
            crowd.hand_in()
            crowd.wait(SETTLE_S)
    finally:
        crowd.stop()
    load, save, handin = (percentile(found, 0.99) for found in (heard.loads, heard.saves, heard.handins))
    measured = Measured(len(heard.saves), 0, 0, 0, len(codes) - heard.finished, load, save, handin)
    figures = {"clients": len(codes), "saves": len(heard.saves), "finished": heard.finished, "retries": heard.retries}
    for name, found in (("", heard.saves), ("load_", heard.loads), ("handin_", heard.handins)):
        figures |= {f"{name}p{share}_ms": milliseconds(found, share / 100) for share in (50, 95, 99)}  # type: ignore[misc]
    return shortcomings(measured, limits), figures, heard.problems


def _reach(url: str) -> None:
    end = time.monotonic() + REACH_S
    while time.monotonic() < end:
        with suppress(requests.RequestException):
            if requests.get(f"{url}/healthz", timeout=5).ok:
                return
        time.sleep(0.5)
    raise Unavailable("rehearsal_not_reached", url=url)


def _await_sign(url: str, crowd: Crowd, seconds: float, tick: Callable[[], None]) -> None:
    """Until the clock has been stopped and goes on, after all here have answered, or nobody here is left."""
    end = time.monotonic() + seconds
    stopped = False
    while crowd.working():
        if time.monotonic() > end:
            raise Unavailable("rehearsal_no_signal", url=url, seconds=round(seconds))
        tick()
        time.sleep(LOOK_S)
        if crowd.heard.answered >= crowd.working():
            crowd.first.look_at_the_clock()
            state = crowd.first.clock.get("s")
            if stopped and state != "paused":
                return
            stopped = state == "paused"
