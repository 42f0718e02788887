"""One rehearsal from the first seat code to the count of what is in the store."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.domain.rehearsal import Measured, percentile
from edge.errors import Unavailable
from edge.ops.rehearsal.room import ScratchRoom, begin, open_the_door
from edge.ops.rehearsal.tablet import Candidate, Heard, Pace
from edge.ops.rehearsal.tally import hold_against
from edge.store import journal
from edge.store.db import connect

Tick = Callable[[float, str], None]
KILL_AT = 0.5
DROP_EVERY_S, DROP_S = 20.0, 4.0
SETTLE_S = 120.0


@dataclass(frozen=True)
class Plan:
    """How many candidates sit here, how fast they answer, whether Wi-Fi drops and `web` is killed meanwhile."""

    candidates: int
    answers: int
    pace_s: float
    faults: bool

    @property
    def seconds(self) -> float:
        return self.answers * self.pace_s


def drops(plan: Plan, seed: int) -> tuple[tuple[float, float], ...]:
    """When one candidate's Wi-Fi is away: once in each 20 s, 4 s long, at a moment of its own."""
    if not plan.faults:
        return ()
    chance = random.Random(seed)  # noqa: S311 - when a simulated drop comes is no secret
    rounds = int(plan.seconds // DROP_EVERY_S) + 1
    return tuple((n * DROP_EVERY_S + chance.uniform(0, DROP_EVERY_S - DROP_S), DROP_S) for n in range(rounds))


class Crowd:
    """All candidates of this machine, a thread each."""

    def __init__(self, base: str, codes: Sequence[str], plan: Plan, verify: bool | str = True) -> None:
        self.heard = Heard()
        self._stop = threading.Event()
        self._handin = threading.Event()
        people = [
            Candidate(base, code, Pace(plan.pace_s, plan.answers, drops(plan, n)), self.heard, n, verify)
            for n, code in enumerate(codes)
        ]
        self._threads = [
            threading.Thread(target=who.sit, args=(self._stop, self._handin), daemon=True) for who in people
        ]

    @property
    def size(self) -> int:
        return len(self._threads)

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def hand_in(self) -> None:
        """Everybody at one moment: the worst there is."""
        self._handin.set()

    def working(self) -> int:
        return sum(thread.is_alive() for thread in self._threads)

    def wait(self, seconds: float, tick: Callable[[], None] = lambda: None) -> None:
        """Until all are done; after `seconds` they are told to stop, and what they lack is counted."""
        end = time.monotonic() + seconds
        while self.working() and time.monotonic() < end:
            time.sleep(0.2)
            tick()
        self._stop.set()
        for thread in self._threads:
            thread.join(15)


@dataclass(frozen=True)
class Outcome:
    """What was measured, for the verdict and for people."""

    measured: Measured
    figures: dict[str, Any]
    problems: list[str]


def rehearse(
    room: ScratchRoom, plan: Plan, stage: Callable[[str], Any], elsewhere: int = 0, codes_file: Path | None = None
) -> Outcome:
    """Run `plan` against `room`, whose `web` is running; the last `elsewhere` seat codes are left to other machines."""
    with stage("admit and claim seats 入场、登录") as tick:
        proctor, codes = open_the_door(room)
        here = codes[: len(codes) - elsewhere]
        if codes_file is not None:
            codes_file.write_text("\n".join(codes[len(here) :]) + "\n")
        crowd = Crowd(room.base, here, plan)
        cpu = time.process_time()
        crowd.start()
        _claimed(room, crowd, len(codes), tick)
    with stage("start together, answer 同时开考、作答") as tick:
        used, flushes = room.usage(), room.flushes()
        begin(proctor)
        _answering(room, plan, crowd, tick)
        flushes_after = room.flushes()
    saves = len(crowd.heard.saves)
    with stage("hand in together 同时交卷") as tick:
        crowd.hand_in()
        crowd.wait(SETTLE_S, lambda: tick(crowd.heard.finished / max(1, len(here)), f"{crowd.heard.finished}"))
    cpu = time.process_time() - cpu
    if elsewhere:
        with stage("wait for the others 等其他电脑") as tick:
            _handed_in(room, len(codes), tick)
    with stage("count what is stored 核对") as tick:
        measured = count(room.config.paths.answers_db, crowd.heard, len(here))
    usage = room.usage()
    per_save = None
    if flushes is not None and flushes_after is not None and saves:
        per_save = round((flushes_after - flushes) / saves, 4)
    proctor.close()
    return Outcome(
        measured,
        _figures(crowd.heard, measured, len(here), usage.cpu_s - used.cpu_s, cpu)
        | {"fsyncs_per_save": per_save, "fsyncs_counted_by": "strace" if room.traced else "web"}
        | {"rss_mb": round(usage.rss_mb, 1), "web_starts": room.starts},
        crowd.heard.problems,
    )


def _claimed(room: ScratchRoom, crowd: Crowd, wanted: int, tick: Tick) -> None:
    done = 0
    connection = connect(room.config.paths.answers_db)
    try:
        end = time.monotonic() + SETTLE_S
        while time.monotonic() < end and not crowd.heard.problems:
            done = len(journal.attempts_seen(connection))
            tick(done / wanted, f"{done}/{wanted}")
            if done >= wanted:
                return
            time.sleep(0.2)
    finally:
        connection.close()
    raise Unavailable("rehearsal_not_claimed", wanted=wanted, done=done, detail="; ".join(crowd.heard.problems[:3]))


def _handed_in(room: ScratchRoom, wanted: int, tick: Tick) -> None:
    """The other machines' candidates need this room until they have handed in; not for ever, though."""
    connection = connect(room.config.paths.answers_db)
    try:
        end = time.monotonic() + SETTLE_S
        while (done := len(journal.all_handins(connection))) < wanted and time.monotonic() < end:
            tick(done / wanted, f"{done}/{wanted}")
            time.sleep(0.2)
    finally:
        connection.close()


def _answering(room: ScratchRoom, plan: Plan, crowd: Crowd, tick: Tick) -> None:
    wanted = crowd.size * plan.answers
    start, killed = time.monotonic(), not plan.faults
    while crowd.working():
        passed = time.monotonic() - start
        saves = len(crowd.heard.saves)
        tick(saves / wanted, f"{saves}/{wanted}")
        if not killed and passed >= plan.seconds * KILL_AT:
            killed = True
            room.kill()
        if saves >= wanted or passed > plan.seconds + SETTLE_S:
            return
        time.sleep(0.2)


def count(answers_db: Path, heard: Heard, candidates: int) -> Measured:
    """Hold what was acknowledged against what is in the store."""
    connection = connect(answers_db)
    try:
        wrong = hold_against(connection, heard.told, heard.sent)
    finally:
        connection.close()
    return Measured(
        saves=len(heard.saves),
        lost_acks=wrong.lost,
        doubled=wrong.doubled,
        changed=wrong.changed,
        unfinished=candidates - heard.finished,
        load_p99_ms=percentile(heard.loads, 0.99),
        save_p99_ms=percentile(heard.saves, 0.99),
        handin_p99_ms=percentile(heard.handins, 0.99),
    )


def _figures(heard: Heard, measured: Measured, clients: int, server_s: float, client_s: float) -> dict[str, Any]:
    def ms(values: list[float], share: float) -> float | None:
        found = percentile(values, share)
        return None if found is None else round(found, 1)

    return {
        "clients": clients,
        "saves": measured.saves,
        "lost_acks": measured.lost_acks,
        "doubled": measured.doubled,
        "changed": measured.changed,
        "unfinished": measured.unfinished,
        "retries": heard.retries,
        "p50_ms": ms(heard.saves, 0.5),
        "p95_ms": ms(heard.saves, 0.95),
        "p99_ms": ms(heard.saves, 0.99),
        "page_requests": heard.page_requests,
        "page_kb": round(heard.page_bytes / 1000),
        "open_p50_ms": ms(heard.opens, 0.5),
        "open_p95_ms": ms(heard.opens, 0.95),
        "open_p99_ms": ms(heard.opens, 0.99),
        "load_p50_ms": ms(heard.loads, 0.5),
        "load_p95_ms": ms(heard.loads, 0.95),
        "load_p99_ms": ms(heard.loads, 0.99),
        "handin_p50_ms": ms(heard.handins, 0.5),
        "handin_p95_ms": ms(heard.handins, 0.95),
        "handin_p99_ms": ms(heard.handins, 0.99),
        "server_cpu_s": round(server_s, 2),
        "client_cpu_s": round(client_s, 2),
    }
