"""Making a scratch room: keys of its own, a bank sealed to them, a session with a class, and the way in.

It is the real room's web options and second medium that it gets, in folders of its own that are removed afterwards.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

from edge import clock
from edge.bank.build import content_of, sample_bank
from edge.bank.model import BankDocument
from edge.config import Config, parse_config
from edge.domain.canonical import canonical
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.ops.desk import Person, StaffMember
from edge.ops.ports import free_port
from edge.ops.rehearsal.room import ScratchRoom
from edge.store import admissions, people
from edge.store.db import open_room
from edge.trust import enrolment
from edge.trust.seal import seal_bundle
from edge.trust.signer import Ed25519Signer

SESSION, ROOM = "REHEARSAL", "rehearsal"
DAY_MS = 86_400_000
COLUMNS = 10
SPARE_THREADS = 16
SIGN_S = 1.5
NAME = "rehearsal-"


@dataclass(frozen=True)
class Exam:
    """What is rehearsed: a bank and its blueprint, and the share of local items that the session's policy allows."""

    bank: BankDocument
    blueprint: dict[str, Any]
    local_share: int = 0
    session: str | None = None
    """The session it is for; None: for none."""
    drawn_from: str | None = None
    """The fingerprint of that session's papers, also where the sample bank stands in for one that is still locked."""


def sample_exam() -> Exam:
    bank = sample_bank()
    return Exam(bank, bank.blueprints[0].model_dump(mode="json"))


def make(parent: Path, candidates: int, real: Config, host: str, exam: Exam) -> ScratchRoom:
    """A scratch room under `parent` with one planned session of `candidates`, who sit `exam`.

    `real`: the configuration that an exam would be held under. OSError when its second medium cannot be written to.
    """
    name = f"{NAME}{os.getpid()}-{clock.wall_ms()}"
    folder = parent / name
    mirror = real.store.mirror / name if real.store.mirror is not None else None
    made = [one for one in (folder, mirror) if one is not None]
    paths = {which: str(folder / which) for which in ("state", "runtime", "recordings", "models", "tls")}
    web: dict[str, Any] = {"threads": max(real.web.threads, candidates + SPARE_THREADS), "cpu": real.web.cpu}
    web |= {"host": host, "port": free_port(host)}
    # its answers are nobody's: they need no reserve, and must not take the real room's disk
    store: dict[str, Any] = {"reserve_mb": 0}
    if mirror is not None:
        store |= {"mirror": str(mirror)}
        if real.store.mirror_secret is not None:
            store |= {"mirror_secret": str(real.store.mirror_secret)}
    try:
        folder.mkdir(parents=True)
        if mirror is not None:
            mirror.mkdir()  # not its parents: a medium that is not there must not become a folder
        config = parse_config({"paths": paths, "web": web, "store": store})
        enrolment.certify_locally(config.paths, "演练 rehearsal", ROOM, 1, clock.wall_ms())
        # its PIN is known to this process alone
        proctor = StaffMember("R", "演练", "proctor", "REHEARSAL", secrets.token_hex(8))
        _plan(config, candidates, proctor, exam)
        return ScratchRoom(made, config, proctor)
    except BaseException:
        for one in made:
            shutil.rmtree(one, ignore_errors=True)
        raise


def sweep(parent: Path, mirror: Path | None) -> None:
    """End and remove what rehearsals left whose own process is gone, killed before it could tidy up."""
    for place in (parent, mirror):
        for folder in place.glob(f"{NAME}*-*") if place is not None else ():
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
    proctor.post(f"/console/api/{SESSION}/open-checkin", reason="演练")
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
    proctor.post(f"/console/api/{SESSION}/start", reason="演练")


def call_the_hand_in(proctor: Person) -> None:
    """Stop the clock for a moment and let it go on: other machines' candidates take that for the sign to hand in."""
    proctor.post(f"/console/api/{SESSION}/pause", reason="演练")
    time.sleep(SIGN_S)
    proctor.post(f"/console/api/{SESSION}/resume", reason="演练")
