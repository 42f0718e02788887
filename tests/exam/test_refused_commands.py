"""What is refused by command: a sentence, exit code 2 for a wrong file, a ledger entry, nothing left behind."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from openpyxl import load_workbook

from edge import clock
from edge.bank.build import content_of, sample_bank
from edge.cli import main
from edge.demo.people import STAFF
from edge.store import bundles, ledger, sessions
from edge.trust.seal import SealKey, seal_bundle
from edge.trust.signer import Ed25519Signer
from support.rooms import DAY_MS, DeskRoom, make_desk_room
from support.serving import write_config


class Box:
    """A room, its commands and a folder to give files from."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.desk: DeskRoom = make_desk_room(folder, size=1)
        self.file = write_config(self.desk.config, folder)
        self.roster = folder / "roster.xlsx"
        assert self.run("session", "template", self.roster).exit_code == 0
        self.fill(E2="135790", E3="135790")
        self.fill("考生", B2="张建国")

    def fill(self, sheet: str = "工作人员", **cells: str) -> None:
        book = load_workbook(self.roster)
        for place, value in cells.items():
            book[sheet][place] = value
        book.save(self.roster)

    def run(self, *words: object) -> Result:
        return CliRunner().invoke(main, ["--config", str(self.file), *map(str, words)], catch_exceptions=False)

    def bundle(self, name: str = "b.bundle", **change: Any) -> Path:
        here, now = self.desk.identity.certificate, clock.wall_ms()
        root = Ed25519Signer.load(self.desk.config.paths.keys / "root.key")
        facts = {"rooms": {here.room: here.seal_public}, "signers": [root]} | change
        times = {"not_before_ms": now - DAY_MS, "expires_ms": now + DAY_MS} | facts
        bank = sample_bank()
        file = self.folder / name
        file.write_bytes(seal_bundle("bank", bank.bank, 3, content_of(bank), facts={}, **times))
        return file

    def create(self, bank: Path) -> Result:
        return self.run("session", "create", "--roster", self.roster, "--bank", bank)

    def refusals(self) -> list[tuple[str, str]]:
        return [(e.body["act"], e.body["reason"]) for e in ledger.entries(self.desk.db, kinds=("act_refused",))]

    def kept(self) -> list[str]:
        return sorted(file.name for file in self.desk.config.paths.bundles.iterdir())


@pytest.fixture
def box(tmp_path: Path) -> Any:
    made = Box(tmp_path)
    yield made
    made.desk.db.close()


def test_a_bundle_that_is_not_what_it_has_to_be_is_wrong_input(box: Box) -> None:
    now = clock.wall_ms()
    flipped = box.bundle("flipped")
    data = bytearray(flipped.read_bytes())
    data[-1] ^= 1
    flipped.write_bytes(data)
    for file, code in (
        (flipped, "bundle_content"),
        (box.bundle("expired", expires_ms=now - 1000), "bundle_expired"),
        (box.bundle("early", not_before_ms=now + DAY_MS), "bundle_early"),
        (box.bundle("other", rooms={"room-9": SealKey.generate().public}), "bundle_other_room"),
        (box.bundle("stranger", signers=[Ed25519Signer.generate()]), "signature_wrong"),
    ):
        done = box.create(file)
        assert (done.exit_code, len(done.output.splitlines())) == (2, 2), done.output
        assert box.refusals()[-1] == ("session create", code)
    assert box.kept() == ["bank-1.bundle"]
    verified = box.run("verify", flipped, "--root", box.desk.config.paths.trust / "root.pub")
    assert verified.exit_code == 1, "a check that fails is no wrong usage"


def test_a_roster_refused_at_the_last_leaves_no_bundle_behind(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = box.bundle()
    box.fill("考场", B1="S-1")
    assert (box.create(bank).exit_code, box.kept()) == (2, ["bank-1.bundle"])
    box.fill("考场", B1="S-7")

    def fail(*_: object) -> None:
        raise sqlite3.IntegrityError

    with monkeypatch.context() as patch:
        patch.setattr(bundles, "put", fail)
        assert (box.create(bank).exit_code, box.kept()) == (2, ["bank-1.bundle"])
    assert box.refusals() == [("session create", "session_exists"), ("session create", "roster_clash")]
    assert [s.id for s in sessions.all_sessions(box.desk.db)] == ["S-1"]
    assert box.create(bank).exit_code == 0 and len(box.kept()) == 2


def test_every_refused_command_of_somebody_is_in_the_ledger(box: Box) -> None:
    broken = box.folder / "receipts.json"
    broken.write_text('{"format": "nonsense"}')
    span = ("--from", "yesterday", "--until", "now", "--why", "x", "--by", "S-001", "--out", box.folder / "e.zip")
    nobody = ("--badge", "0000", "--pin", "1", "--reason", "到时间")
    examiner = ("--badge", STAFF[1].badge, "--pin", STAFF[1].pin, "--reason", "到时间")
    for words, act, reason in (
        (("session", "close", "S-1", *nobody), "session close", "no_proctor_badge"),
        (("session", "close", "S-9", *nobody), "session close", "session_unknown"),
        (("session", "close", "S-1", *examiner), "session close", "no_proctor_badge"),
        (("enrol", "--url", "https://a.example", "--token", "nonsense"), "enrol", "token_malformed"),
        (("uplink", "import", broken), "uplink import", "body_wrong"),
        (("footage", "export", "--camera", "door", *span), "footage export", "moment_wrong"),
        (("session", "results", "S-9"), "session results", "session_unknown"),
        (("session", "results", "S-1"), "session results", "session_state"),
        (("uplink", "resend"), "uplink resend", "gateway_unset"),
        (("uplink", "export", box.folder / "nowhere" / "out.json"), "uplink export", "file_unreadable"),
        (
            ("session", "policy", "sign", broken, "--root-key", broken, "--out", "x"),
            "session policy sign",
            "policy_broken",
        ),
        (("restore", "--from", box.folder), "restore", "restore_not_empty"),
    ):
        done = box.run(*words)
        assert done.exit_code in (1, 2) and len(done.output.splitlines()) == 2, done.output
        assert box.refusals()[-1] == (act, reason)


def test_a_file_that_fails_and_a_wrong_option_are_in_the_ledger_too(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    bank, number = box.bundle(), len(box.refusals())
    for words in (
        ("--roster", box.roster, "--bank", box.folder / "nowhere.bundle"),
        ("--roster", box.roster, "--bank", bank, "--nope"),
        ("--roster", box.roster),
    ):
        assert box.run("session", "create", *words).exit_code == 2
        assert box.refusals()[number:] == [("session create", "command_misused")]
        number += 1
    assert box.run("session", "list", "--nope").exit_code == 2
    read = Path.read_bytes

    def fail(path: Path) -> bytes:
        if path == bank:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", fail)
    done = box.create(bank)
    assert (done.exit_code, len(done.output.splitlines())) == (1, 2), done.output
    assert box.refusals()[number:] == [("session create", "file_failed")], "and what acts on nothing is not entered"


def test_before_there_is_a_room_a_refusal_makes_none(tmp_path: Path) -> None:
    file = tmp_path / "examroom.toml"
    file.write_text(f'[paths]\nstate = "{tmp_path / "state"}"\n')
    done = CliRunner().invoke(main, ["--config", str(file), "enrol", "--url", "https://a.example", "--token", "x"])
    assert done.exit_code == 2 and not (tmp_path / "state").exists()
