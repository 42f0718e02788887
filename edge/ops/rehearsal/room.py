"""The scratch room of a rehearsal: its own keys, databases and `web`, on the same disk as the real room's.

It shares no file with the real room, so that nothing a rehearsal does can reach a real session; what it measures is
the same program on the same disk and processor, beside whatever else the box is doing.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from argon2 import PasswordHasher

from edge import clock
from edge.bank.build import content_of, sample_bank
from edge.bank.model import BankDocument
from edge.config import ENVIRONMENT, Config, parse_config, to_toml
from edge.domain.canonical import canonical
from edge.errors import Unavailable
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.ops.desk import Person, StaffMember
from edge.ops.ports import free_port
from edge.store import admissions, people
from edge.store.db import open_room
from edge.store.status import read_statuses
from edge.trust import enrolment
from edge.trust.seal import seal_bundle
from edge.trust.signer import Ed25519Signer

SESSION, ROOM = "REHEARSAL", "rehearsal"
DAY_MS = 86_400_000
START_S = 60.0
RESTART_S = 0.5
STATUS_S = 5.0
TRIES = 3
COLUMNS = 10


@dataclass(frozen=True)
class Usage:
    """What `web` has used so far: processor seconds, and the most memory it held at once (megabytes)."""

    cpu_s: float
    rss_mb: float


class ScratchRoom:
    """Made by `make`, removed by `remove`; `web` is started again whenever it dies, as systemd would."""

    def __init__(self, folder: Path, config: Config, proctor: StaffMember, trace: bool) -> None:
        self._folder = folder
        self.config = config
        self.proctor = proctor
        self._file = folder / "examroom.toml"
        self._file.write_text(to_toml(config))
        self._trace = folder / "flushes" if trace else None
        self._process: subprocess.Popen[bytes] | None = None
        self._stop = threading.Event()
        self._keeper: threading.Thread | None = None
        self._cpu_before = 0.0
        self._last = Usage(0.0, 0.0)
        self._flushed: dict[int, int] = {}
        """pid of a `web` -> its flushes when last asked"""
        self.starts = 0

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.config.web.port}"

    def start(self) -> None:
        """Start `web`. Unavailable, with the end of its log, when it does not answer in a minute or keeps dying."""
        self._spawn()
        self._keeper = threading.Thread(target=self._keep, name="keeper", daemon=True)
        self._keeper.start()
        end = time.monotonic() + START_S
        while time.monotonic() < end and self.starts <= TRIES:
            if self.answers():
                return
            time.sleep(0.1)
        raise Unavailable("rehearsal_no_web", detail=self._said())

    def answers(self) -> bool:
        with suppress(requests.RequestException):
            return requests.get(f"{self.base}/healthz", timeout=2).ok
        return False

    def kill(self) -> None:
        """SIGKILL to `web` and its worker, at once."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def stop(self) -> None:
        self._stop.set()
        if self._keeper is not None:
            self._keeper.join()
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
                self._process.wait()
            self.kill()

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def usage(self) -> Usage:
        """Over all starts of `web` so far."""
        return Usage(self._cpu_before + self._last.cpu_s, self._last.rss_mb)

    def flushes(self) -> int | None:
        """fsync and fdatasync calls of `web` so far: seen from outside by strace, or else by the journal's own count.

        None when `web` says nothing. Its own count is of answers.db alone, and starts anew with it.
        """
        if self._trace is not None:
            return sum(b"sync(" in line for line in self._trace.read_bytes().splitlines())
        asked = clock.mono_ms()
        end = time.monotonic() + STATUS_S
        while time.monotonic() < end:
            status = read_statuses(self.config.paths.status).get("web", {})
            if "flushes" in status and int(status["mono_ms"]) >= asked:
                return self._count(int(status["pid"]), int(status["flushes"]))
            time.sleep(0.1)
        return None

    def _count(self, pid: int, flushes: int) -> int:
        self._flushed[pid] = flushes
        return sum(self._flushed.values())

    @property
    def traced(self) -> bool:
        """Whether `flushes` are seen from outside."""
        return self._trace is not None

    def _spawn(self) -> None:
        prefix = []
        if self._trace is not None:
            prefix = [
                "strace",
                "-f",
                "--seccomp-bpf",
                "-qq",
                "-A",
                "-e",
                "trace=fsync,fdatasync",
                "-o",
                str(self._trace),
            ]
        command = [*prefix, sys.executable, "-m", "edge.cli", "--config", str(self._file), "service", "web"]
        with (self._folder / "web.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, env=os.environ | {ENVIRONMENT: str(self._file)}, start_new_session=True, stdout=log, stderr=log
            )
        self.starts += 1

    def _keep(self) -> None:
        while not self._stop.wait(0.25):
            if self._process is not None and self._process.poll() is not None:
                self._cpu_before += self._last.cpu_s
                self._last = Usage(0.0, self._last.rss_mb)
                if self._stop.wait(RESTART_S):
                    return
                self.kill()  # whatever of its group is left holds the journal's lock
                self._spawn()
            elif self._process is not None:
                self._measure(self._process.pid)

    def _measure(self, group: int) -> None:
        """Sum over the processes of the group; one that ends while it is read is left out."""
        cpu = rss = 0.0
        ticks = os.sysconf("SC_CLK_TCK")
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError, ValueError, IndexError):
                name, _, rest = stat.read_text().rpartition(") ")
                fields = rest.split()
                if int(fields[2]) != group or "(strace" in name:
                    continue
                cpu += (int(fields[11]) + int(fields[12])) / ticks
                rss += _peak_mb(stat.parent)
        self._last = Usage(max(cpu, self._last.cpu_s), max(rss, self._last.rss_mb))

    def _said(self) -> str:
        with suppress(OSError):
            return (self._folder / "web.log").read_text(errors="replace")[-400:]
        return ""


def _peak_mb(process: Path) -> float:
    """Proportional memory where the kernel tells it: pages the master shares with its worker count once."""
    with suppress(OSError):
        for line in (process / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    for line in (process / "status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


@dataclass(frozen=True)
class Exam:
    """What is rehearsed: a bank and its blueprint, and the share of local items that the session's policy allows."""

    bank: BankDocument
    blueprint: dict[str, Any]
    local_share: int = 0
    session: str | None = None
    """The planned session they are of; None: the sample bank that ships with the product."""


def sample_exam() -> Exam:
    bank = sample_bank()
    return Exam(bank, bank.blueprints[0].model_dump(mode="json"))


def make(parent: Path, candidates: int, web: Mapping[str, Any], host: str, trace: bool, exam: Exam) -> ScratchRoom:
    """A scratch room under `parent` with one planned session of `candidates`, who sit `exam`."""
    folder = parent / f"rehearsal-{os.getpid()}-{clock.wall_ms()}"
    folder.mkdir(parents=True)
    paths = {name: str(folder / name) for name in ("state", "runtime", "recordings", "models")}
    options = {**web, "host": host, "port": free_port(host)}
    # its answers are nobody's: they need no reserve, and must not take the real room's disk
    config = parse_config({"paths": paths, "web": options, "store": {"reserve_mb": 0}})
    try:
        enrolment.certify_locally(config.paths, "演练 rehearsal", ROOM, 1, clock.wall_ms())
        # its PIN is known to this process alone
        proctor = StaffMember("R", "演练", "proctor", "REHEARSAL", secrets.token_hex(8))
        _plan(config, candidates, proctor, exam)
        return ScratchRoom(folder, config, proctor, trace)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def sweep(parent: Path) -> None:
    """End and remove what rehearsals left whose own process is gone, killed before it could tidy up."""
    for folder in parent.glob("rehearsal-*"):
        owner = Path("/proc") / folder.name.split("-")[1] / "cmdline"
        with suppress(OSError):
            if b"rehearse" in owner.read_bytes():
                continue
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if str(folder).encode() in (process / "cmdline").read_bytes():
                    os.kill(int(process.name), signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def _plan(config: Config, candidates: int, proctor: StaffMember, exam: Exam) -> None:
    here = enrolment.load(config.paths)
    bank = exam.bank
    now = clock.wall_ms()
    sealed = seal_bundle(
        "bank",
        bank.bank,
        1,
        content_of(bank),
        {here.certificate.room: here.certificate.seal_public},
        [Ed25519Signer.load(config.paths.keys / "root.key")],
        not_before_ms=now - DAY_MS,
        expires_ms=now + DAY_MS,
        facts={},
    )
    config.paths.bundles.mkdir(parents=True, exist_ok=True)
    (config.paths.bundles / "bank.bundle").write_bytes(sealed)
    marks = dict.fromkeys(("safety", "theory", "practical"), 60)
    policy = parse_policy(canonical({"version": 1, "pass": marks, "local_bank_share": exam.local_share}))
    roster = parse_roster(canonical(_roster(bank.bank, exam.blueprint, candidates, proctor)))
    connection = open_room(config.paths.room_db)
    try:
        take_in(connection, roster, policy, room=ROOM, bank_file="bank.bundle", data_key=here.keys.data)
    finally:
        connection.close()


def _roster(bank: str, blueprint: dict[str, Any], candidates: int, proctor: StaffMember) -> dict[str, Any]:
    seats = [{"seat": f"R{n + 1}", "row": n // COLUMNS + 1, "column": n % COLUMNS + 1} for n in range(candidates)]
    pin = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(proctor.pin)
    return {
        "institution": {"id": "REHEARSAL", "name": "演练 rehearsal"},
        "class": {"id": "REHEARSAL", "title": "演练", "regime": "skilled-worker", "post": "演练"},
        "session": {"id": SESSION, "title": "演练 rehearsal", "planned_ms": clock.wall_ms(), "minutes": 600},
        "bank": {"name": bank, "version": 1},
        "blueprint": blueprint,
        "seats": seats,
        "candidates": [
            {"number": n + 1, "name": f"演练{n + 1}", "document": {"type": "passport", "number": f"REHEARSAL{n + 1}"}}
            for n in range(candidates)
        ],
        "staff": [
            {"id": proctor.id, "name": proctor.name, "role": proctor.role, "badge": proctor.badge, "pin_hash": pin}
        ],
    }


def open_the_door(room: ScratchRoom) -> tuple[Person, list[str]]:
    """Draw the papers and let everybody in; the signed-in proctor and the seat codes."""
    proctor = Person(room.base, room.proctor)
    proctor.sign_in("/console/")
    proctor.post(f"/console/api/{SESSION}/open-checkin")
    connection = open_room(room.config.paths.room_db)
    try:
        *most, last = people.candidates(connection, SESSION)
        for who in most:
            admissions.admit(connection, SESSION, who.person, route="manual", reason="admitted_manual", by=None)
        # the last at the console: its answer comes once `web` knows all of them
        proctor.post(f"/console/api/{SESSION}/admit", person=last.person, route="manual", reason="演练")
        return proctor, [str(who.seat_code) for who in people.candidates(connection, SESSION)]
    finally:
        connection.close()


def begin(proctor: Person) -> None:
    """Start the exam for everybody."""
    proctor.post(f"/console/api/{SESSION}/start")
