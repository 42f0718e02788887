"""`examroom rehearse`: is this box, today, fit for so many candidates? Exit 1 when it is not."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from edge import __version__, clock
from edge.config import Config
from edge.domain.reasons import is_words, sentence
from edge.domain.rehearsal import LEAST_ANSWERS, MOST, SLOWEST_PACE_MS, Held, Limits, enough, shortcomings
from edge.errors import BadInput, Conflict, ExamroomError
from edge.ops.rehearsal import asking, fitness, joining
from edge.ops.rehearsal.making import Exam, make, sample_exam, sweep
from edge.ops.rehearsal.progress import Progress, told
from edge.ops.rehearsal.room import can_trace
from edge.ops.rehearsal.run import Outcome, Plan, rehearse
from edge.ops.stages import Stages
from edge.store import ledger, rehearsals, sessions
from edge.store.db import open_room, transaction
from edge.store.refusals import notes_refusals
from edge.trust import enrolment

SHOWN_PROBLEMS = 5
LOOK_S = 2.0
NOT_COVERED = ("nginx", "TLS")
"""The scratch `web` is asked without them; `make vmtest` looks at both."""


@click.command("rehearse")
@click.option(
    "--candidates", type=click.IntRange(1, MOST), default=30, show_default=True, help="How many sit the exam."
)
@click.option("--answers", type=click.IntRange(1, 500), default=10, show_default=True, help="Answers of each.")
@click.option(
    "--pace", type=click.FloatRange(0.05, 600), default=5.0, show_default=True, help="Seconds between answers."
)
@click.option("--session", "wanted", help="Rehearse with this session's bank (default: the next planned one's).")
@click.option("--faults", is_flag=True, help="Wi-Fi drops, and the exam service is killed half-way.")
@click.option("--strace", "traced", is_flag=True, help="Count flushes from outside, which may make the room slower.")
@click.option("--elsewhere", type=click.IntRange(0, MOST), default=0, help="How many of them sit at other machines.")
@click.option("--seats-out", type=click.Path(path_type=Path, dir_okay=False), help="Write their seat codes here.")
@click.option("--join", "url", help="Be the other machine: the address the box has printed.")
@click.option(
    "--seats", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="With --join: the seat codes."
)
@click.option("--requested", is_flag=True, help="Take up what was asked for at the console, if anything was.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_obj
def rehearse_command(
    context: Any,
    candidates: int,
    answers: int,
    pace: float,
    wanted: str | None,
    faults: bool,
    traced: bool,
    elsewhere: int,
    seats_out: Path | None,
    url: str | None,
    seats: Path | None,
    requested: bool,
    as_json: bool,
) -> None:
    """Simulate a whole class and say whether this box is fit for it 演练."""
    if pace != pace:  # not a number passes every range
        raise click.BadParameter("not a number", param_hint="--pace")
    if seats is not None and url is None:
        raise click.BadParameter("needs --join", param_hint="--seats")
    if traced and not can_trace():
        raise click.BadParameter("strace is not here, or may not trace", param_hint="--strace")
    for number in (signal.SIGTERM, signal.SIGHUP):  # so that whoever stops it stops the scratch room with it
        signal.signal(number, lambda _number, _frame: sys.exit(1))
    console = Console(stderr=as_json, width=None if sys.stdout.isatty() else 110)
    plan = Plan(candidates, answers, pace, faults, traced)
    if url is not None:
        _join(url, seats, plan, _limits(_config(context) or Config()), console, as_json)
        return
    if elsewhere >= candidates or bool(elsewhere) != bool(seats_out):
        raise click.BadParameter("needs --seats-out, and fewer than --candidates", param_hint="--elsewhere")
    config = _config(context)
    if wanted is not None and config is None:
        raise click.BadParameter("there is no room here", param_hint="--session")
    if requested:
        done = _requested(config, console)
        if done is None:
            return
    else:
        done = _by_command(context, plan, wanted, console, elsewhere, seats_out)
    if as_json:
        looked = {check.name: {"ok": check.reason is None, **_figures(check)} for check in done.checks}
        document = {**done.figures, "checks": looked, "reasons": done.reasons, "problems": done.problems}
        click.echo(json.dumps(document, ensure_ascii=False))
    else:
        _print(console, done.figures, done.checks, done.found, done.problems)
    sys.exit(0 if done.figures["passed"] else 1)


@dataclass(frozen=True)
class _Report:
    """One rehearsal: its figures, what was looked at, and what was not good enough."""

    figures: dict[str, Any]
    checks: list[fitness.Check]
    found: list[str]
    problems: list[str]

    @property
    def reasons(self) -> list[dict[str, Any]]:
        """All that is not well, in words, what speaks against holding an exam first."""
        unfit = [check for check in self.checks if check.reason is not None]
        from_checks = [told(str(c.reason), c.facts, c.grave) | {"check": c.name} for c in unfit]
        return [told(code, {}) for code in self.found] + sorted(from_checks, key=lambda one: not one["grave"])


@notes_refusals("rehearse")
def _by_command(
    context: Any, plan: Plan, wanted: str | None, console: Console, elsewhere: int, seats_out: Path | None
) -> _Report:
    return _hold(_config(context), plan, wanted, console, elsewhere, seats_out)


def _requested(config: Config | None, console: Console) -> _Report | None:
    """The one that was asked for at the console; None when none was.

    Its refusal is told there by its status, and is an `act_refused` of whoever asked.
    """
    wanted = asking.take(config.paths.runtime) if config is not None else None
    if config is None or wanted is None:
        return None
    try:
        plan = Plan(wanted.candidates, wanted.answers, wanted.pace_ms / 1000, faults=False)
        return _hold(config, plan, wanted.session, console, by=wanted.by)
    except ExamroomError as error:
        if error.code != "rehearsal_stopped":  # the act of stopping it is in the ledger by itself
            with closing(open_room(config.paths.room_db)) as connection:
                ledger.note(connection, "act_refused", {"reason": error.code, "act": "rehearse"}, by=wanted.by)
        raise


def _hold(
    config: Config | None,
    plan: Plan,
    wanted: str | None,
    console: Console,
    elsewhere: int = 0,
    seats_out: Path | None = None,
    by: str | None = None,
) -> _Report:
    """Hold one, and keep it where there is a room. Conflict while a real session is open or another one runs."""
    one = asking.hold(config.paths.runtime) if config is not None else None
    folder = config.paths.status if config is not None else None
    stages = Stages(console)
    with one or nullcontext(), Progress(stages, folder, session=wanted, candidates=plan.candidates) as progress:
        if config is not None:
            _need_quiet(config)
        checks, exam = _fitness(config, wanted)
        progress.know(session=exam.session)
        outcome = _run(config, plan, elsewhere, seats_out, progress, exam)
        found = shortcomings(outcome.measured, _limits(config or Config()))
        if outcome.problems:
            found.append("rehearsal_unfinished")
        passed = not found and not any(check.grave and check.reason is not None for check in checks)
        answers, pace_ms = plan.answers, round(1000 * plan.pace_s)
        held = Held(clock.wall_ms(), plan.candidates, __version__, exam.drawn_from, answers, pace_ms)
        checks.append(_hard_enough(held))
        figures = {
            "session": exam.session,
            "bank": exam.bank.bank,
            "drawn_from": exam.drawn_from,
            "answers": plan.answers,
            "pace_s": plan.pace_s,
            **outcome.figures,
            "not_covered": NOT_COVERED if elsewhere else (*NOT_COVERED, "Wi-Fi"),
            "passed": passed,
        }
        report = _Report(figures, checks, list(dict.fromkeys(found)), outcome.problems)
        if config is not None:
            _keep(config, held, report, by)
    return report


def _config(context: Any) -> Config | None:
    """The room's configuration, or None on a machine without a room."""
    return context.config() if context.config_file.exists() else None


def _need_quiet(config: Config, reason: str = "rehearsal_busy") -> None:
    """Conflict while a real session is open: a rehearsal takes the processor and the disk from it."""
    if not config.paths.room_db.exists():
        return
    connection = open_room(config.paths.room_db)
    try:
        for session in sessions.all_sessions(connection, "checkin", "running"):
            raise Conflict(reason, session=session.id)
    finally:
        connection.close()


def _look(config: Config | None) -> Callable[[], None]:
    """Asked all the time: Conflict once it is to stop, or a real session has opened its door (every two seconds)."""
    last = time.monotonic()

    def look() -> None:
        nonlocal last
        if config is not None and asking.stop_wanted(config.paths.runtime, os.getpid()):
            raise Conflict("rehearsal_stopped")
        if config is not None and time.monotonic() - last >= LOOK_S:
            last = time.monotonic()
            _need_quiet(config, "rehearsal_interrupted")

    return look


def _hard_enough(held: Held) -> fitness.Check:
    """Whether it counts for a session that asks for a rehearsal."""
    least = {"least": LEAST_ANSWERS, "slowest": SLOWEST_PACE_MS / 1000}
    facts = {"answers": held.answers, "pace": held.pace_ms / 1000, **least}
    good = enough(held.answers, held.pace_ms)
    return fitness.Check("door", None if good else "rehearsal_too_little", facts, grave=False)


def _figures(check: fitness.Check) -> dict[str, Any]:
    return {
        name: fact if isinstance(fact, (int, float)) or is_words(fact) else str(fact)
        for name, fact in check.facts.items()
    }


def _run(
    config: Config | None, plan: Plan, elsewhere: int, seats_out: Path | None, progress: Progress, exam: Exam
) -> Outcome:
    look = _look(config)
    real = config or Config()
    if not all(check.reason is None for check in fitness.mirror(real)):
        real = real.model_copy(update={"store": real.store.model_copy(update={"mirror": None})})
    parent = config.paths.scratch if config is not None else Path.cwd() / ".examroom-rehearsal"
    with progress("scratch"):
        sweep(parent, real.store.mirror)
        host = "0.0.0.0" if elsewhere else "127.0.0.1"  # noqa: S104 - the other machines are on the room's own network
        room = make(parent, plan.candidates, real, host, exam)
    try:
        if plan.traced:
            room.count_by_strace()
        with progress("start"):
            room.start(look)
        if elsewhere:
            progress.console.print(f"--join http://{_address()}:{room.config.web.port} --seats {seats_out}")
        return rehearse(room, plan, progress, elsewhere, seats_out, look)
    finally:
        room.stop()
        room.remove()
        _tidy(parent)


def _fitness(config: Config | None, wanted: str | None) -> tuple[list[fitness.Check], Exam]:
    checks, exam = fitness.box(config or Config()) + fitness.mirror(config or Config()), sample_exam()
    if config is not None and config.paths.room_db.exists():
        try:
            identity = enrolment.load(config.paths)
        except ExamroomError:
            return checks, exam  # not enrolled: nothing can be planned either
        connection = open_room(config.paths.room_db)
        try:
            session = fitness.chosen(connection, wanted)
            checks += fitness.planned(connection, config, identity, session)
            exam = fitness.exam_of(config, identity, session) if session is not None else exam
        finally:
            connection.close()
    return checks, exam


def _tidy(parent: Path) -> None:
    if parent.exists() and not any(parent.iterdir()):
        parent.rmdir()


def _limits(config: Config) -> Limits:
    limits = config.rehearsal
    return Limits(limits.load_p99_ms, limits.save_p99_ms, limits.handin_p99_ms)


def _keep(config: Config, held: Held, report: _Report, by: str | None) -> None:
    figures = report.figures
    if not config.paths.room_db.exists():
        return
    connection = open_room(config.paths.room_db)
    try:
        with transaction(connection):
            kept = figures | {"reasons": report.reasons}
            rehearsals.add(connection, held, figures["passed"], figures["session"], kept)
            body = {"candidates": held.candidates, "passed": figures["passed"], "version": held.version}
            body |= {"answers": held.answers, "pace_ms": held.pace_ms, "faults": figures["faults"]}
            body |= {"drawn_from": held.drawn_from, "elsewhere": figures["clients_elsewhere"]}
            ledger.append(connection, "rehearsal", body, session=figures["session"], by=by)
    finally:
        connection.close()


def _join(url: str, seats: Path | None, plan: Plan, limits: Limits, console: Console, as_json: bool) -> None:
    """The part of the class that sits at this machine."""
    codes = seats.read_text(encoding="utf-8", errors="replace").split() if seats is not None else []
    if not codes or not all(code.isdigit() and len(code) == 6 for code in codes):
        raise BadInput("rehearsal_codes", path=seats or "--seats")
    found, figures, problems = joining.take_part(url.rstrip("/"), codes, plan, limits, Stages(console))
    figures["passed"] = not found and not problems
    if as_json:
        reasons = [told(code, {}) for code in found]
        click.echo(json.dumps({**figures, "reasons": reasons, "problems": problems}, ensure_ascii=False))
    else:
        _print(console, figures, [], found, problems)
    sys.exit(0 if figures["passed"] else 1)


def _address() -> str:
    """The address other machines most likely reach this one by; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _print(
    console: Console, figures: dict[str, Any], checks: list[fitness.Check], found: list[str], problems: list[str]
) -> None:
    table = Table("figure 指标", "value 数值")
    for name, value in figures.items():
        if name == "not_covered":
            continue
        table.add_row(name.replace("_", " "), "-" if value is None else str(value))
    for check in checks:
        table.add_row(
            check.name, "✓" if check.reason is None else f"{'✗' if check.grave else '!'} {check.sentences()['zh']}"
        )
    console.print(table)
    for code in found:
        console.print(f"✗ {sentence(code, 'zh')}\n  {sentence(code, 'en')}")
    for problem in problems[:SHOWN_PROBLEMS]:
        console.print(f"  {problem}", markup=False)
    if "not_covered" in figures:
        console.print(f"没有演练到 not covered: {', '.join(figures['not_covered'])}")
    console.print("演练通过 passed" if figures["passed"] else "演练未通过 not passed", style="bold")
