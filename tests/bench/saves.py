"""Durable answer saves a second of the real `web`, beside a route of the same server that writes nothing.

    python tests/bench/saves.py [--clients 200] [--seconds 18] [--fsync-ms 10] [--pace 5] [--no-double] [--record]

wrk plays every tablet from one core, the server has another. First the pace of an exam, one save a client each five
seconds (--pace 0: not). Then in turn, several rounds: the no-op (cookie, CSRF token, body, paper and clock checked as
for an answer; see saves_server.py), saves, and five lines of Flask under the same gunicorn settings; then twice the
clients beside as many (--no-double: not). Every answer must be a 200 and "applied", and at the end each acknowledged
operation is looked for in answers.db. Flushes are counted by strace in a run of its own (null without strace).
--fsync-ms preloads a shim that makes each flush slower. Exit 1 when a figure misses its limit (limits.py).
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import requests

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.measured import record
from bench.report import report
from edge import clock
from edge.config import Config
from edge.demo import people as cast
from edge.domain.canonical import canonical
from edge.exam import conduct
from edge.exam.banks import open_bank
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.exam.journal import AnswerJournal
from edge.exam.live import LiveExam
from edge.ops.ports import free_port
from edge.store import admissions, people, sessions
from edge.store.db import connect, open_room
from edge.trust import enrolment
from edge.trust.enrolment import certify_locally
from support.rooms import DeskRoom, make_config, seal_sample_bank
from support.serving import answers, until, write_config

HERE = Path(__file__).resolve().parent
THREADS = 256  # what a room has by default; more clients get as many threads as they are
ROUNDS = 3
BY = "P-001"
WARM_SECONDS = 1
PACED_TURNS = 6
"""Saves of each client at the pace of an exam: of 200 clients 1200, so that p99 rests on a dozen."""
WRK_SECONDS = 1  # what wrk takes besides


def needs() -> None:
    missing = [tool for tool in ("wrk", "taskset") if shutil.which(tool) is None]
    if missing:
        raise click.ClickException(f"{', '.join(missing)} is missing; provisioning/test-packages.sh installs it")
    if len(os.sched_getaffinity(0)) < 2:
        raise click.ClickException("client and server need a core each")


def cores() -> tuple[int, int]:
    """(client's, server's)"""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


# ---- the room and its candidates


def make_room(folder: Path, clients: int, mirrored: bool = False, **sections: object) -> DeskRoom:
    """An enrolled room with a session of `clients`, whatever seats the demo's class has; `sections`: of its options."""
    web = {"port": free_port(), "threads": max(THREADS, clients + 8), "cpu": cores()[1]}
    store = {"mirror": str(folder / "mirror"), "mirror_same_disk": True} if mirrored else {}
    config = make_config(folder, web=web, store=store, **sections)
    certify_locally(config.paths, "示例学校", "room-1", 1, clock.wall_ms())
    bank_file = seal_sample_bank(config)
    document = cast.roster("S-1", clock.wall_ms(), size=1, minutes=240, photos=False)
    document["candidates"] = cast.candidates(clients, photos=False)
    document["seats"] = [
        {"seat": f"R{n // 20 + 1}-{n % 20 + 1}", "row": n // 20 + 1, "column": n % 20 + 1} for n in range(clients)
    ]
    connection = open_room(config.paths.room_db)
    roster, policy = parse_roster(canonical(document)), parse_policy(canonical(cast.POLICY))
    here = enrolment.load(config.paths)
    session = take_in(connection, roster, policy, room="room-1", bank_file=bank_file, data_key=here.keys.data)
    return DeskRoom(config, connection, session)


def start_exam(desk: DeskRoom) -> list[str]:
    """Everybody let in, the exam running, before any server starts; the seat codes."""
    bank = open_bank(desk.identity, desk.config.paths.bundles, sessions.find(desk.db, desk.session))
    conduct.open_checkin(desk.db, desk.session, bank, BY)
    for who in people.candidates(desk.db, desk.session):
        admissions.admit(desk.db, desk.session, who.person, route="policy", reason="admitted_manual", by=BY)
    conduct.start(desk.db, desk.session, BY)
    journal = AnswerJournal(desk.config.paths.answers_db)
    LiveExam(journal, lambda _: bank).set_running(desk.session, True)
    journal.close()
    return [who.seat_code for who in people.candidates(desk.db, desk.session) if who.seat_code]


@dataclass
class Candidate:
    """One tablet: its cookie and token."""

    cookie: str
    csrf: str

    def line(self, base: str) -> str:
        """What wrk needs of it, as the room has it now: the next sequence number, items and their versions."""
        answer = requests.get(f"{base}/exam/api/paper", headers={"Cookie": self.cookie}, timeout=60)
        answer.raise_for_status()
        paper = answer.json()
        lines = [f"candidate {self.cookie} {self.csrf} {paper['next_seq']}"]
        for item in (item for part in paper["parts"] for item in part["items"]):
            if item["type"] in ("judgement", "single", "multiple"):
                version = paper["responses"].get(item["id"], {}).get("version", 0)
                lines.append(f"item {item['id']} {item['options'][0]['key']} {version}")
        return "\n".join(lines) + "\n"


def sit_down(base: str, code: str) -> Candidate:
    answer = requests.post(f"{base}/exam/api/claim", json={"seat_code": code}, timeout=60)
    answer.raise_for_status()
    return Candidate(answer.headers["Set-Cookie"].split(";")[0], answer.json()["csrf"])


# ---- servers


class Measured:
    """A server of saves_server.py and its processes."""

    def __init__(self, config: Config, folder: Path, what: str, prefix: tuple[str, ...], environ: dict[str, str]):
        self.base = f"http://127.0.0.1:{config.web.port}"
        self._log = folder / f"{what}.log"
        command = [*prefix, sys.executable, "-W", "ignore", str(HERE / "saves_server.py")]
        command += [str(write_config(config, folder)), what]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command, env=os.environ | environ, start_new_session=True, stdout=log, stderr=log
            )

    def cpu_s(self) -> float:
        """User and system time of every process of the server."""
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[2]) == self.process.pid:  # its process group
                    ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def measured(
    config: Config, folder: Path, what: str, prefix: tuple[str, ...] = (), environ: dict[str, str] | None = None
) -> Iterator[Measured]:
    folder.mkdir(parents=True, exist_ok=True)
    server = Measured(config, folder, what, prefix, environ or {})
    path = "/noop" if what == "bare" else "/healthz"
    try:
        if what == "bare":
            until(lambda: _posts(server.base + path), 30, "the bare server answers")
        else:
            until(lambda: answers(server.base), 60, "web answers")
        yield server
    finally:
        server.end()


def _posts(url: str) -> bool:
    with suppress(requests.RequestException):
        return requests.post(url, timeout=1).ok
    return False


def shim(folder: Path, milliseconds: int) -> dict[str, str]:
    """The environment that makes each flush slower."""
    if not milliseconds:
        return {}
    library = folder / "slow_fsync.so"
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise click.ClickException("--fsync-ms needs gcc; provisioning/test-packages.sh installs it")
    command = [compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(HERE / "slow_fsync.c"), "-ldl"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode:
        said = made.stderr.strip().splitlines()
        raise click.ClickException(
            "--fsync-ms: the C compiler cannot make the shim; provisioning/test-packages.sh installs what it needs"
            f" (gcc, libc6-dev): {said[0] if said else made.returncode}"
        )
    return {"LD_PRELOAD": str(library), "SLOW_FSYNC_MS": str(milliseconds)}


# ---- wrk


@dataclass
class Seen:
    """What wrk saw of one kind of request over its rounds."""

    requests: int = 0
    us: int = 0
    p50: list[float] = field(default_factory=list)
    p99: list[float] = field(default_factory=list)
    most: list[float] = field(default_factory=list)
    server_cpu_s: float = 0.0
    client_cpu_s: float = 0.0

    @property
    def per_s(self) -> float:
        return self.requests / self.us * 1e6


@dataclass
class Bench:
    """A room under measurement: its candidates, and what they were told."""

    folder: Path
    desk: DeskRoom
    web: Measured
    candidates: list[Candidate]
    acknowledged: set[str] = field(default_factory=set)

    def _settled(self, clients: int) -> str:
        """Every candidate's lines, once they stand still: wrk ends a round in the midst of its last saves."""
        before, lines = "", "-"
        while lines != before:
            before, lines = lines, "".join(who.line(self.web.base) for who in self.candidates[:clients])
        return lines

    def run(self, kind: str, server: Measured, seconds: int, seen: Seen, clients: int, pace_s: float = 0) -> None:
        """One round of wrk; every answer is a 200, and every save applied."""
        file = self.folder / "candidates"
        file.write_text(self._settled(clients))
        path = {"noop": "/exam/api/noop", "save": "/exam/api/answers", "bare": "/noop"}[kind]
        command = ["taskset", "-c", str(cores()[0]), "wrk", "-t1", f"-c{clients}", f"-d{seconds}", "--timeout", "30"]
        command += ["-s", str(HERE / "saves.lua"), server.base, "--", str(file), path, kind]
        command += [str(round(1000 * pace_s)), str(time.time_ns() % 1_000_000)]
        spent, began = resource.getrusage(resource.RUSAGE_CHILDREN), server.cpu_s()
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=seconds + 60)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode:
            raise click.ClickException(f"wrk: {done.stdout} {done.stderr}")
        found = json.loads(done.stdout.split("JSON ")[1])
        wrong = (
            found["refused"]
            or found["errors"]
            or (kind != "bare" and abs(found["applied"] - found["requests"]) > found["spare"])
        )
        if wrong:
            raise click.ClickException(f"{kind}: not every answer was a 200 and applied: {found}")
        if kind == "save":
            self.acknowledged |= set(Path(f"{file}.save.acked").read_text().split())
        seen.requests += found["requests"]
        seen.us += found["us"]
        seen.p50.append(found["p50_us"] / 1000)
        seen.p99.append(found["p99_us"] / 1000)
        seen.most.append(found["max_us"] / 1000)
        seen.server_cpu_s += server.cpu_s() - began
        seen.client_cpu_s += after.ru_utime + after.ru_stime - spent.ru_utime - spent.ru_stime

    def lost(self) -> int:
        """Acknowledged operations that answers.db does not hold."""
        connection = connect(self.desk.config.paths.answers_db)
        try:
            stored = {row["op_id"] for row in connection.execute("SELECT op_id FROM journal")}
        finally:
            connection.close()
        return len(self.acknowledged - stored)


@contextmanager
def bench(
    folder: Path,
    clients: int,
    prefix: tuple[str, ...] = (),
    slow_ms: int = 0,
    mirrored: bool = False,
    **sections: object,
) -> Iterator[Bench]:
    folder.mkdir(parents=True, exist_ok=True)
    desk = make_room(folder, clients, mirrored, **sections)
    try:
        codes = start_exam(desk)
        with measured(desk.config, folder, "web", prefix, shim(folder, slow_ms)) as web:
            yield Bench(folder, desk, web, [sit_down(web.base, code) for code in codes])
    finally:
        desk.db.close()


def rates(
    folder: Path, clients: int, seconds: float, slow_ms: int, pace_s: float, double: bool, mirrored: bool
) -> dict[str, Any]:
    """No-op, save and bare in turn; then, where asked for, twice the clients, and the pace of an exam."""
    each = max(1, round(seconds / (3 * ROUNDS)))
    seen = {kind: Seen() for kind in ("noop", "save", "bare")}
    twice, once, paced = Seen(), Seen(), Seen()
    with bench(folder, clients * (2 if double else 1), slow_ms=slow_ms, mirrored=mirrored) as room:
        if pace_s:
            # an exam's first minute is not its pace: every path of the server has been gone once
            room.run("save", room.web, WARM_SECONDS, Seen(), clients)
            room.run("save", room.web, round(PACED_TURNS * pace_s), paced, clients, pace_s)
        bare_web = room.desk.config.web.model_copy(update={"port": free_port()})
        bare_config = room.desk.config.model_copy(update={"web": bare_web})
        with measured(bare_config, folder / "bare", "bare") as bare:
            for kind, server in (("noop", room.web), ("save", room.web), ("bare", bare)):
                room.run(kind, server, WARM_SECONDS, Seen(), clients)
            for _ in range(ROUNDS):
                for kind, server in (("noop", room.web), ("save", room.web), ("bare", bare)):
                    room.run(kind, server, each, seen[kind], clients)
            for _ in range(ROUNDS if double else 0):
                room.run("save", room.web, each, once, clients)
                room.run("save", room.web, each, twice, 2 * clients)
        figures = {
            "clients": clients,
            "fsync_ms_added": slow_ms,
            "mirrored": mirrored,
            "saves_per_s": round(seen["save"].per_s),
            "noop_per_s": round(seen["noop"].per_s),
            "bare_per_s": round(seen["bare"].per_s),
            "saves_to_noop": round(seen["save"].per_s / seen["noop"].per_s, 3),
            "saves_to_bare": round(seen["save"].per_s / seen["bare"].per_s, 3),
            "p50_ms": round(statistics.median(seen["save"].p50), 1),
            "p99_ms": round(statistics.median(seen["save"].p99), 1),
            "p99_worst_ms": round(max(seen["save"].p99), 1),
            "p99_to_p50": round(statistics.median(seen["save"].p99) / statistics.median(seen["save"].p50), 2),
            "client_cpu_s": round(seen["save"].client_cpu_s, 2),
            "server_cpu_s": round(seen["save"].server_cpu_s, 2),
            "acknowledged": len(room.acknowledged),
            "lost": room.lost(),
            "load_1min": round(os.getloadavg()[0], 1),
        }
    if double:
        figures["saves_per_s_twice_the_clients"] = round(twice.per_s)
        figures["twice_to_once"] = round(twice.per_s / once.per_s, 3)
    if pace_s:
        figures |= {"pace_s": pace_s, "pace_saves": paced.requests, "pace_p50_ms": round(paced.p50[0], 1)}
        figures |= {"pace_p99_ms": round(paced.p99[0], 1), "pace_worst_ms": round(paced.most[0], 1)}
    return figures


def flushes_per_save(folder: Path, clients: int, seconds: float, slow_ms: int) -> float:
    """fdatasync and fsync calls of `web` for each acknowledged save, counted by strace in a run of its own."""
    trace = folder / "trace"
    folder.mkdir(parents=True, exist_ok=True)
    prefix = ("strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=fsync,fdatasync", "-o", str(trace))
    with bench(folder, clients, prefix, slow_ms) as room:
        room.run("save", room.web, WARM_SECONDS, Seen(), clients)
        before, told, seen = _flushes(trace), len(room.acknowledged), Seen()
        room.run("save", room.web, max(2, round(seconds / 3)), seen, clients)
        return (_flushes(trace) - before) / (len(room.acknowledged) - told)


def _flushes(trace: Path) -> int:
    """Calls in the trace; one that was interrupted stands in two lines and counts once."""
    return sum(1 for line in trace.read_text().splitlines() if "sync(" in line)


@click.command()
@click.option("--clients", type=click.IntRange(1, 400), default=200, show_default=True)
@click.option("--seconds", type=click.FloatRange(3, 600), default=18.0, show_default=True, help="Of all rounds.")
@click.option("--fsync-ms", type=click.IntRange(0, 1000), default=0, help="Make each flush this much slower.")
@click.option(
    "--pace", type=click.FloatRange(0, 60), default=5.0, show_default=True, help="A save a client each so often."
)
@click.option("--double/--no-double", default=True, show_default=True, help="Also twice the clients.")
@click.option("--mirror", "mirrored", is_flag=True, help="With a second medium: a folder on the same disk.")
@click.option("--no-strace", is_flag=True, help="Do not count flushes.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--record", "keep", is_flag=True, help="Write the figures to measured.json.")
def main(
    clients: int,
    seconds: float,
    fsync_ms: int,
    pace: float,
    double: bool,
    mirrored: bool,
    no_strace: bool,
    as_json: bool,
    keep: bool,
) -> None:
    """Benchmark durable answer saves of the real web process."""
    needs()
    with tempfile.TemporaryDirectory() as folder:
        figures = rates(Path(folder) / "rates", clients, seconds, fsync_ms, pace, double, mirrored)
        figures["fsyncs_per_save"] = None
        if shutil.which("strace") and not no_strace:
            counted = flushes_per_save(Path(folder) / "flushes", clients, seconds, fsync_ms)
            figures["fsyncs_per_save"] = round(counted, 3)
    if figures["lost"]:
        raise click.ClickException(f"acknowledged and not stored: {figures['lost']}")
    if keep and not fsync_ms and not mirrored:
        _record_parts(figures)
    name = "saves" + ("-slow-disk" if fsync_ms else "") + ("-mirrored" if mirrored else "")
    report(name, figures, as_json, keep)


def _record_parts(figures: dict[str, Any]) -> None:
    """What the README has a line of its own for."""
    if "pace_s" in figures:
        kept = {key: value for key, value in figures.items() if key.startswith("pace_")}
        record("saves-pace", {"clients": figures["clients"], **kept})
    if "twice_to_once" in figures:
        twice = {key: figures[key] for key in ("clients", "twice_to_once", "saves_per_s_twice_the_clients")}
        record("saves-twice", twice)


if __name__ == "__main__":
    main()
