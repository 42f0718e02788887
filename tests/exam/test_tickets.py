"""Tickets by command: made for a session, read off the sheet as a camera would, revoked by their number."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge.cli import main
from edge.config import to_toml
from edge.demo import people as cast
from edge.domain.canonical import canonical
from edge.errors import VerificationFailed
from edge.store import ledger, sessions
from edge.trust.signer import Ed25519Signer
from edge.trust.ticket import Ticket, TicketTrust
from support.rooms import DeskRoom


class Box:
    def __init__(self, desk: DeskRoom, folder: Path) -> None:
        self.desk, self.folder, self.file = desk, folder, folder / "examroom.toml"
        self.file.write_text(to_toml(desk.config))
        self.root_key = desk.config.paths.keys / "root.key"
        self.sheet = folder / "sheet.html"

    def run(self, *words: object) -> Result:
        command = ["--config", str(self.file), "session", "tickets", *map(str, words)]
        return CliRunner().invoke(main, command, catch_exceptions=False)

    def make(self, *words: object, root_key: Path | None = None) -> Result:
        return self.run("make", *words, "--root-key", root_key or self.root_key, "--out", self.sheet, "--json")


@pytest.fixture
def box(desk: DeskRoom, tmp_path: Path) -> Box:
    return Box(desk, tmp_path)


def test_made_for_everybody_and_revoked_by_number(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = []
    real = __import__("segno").make
    monkeypatch.setattr("edge.exam.ticket_commands.segno.make", lambda t, **k: texts.append(t) or real(t, **k))
    done = box.make(box.desk.session)
    assert done.exit_code == 0, done.output
    made = json.loads(done.output)["tickets"]
    trust = TicketTrust(box.desk.config.paths.trust, [box.desk.identity.root_public])
    planned_ms = sessions.find(box.desk.db, box.desk.session).planned_ms
    found = [trust.check(text, planned_ms) for text in texts]
    assert found == [Ticket(box.desk.session, one["number"], planned_ms + 86_400_000, one["id"]) for one in made]
    assert [one.number for one in found] == [1, 2, 3, 4, 5, 6]
    sheet = box.sheet.read_text()
    assert sheet.count("<svg") == 6 and all(one["id"] in sheet for one in made)
    assert not re.search(r"https?://(?!www\.w3\.org)", sheet)
    assert box.sheet.stat().st_mode & 0o077 == 0
    assert ledger.entries(box.desk.db, kinds=("tickets_made",))[-1].body["tickets"] == 6

    listed = box.folder / "revoked.json"
    number = made[2]["id"].upper()
    assert box.run("revoke", number, "--root-key", box.root_key, "--list", listed).exit_code == 0
    assert box.run("take-in", listed).exit_code == 0
    with pytest.raises(VerificationFailed) as error:
        trust.check(texts[2], planned_ms)
    assert error.value.code == "ticket_revoked"
    assert trust.check(texts[3], planned_ms).number == 4
    assert ledger.entries(box.desk.db, kinds=("tickets_revoked",))[-1].body == {"serial": 2, "tickets": 1}


def test_a_province_makes_them_from_its_roster(box: Box) -> None:
    roster = box.folder / "roster.json"
    roster.write_bytes(canonical(cast.roster("S-9", 1_800_000_000_000, size=3)))
    key = box.folder / "root.key"
    Ed25519Signer.generate().save(key)
    done = box.make("--roster", roster, root_key=key)
    assert [one["number"] for one in json.loads(done.output)["tickets"]] == [1, 2, 3]


def test_what_is_wrong_is_said_and_changes_nothing(box: Box) -> None:
    other = box.folder / "other.key"
    Ed25519Signer.generate().save(other)
    listed = box.folder / "revoked.json"
    refused = [
        (box.make(), "--roster"),
        (box.make("S-unknown"), ""),
        (box.make(box.desk.session, root_key=other), "root"),
        (box.run("revoke", "17", "--root-key", box.root_key, "--list", listed), "16"),
    ]
    assert box.run("revoke", "0" * 16, "--root-key", other, "--list", listed).exit_code == 0
    refused.append((box.run("take-in", listed), ""))
    for done, word in refused:
        assert done.exit_code != 0 and word in done.output
    assert not box.sheet.exists()
    assert TicketTrust(box.desk.config.paths.trust, [box.desk.identity.root_public]).revoked().ids == []
