"""20 power cuts of a whole virtual machine under load: no acknowledged answer is missing after any of them.

QEMU is killed with SIGKILL and started again from the same disk. The disk is opened with `cache=directsync`: each write
that the guest sends is on it, flushed or not, so that a cut takes the guest's memory, its page cache too, and nothing
of a disk's own cache. No camera runs in it (its unit is masked): footage is cut off in `test_vm_footage.py`. Run by
`make vmkill`, which makes the disk (`provisioning/vmtest.sh`).
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from bench.limits import misses
from bench.measured import record
from edge.demo.people import STAFF
from edge.ops.desk import Person
from edge.ops.ports import free_port
from edge.ops.rehearsal.tablet import Candidate, Heard, Pace
from edge.ops.rehearsal.tally import Wrongs, hold_against
from edge.store.db import connect

pytestmark = [pytest.mark.soak, pytest.mark.vm]

VM = Path(__file__).parents[2] / "build" / "vm" / os.environ.get("VMTEST_SUITE", "bookworm")
KILLS = int(os.environ.get("VM_KILLS", "20"))
CANDIDATES = 10
BOOT_SECONDS = 600
TICK_MS = 3000
"""The exam clock is on disk every second; a cut may take that much of what the console has shown."""
CA = VM / "ca.crt"
NEEDED = ("disk.img", "vmlinuz", "initrd", CA.name)
"""What provisioning/vmtest.sh leaves there with VMTEST_KEEP=1."""
SESSION = "S-VM"
MASKED = ["vmtest", "examroom-camera@door", "examroom-checkin", "examroom-uplink"]

PLAN = f"""
import time
from edge import clock
from edge.bank.build import content_of, sample_bank
from edge.config import load_config
from edge.demo import people
from edge.domain.canonical import canonical
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.store.db import open_room
from edge.trust import enrolment
from edge.trust.seal import seal_bundle
from edge.trust.signer import Ed25519Signer

config = load_config()
here, bank, now = enrolment.load(config.paths), sample_bank(), clock.wall_ms()
sealed = seal_bundle("bank", bank.bank, 1, content_of(bank), {{here.certificate.room: here.certificate.seal_public}},
    [Ed25519Signer.load(config.paths.keys / "root.key")], not_before_ms=now - 86_400_000,
    expires_ms=now + 86_400_000, facts={{}})
config.paths.bundles.mkdir(parents=True, exist_ok=True)
(config.paths.bundles / "bank.bundle").write_bytes(sealed)
roster = parse_roster(canonical(people.roster("{SESSION}", now, size={CANDIDATES}, minutes=600, photos=False)))
take_in(open_room(config.paths.room_db), roster, parse_policy(canonical(people.POLICY)),
    room=here.certificate.room, bank_file="bank.bundle", data_key=here.keys.data)
"""


class Machine:
    """The box, as a virtual machine with a plug that can be pulled. `drive`: QEMU's options for its disk."""

    def __init__(self, disk: Path, drive: tuple[str, ...] = (), masked: Sequence[str] = MASKED) -> None:
        self._drive = drive or ("-drive", f"file={disk},format=raw,if=virtio,cache=directsync")
        self._masked = masked
        self.console = VM / "kill-console.log"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def base(self) -> str:
        return f"https://localhost:{self.port}"

    def power_on(self) -> float:
        """Seconds until the exam page's server answers."""
        append = "root=/dev/vda rw console=ttyS0 net.ifnames=1 " + " ".join(
            f"systemd.mask={m}.service" for m in self._masked
        )
        command = [
            "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "1024", "-nodefaults",
            "-no-reboot", "-display", "none", "-kernel", str(VM / "vmlinuz"), "-initrd", str(VM / "initrd"),
            "-append", append, *self._drive,
            "-device", "virtio-rng-pci", "-netdev", f"user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:443",
            "-device", "virtio-net-pci,netdev=n", "-serial", f"file:{self.console}",
        ]  # fmt: skip
        began = time.monotonic()
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while time.monotonic() - began < BOOT_SECONDS:
            assert self._process.poll() is None, "the machine stopped"
            with suppress(requests.RequestException):
                if requests.get(f"{self.base}/healthz", timeout=5, verify=str(CA)).ok:
                    return time.monotonic() - began
            time.sleep(0.5)
        raise AssertionError(f"no answer in {BOOT_SECONDS} s")

    def stand_still(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WNOWAIT)

    def go_on(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def pull_the_plug(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()


def copy_of_disk(name: str) -> Path:
    """A copy of the machine's disk, or the test is skipped with what is missing."""
    lacking = [name for name in NEEDED if not (VM / name).exists()]
    if lacking or os.geteuid() != 0 or shutil.which("qemu-system-x86_64") is None:
        pytest.skip(f"run by `make vmkill` as root, which makes {', '.join(lacking) or 'the machine'} first")
    copy = VM / name
    subprocess.run(["cp", "--sparse=always", str(VM / "disk.img"), str(copy)], check=True)
    return copy


@contextmanager
def mounted(disk: Path) -> Iterator[Path]:
    """The folder under which the disk's files are."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["mount", "-o", "loop", str(disk), folder], check=True)
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


@pytest.fixture
def disk() -> Path:
    """A copy of the machine's disk with a planned session on it."""
    copy = copy_of_disk("kill.img")
    with mounted(copy) as root:
        inside = ["chroot", "--userspec=examroom:examroom", str(root), "/opt/examroom/bin/python", "-"]
        subprocess.run(inside, input=PLAN.encode(), check=True)
    return copy


def test_pulling_the_plug_loses_no_acknowledged_answer(disk: Path) -> None:
    machine = Machine(disk)
    chance = random.Random(20)
    heard, stop, handin = Heard(), threading.Event(), threading.Event()
    try:
        boots = [machine.power_on()]
        codes = _open(machine)
        pace = Pace(0.3, 1_000_000)
        crowd = [Candidate(machine.base, code, pace, heard, n, str(CA)) for n, code in enumerate(codes)]
        threads = [threading.Thread(target=who.sit, args=(stop, handin), daemon=True) for who in crowd]
        for thread in threads:
            thread.start()
        for _ in range(KILLS):
            _more_than(heard, len(heard.told) + CANDIDATES)
            time.sleep(chance.uniform(0.5, 6.0))
            left = _left(machine)
            machine.pull_the_plug()
            boots.append(machine.power_on())
            assert _left(machine) <= left + TICK_MS, "the exam's time has gone back"
        _more_than(heard, len(heard.told) + CANDIDATES)
        stop.set()
        for thread in threads:
            thread.join(60)
        assert not heard.problems, heard.problems[:3]
    finally:
        stop.set()
        machine.pull_the_plug()
    wrong = _wrongs(disk, heard)
    figures = {
        "kills": KILLS,
        "acknowledged": len(heard.told),
        "lost": wrong.lost,
        "doubled": wrong.doubled,
        "changed": wrong.changed,
        "sent_again": heard.retries,
        "boot_seconds_median": round(sorted(boots)[len(boots) // 2]),
    }
    record("vm_kills", figures)
    print(figures)
    assert not wrong
    assert not misses("vm_kills", figures)


def _open(machine: Machine) -> list[str]:
    """Door open, everybody in by the console, exam begun; the seat codes."""
    proctor = Person(machine.base, STAFF[0], verify=str(CA))
    proctor.sign_in("/console/")
    board: dict[str, Any] = proctor.post(f"/console/api/{SESSION}/open-checkin", reason="开考")["board"]
    for seat in board["seats"]:
        if seat.get("person"):
            facts = {"person": seat["person"], "reason": "VM"}
            board = proctor.post(f"/console/api/{SESSION}/admit", **facts)["board"]
    proctor.post(f"/console/api/{SESSION}/start", reason="开考")
    proctor.close()
    return [seat["seat_code"] for seat in board["seats"] if seat.get("seat_code")]


def _more_than(heard: Heard, count: int) -> None:
    end = time.monotonic() + 300
    while len(heard.told) <= count:
        assert time.monotonic() < end, f"no more than {len(heard.told)} answers; {heard.problems[:3]}"
        time.sleep(0.1)


def _left(machine: Machine) -> int:
    """The exam's time left as the console shows it, milliseconds."""
    proctor = Person(machine.base, STAFF[0], verify=str(CA))
    try:
        proctor.sign_in("/console/")
        return int(proctor.get(f"/console/api/{SESSION}/board")["session"]["clock"]["left"])
    finally:
        proctor.close()


def _wrongs(disk: Path, heard: Heard) -> Wrongs:
    """What was acknowledged against what is on the disk, read on the host after the last power cut."""
    with mounted(disk) as root, closing(connect(root / "var/lib/examroom/answers.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return hold_against(connection, heard.told, heard.sent)
