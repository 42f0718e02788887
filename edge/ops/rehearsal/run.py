"""One rehearsal from the first seat code to the count of what is in the store."""

from __future__ import annotations

import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edge.domain.rehearsal import Measured, percentile
from edge.errors import Unavailable
from edge.ops.rehearsal.making import begin, call_the_hand_in, open_the_door
from edge.ops.rehearsal.room import ScratchRoom
from edge.ops.rehearsal.tablet import Candidate, Heard, Pace
from edge.ops.rehearsal.tally import hold_against, out_of_order
from edge.store import journal
from edge.store.db import connect

log = logging.getLogger("examroom.rehearsal")
Tick = Callable[[float, str], None]
Look = Callable[[], None]
"""Called every moment of a rehearsal; raises to end it."""
KILL_AT = 0.5
DROP_EVERY_S, DROP_S = 20.0, 4.0
SETTLE_S = 120.0


@dataclass(frozen=True)
class Plan:
    """How many candidates sit here, how fast they answer, whether Wi-Fi drops and `web` is killed meanwhile; whether
    flushes are counted from outside."""

    candidates: int
    answers: int
    pace_s: float
    faults: bool
    traced: bool = False

    @property
    def seconds(self) -> float:
        return self.answers * self.pace_s


def drops(plan: Plan, seed: int) -> tuple[tuple[float, float], ...]:
    """When one candidate's Wi-Fi is away: once in each 20 s, 4 s long, at a moment of its own while it answers."""
    if not plan.faults:
        return ()
    chance = random.Random(seed)  # noqa: S311 - when a simulated drop comes is no secret
    rounds = max(1, round(plan.seconds / DROP_EVERY_S))
    every = min(DROP_EVERY_S, plan.seconds)
    return tuple((n * every + chance.uniform(0, max(0.0, every - DROP_S)), DROP_S) for n in range(rounds))


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
        self.first = people[0]
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
        self.stop()

    def stop(self) -> None:
        """Whatever each is at; they have ended when this returns, or hang in a request."""
        self._stop.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(15)


@dataclass(frozen=True)
class Outcome:
    """What was measured, for the verdict and for people."""

    measured: Measured
    figures: dict[str, Any]
    problems: list[str]


def rehearse(
    room: ScratchRoom,
    plan: Plan,
    stage: Callable[[str], Any],
    elsewhere: int = 0,
    codes_file: Path | None = None,
    look: Look = lambda: None,
) -> Outcome:
    """Run `plan` against `room`, whose `web` is running; the last `elsewhere` seat codes are left to other machines.

    `stage` is given the names of `progress.STAGES`; `look` is called all the time and ends it by raising. Unavailable
    when not all seats are claimed.
    """
    connection = connect(room.config.paths.answers_db)
    proctor, codes = open_the_door(room)
    here = codes[: len(codes) - elsewhere]
    crowd = Crowd(room.base, here, plan)
    heard = crowd.heard
    try:
        with stage("seats") as tick:
            if codes_file is not None:
                codes_file.write_text("\n".join(codes[len(here) :]) + "\n")
            cpu = time.process_time()
            crowd.start()
            _claimed(connection, crowd, len(codes), tick, look)
        with stage("answers") as tick:
            used, flushes, rows = room.usage(), room.flushes(), journal.newest(connection)[0]
            begin(proctor)
            killed = _answering(room, plan, crowd, tick, look)
            in_time = _others(connection, plan, len(codes), rows, tick, look) if elsewhere else True
            rows, flushes_after = journal.newest(connection)[0] - rows, room.flushes()
            mirror = room.mirror()
        with stage("handin") as tick:
            if elsewhere:
                call_the_hand_in(proctor)
            crowd.hand_in()
            _handed_in(connection, crowd, len(codes), tick, look)
        cpu = time.process_time() - cpu
        with stage("count"):
            measured = count(connection, heard, len(codes))
        measured = replace(measured, faults_missed=plan.faults and not (killed and heard.cut), unsignalled=not in_time)
        usage = room.usage()
    finally:
        crowd.stop()
        proctor.close()
        connection.close()
    per_save = None
    if flushes is not None and flushes_after is not None and rows:
        per_save = round((flushes_after - flushes) / rows, 4)
    return Outcome(
        measured,
        _figures(heard, measured, len(here), usage.cpu_s - used.cpu_s, cpu)
        | {"clients_elsewhere": elsewhere, "saves_elsewhere": max(0, rows - measured.saves)}
        | {"fsyncs_per_save": per_save, "fsyncs_counted_by": "strace" if room.traced else "web"}
        | {"rss_mb": round(usage.rss_mb, 1), "pss_mb": None if usage.pss_mb is None else round(usage.pss_mb, 1)}
        | {"web_starts": room.starts, "mirror": mirror, "faults": bool(killed and heard.cut)},
        heard.problems,
    )


def _claimed(connection: sqlite3.Connection, crowd: Crowd, wanted: int, tick: Tick, look: Look) -> None:
    done = 0
    end = time.monotonic() + SETTLE_S
    while time.monotonic() < end and not crowd.heard.problems:
        look()
        done = len(journal.attempts_seen(connection))
        tick(done / wanted, f"{done}/{wanted}")
        if done >= wanted:
            return
        time.sleep(0.2)
    for problem in crowd.heard.problems[:3]:
        log.error("%s", problem)
    raise Unavailable("rehearsal_not_claimed", wanted=wanted, done=done)


def _answering(room: ScratchRoom, plan: Plan, crowd: Crowd, tick: Tick, look: Look) -> bool:
    """Until all here have all their answers acknowledged; whether `web` was killed, and is back."""
    wanted = crowd.size * plan.answers
    start, killed = time.monotonic(), False
    while crowd.heard.answered < crowd.working():
        look()
        passed = time.monotonic() - start
        tick(len(crowd.heard.saves) / wanted, f"{len(crowd.heard.saves)}/{wanted}")
        # not while somebody still loads the paper: how long that takes without a kill is asked for
        if plan.faults and not killed and passed >= plan.seconds * KILL_AT and len(crowd.heard.loads) >= crowd.size:
            killed = True
            room.kill()
        if passed > plan.seconds + SETTLE_S:
            break
        time.sleep(0.2)
    return killed and room.starts > 1


def _others(connection: sqlite3.Connection, plan: Plan, candidates: int, before: int, tick: Tick, look: Look) -> bool:
    """Until the others' answers are in the store too; whether they came in time."""
    wanted = candidates * plan.answers
    end = time.monotonic() + plan.seconds + SETTLE_S
    while (done := journal.newest(connection)[0] - before) < wanted:
        if time.monotonic() > end:
            return False
        look()
        tick(done / wanted, f"{done}/{wanted}")
        time.sleep(0.2)
    return True


def _handed_in(connection: sqlite3.Connection, crowd: Crowd, wanted: int, tick: Tick, look: Look) -> None:
    """Until every hand-in is in the store and known to who is here; whoever lacks one after a while is unfinished."""
    end = time.monotonic() + SETTLE_S
    while crowd.working() or len(journal.all_handins(connection)) < wanted:
        if time.monotonic() > end:
            return
        look()
        done = len(journal.all_handins(connection))
        tick(done / wanted, f"{done}/{wanted}")
        if done < wanted and not crowd.working() and crowd.size == wanted:
            return  # nobody is left who could
        time.sleep(0.2)


def count(connection: sqlite3.Connection, heard: Heard, candidates: int) -> Measured:
    """Hold what was acknowledged, and every attempt's own rows, against what is in the store."""
    here = {one.attempt for one in heard.told.values()}
    wrong = hold_against(connection, heard.told, heard.sent)
    others = out_of_order(connection, journal.attempts_seen(connection) - here)
    return Measured(
        saves=len(heard.saves),
        lost_acks=wrong.lost,
        doubled=wrong.doubled + others.doubled,
        changed=wrong.changed + others.changed,
        unfinished=candidates - len(journal.all_handins(connection)),
        load_p99_ms=percentile(heard.loads, 0.99),
        save_p99_ms=percentile(heard.saves, 0.99),
        handin_p99_ms=percentile(heard.handins, 0.99),
    )


def milliseconds(values: Sequence[float], share: float) -> float | None:
    """A percentile as it is printed."""
    found = percentile(values, share)
    return None if found is None else round(found, 1)


def _figures(heard: Heard, measured: Measured, clients: int, server_s: float, client_s: float) -> dict[str, Any]:
    ms = milliseconds
    return {
        "clients": clients,
        "saves": measured.saves,
        "lost_acks": measured.lost_acks,
        "doubled": measured.doubled,
        "changed": measured.changed,
        "unfinished": measured.unfinished,
        "retries": heard.retries,
        "replies_lost": heard.cut,
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
