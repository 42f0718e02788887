"""Passes by command: at a site that is its own root, and at the province."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from edge.cli import main
from edge.config import to_toml
from edge.errors import Refused
from edge.store import ledger
from edge.trust.passes import PASSES, Pass, PassTrust, check, need_good, text_in
from edge.trust.revoked import open_revoked
from edge.trust.signer import Ed25519Signer
from support.gateways import make_province
from support.rooms import DeskRoom

TERMS = ("--holder", "李检查", "--room", "room-1", "--from", "2026-11-28", "--until", "2026-11-28 18:30")


def run(*words: object, config: Path | None = None) -> Result:
    given = ["--config", str(config)] if config else []
    return CliRunner().invoke(main, [*given, *map(str, words)], catch_exceptions=False)


def test_a_site_of_its_own_makes_and_revokes_passes(desk: DeskRoom, tmp_path: Path) -> None:
    config, root = tmp_path / "examroom.toml", desk.config.paths.keys / "root.key"
    config.write_text(to_toml(desk.config))
    code, file = tmp_path / "pass.svg", tmp_path / "pass.txt"
    made = run("pass", "make", "--root-key", root, *TERMS, "--hours", 2, "--out", code, "--out", file, config=config)
    assert made.exit_code == 0, made.output
    assert "XP1:" not in made.output, "what is on a file is not on the screen"
    keys = [desk.identity.root_public]
    found = check(text_in(file.read_text()), keys)
    assert check(text_in(code.read_text()), keys) == found
    assert (found.name, found.rooms, found.export) == ("李检查", ["room-1"], False)
    assert found.until_ms - found.from_ms == 18.5 * 3_600_000
    assert code.stat().st_mode & 0o077 == 0
    body = ledger.entries(desk.db, kinds=("pass_made",))[-1].body
    assert body["id"] == found.id and "name" not in body

    trust = PassTrust(desk.config.paths.trust, keys)
    trust.need_good(found, "room-1", found.not_before_ms)
    listed = tmp_path / "list.json"
    assert run("pass", "revoke", found.id.upper(), "--root-key", root, "--list", listed).exit_code == 0
    assert run("pass", "take-in", listed, config=config).exit_code == 0
    with pytest.raises(Refused) as error:
        trust.need_good(found, "room-1", found.not_before_ms)
    assert error.value.code == "pass_revoked"
    assert ledger.entries(desk.db, kinds=("passes_revoked",))[-1].body == {"serial": 2, "passes": 1}


def test_what_is_wrong_is_said_and_makes_nothing(desk: DeskRoom, tmp_path: Path) -> None:
    config, root = tmp_path / "examroom.toml", desk.config.paths.keys / "root.key"
    config.write_text(to_toml(desk.config))
    there, other, out = tmp_path / "there.txt", tmp_path / "other.key", tmp_path / "new.svg"
    there.write_text("x")
    Ed25519Signer.generate().save(other)
    many = [word for n in range(100) for word in ("--room", f"{n:064d}")]
    for words in (
        (*TERMS, "--out", there),
        (*TERMS, "--room", "no room"),
        (*TERMS, "--until", "2026-11-27"),
        (*TERMS, "--hours", "0"),
        (*TERMS, "--from", "yesterday"),
        (*TERMS[:2], *TERMS[4:], *many, "--out", out),
    ):
        told = run("pass", "make", "--root-key", root, *words, config=config)
        assert told.exit_code == 2, told.output
    assert run("pass", "make", "--root-key", there, *TERMS).exit_code == 2
    assert run("pass", "revoke", "17", "--root-key", root, "--list", tmp_path / "l").exit_code == 2
    assert run("pass", "revoke", "0" * 16, "--root-key", other, "--list", tmp_path / "l").exit_code == 0
    assert run("pass", "take-in", tmp_path / "l", config=config).exit_code == 1
    assert there.read_text() == "x" and not out.exists()
    assert ledger.entries(desk.db, kinds=("pass_made", "passes_revoked")) == []
    assert run("pass", "make", "--root-key", other, *TERMS, config=config).exit_code == 0
    assert ledger.entries(desk.db, kinds=("pass_made",)) == [], "another root's pass is nothing to this room"


def test_the_province_knows_whose_pass_an_id_is(tmp_path: Path) -> None:
    folder = tmp_path / "province"
    province = make_province(folder)
    province.close()
    told = run("gateway", "pass", "make", "--dir", folder, *TERMS, "--room", "room-2", "--export", "--json")
    assert told.exit_code == 0, told.output
    facts = json.loads(told.output)
    found = check(facts["text"], [province.root.public])
    assert (found.id, found.rooms, found.export) == (facts["id"], ["room-1", "room-2"], True)
    need_good(found, (), "room-2", found.expires_ms - 1)
    listed = json.loads(run("gateway", "pass", "list", "--dir", folder, "--json").output)
    assert [(one["id"], one["name"], one["revoked_ms"]) for one in listed] == [(found.id, "李检查", None)]

    unknown = run("gateway", "pass", "revoke", found.id, "0" * 16, "--dir", folder)
    assert unknown.exit_code == 2 and "0000" in unknown.output
    assert not (folder / PASSES.name).exists()
    assert json.loads(run("gateway", "pass", "list", "--dir", folder, "--json").output) == listed, "all or none"
    assert run("gateway", "pass", "revoke", found.id, "--dir", folder).exit_code == 0
    revoked = open_revoked((folder / PASSES.name).read_bytes(), PASSES, [province.root.public])
    assert revoked.ids == [found.id]
    assert "已收回" in run("gateway", "pass", "list", "--dir", folder).output
    assert isinstance(found, Pass)
