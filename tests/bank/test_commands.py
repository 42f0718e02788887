"""`examroom bank` as a person types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from openpyxl import load_workbook

from edge.bank.build import content_of, sample_bank
from edge.bank.commands import as_local
from edge.bank.model import parse_bank
from edge.cli import main
from edge.config import load_config
from edge.trust import dsse, enrolment
from edge.trust.seal import read_manifest
from edge.trust.signer import Ed25519Signer


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(content_of(sample_bank()))
    return found


def test_export_import_and_back(tmp_path: Path) -> None:
    package, out = tmp_path / "p.zip", tmp_path / "bank.json"
    assert run("bank", "export", "sample", "--out", str(package)).exit_code == 0
    assert run("bank", "export", "sample", "--out", str(package)).exit_code == 2
    done = run("bank", "import", str(package), "--out", str(out), "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["items"] == len(sample_bank().items)
    assert parse_bank(out.read_bytes()) == sample_bank()
    again = run("bank", "import", str(package), "--out", str(out))
    assert again.exit_code == 2 and "没有改动" in again.output
    assert run("bank", "import", str(package), "--out", str(out), "--replace").exit_code == 0
    folder = tmp_path / "folder"
    assert run("bank", "import", str(package), "--out", str(folder), "--name", "new", "--title", "新").exit_code == 0
    assert json.loads(run("bank", "inspect", str(folder), "--json").output)["bank"] == "new"


def test_two_files_become_one_bank_and_a_clash_none(tmp_path: Path) -> None:
    package, out = tmp_path / "p.zip", tmp_path / "bank.json"
    run("bank", "export", "sample", "--out", str(package))
    twice = run("bank", "import", str(package), str(package), "--out", str(out), "--json")
    assert twice.exit_code == 1
    problems = json.loads(twice.output)["problems"]
    assert {problem["code"] for problem in problems} >= {"bank_item_twice"}
    assert not out.exists()


def test_the_template_and_its_problems(tmp_path: Path) -> None:
    file, out = tmp_path / "t.xlsx", tmp_path / "bank.json"
    assert run("bank", "template", str(file)).exit_code == 0
    assert run("bank", "template", str(file)).exit_code == 2
    book = load_workbook(file)
    book["题库"]["B1"], book["题库"]["B2"] = "b", "题库"
    for column, value in ((1, "Q1"), (3, "单选"), (4, "几个？"), (5, "一"), (6, "二"), (13, "C")):
        book["题目"].cell(2, column, value)
    book.save(file)
    words = [
        "--test",
        "safety",
        "--topic",
        "t",
        "--difficulty",
        "1",
        "--standard",
        "s",
        "--edition",
        "1",
        "--clause",
        "2",
    ]
    wrong = run("bank", "import", str(file), "--out", str(out), *words)
    assert wrong.exit_code == 1 and "题目!M2" in wrong.output and "Q1" in wrong.output
    assert not out.exists()
    book["题目"].cell(2, 13, "B")
    book.save(file)
    right = run("bank", "import", str(file), "--out", str(out), *words, "--local", "--sample")
    assert right.exit_code == 0, right.output
    (item,) = parse_bank(out.read_bytes()).items
    assert item.local and item.sample and item.source.title == "s"


def test_lint_by_exit_code_and_json(tmp_path: Path) -> None:
    made = document()
    made["items"].append(made["items"][0] | {"id": "again", "template": "again"})
    file = tmp_path / "bank.json"
    file.write_text(json.dumps(made))
    wrong = run("bank", "lint", str(file), "--json")
    assert wrong.exit_code == 1
    codes = {finding["code"]: finding for finding in json.loads(wrong.output)}
    assert codes["bank_duplicate"]["items"] == [made["items"][0]["id"], "again"]
    assert codes["bank_duplicate"]["severity"] == "error"
    made["items"][0]["answer"], made["items"][1]["stem"] = ["Z"], ""
    made["items"][2]["media"] = [{"name": "none.png", "alt": "x"}]
    file.write_text(json.dumps(made))
    broken = run("bank", "lint", str(file), "--json")
    assert broken.exit_code == 1
    assert [(p["code"], p["item"]) for p in json.loads(broken.output)] == [
        ("bank_answer_unknown", made["items"][0]["id"]),
        ("bank_field_empty", made["items"][1]["id"]),
        ("bank_media_missing", made["items"][2]["id"]),
    ]


def test_pictures_of_a_folder(tmp_path: Path) -> None:
    made = document()
    media = made.pop("media")
    (tmp_path / "media").mkdir()
    import base64

    for name, one in media.items():
        (tmp_path / "media" / name).write_bytes(base64.b64decode(one["data"]))
    (tmp_path / "items.json").write_text(json.dumps(made))
    shown = json.loads(run("bank", "inspect", str(tmp_path), "--json").output)
    assert shown["media"]["files"] == len(media) and shown["fingerprint"]


@pytest.fixture
def room(tmp_path: Path) -> tuple[Path, Any]:
    config = tmp_path / "examroom.toml"
    config.write_text(f'[paths]\nstate = "{tmp_path / "state"}"\nruntime = "{tmp_path / "run"}"\n')
    done = run("--config", str(config), "enrol", "--local", "学校", "--room", "R1")
    assert done.exit_code == 0, done.output
    return config, load_config(config).paths


def test_sealing_for_a_room_and_looking_inside(tmp_path: Path, room: tuple[Path, Any]) -> None:
    config, paths = room
    identity = enrolment.load(paths)
    sealed = tmp_path / "sealed.bundle"
    words = ["--root-key", str(paths.keys / "root.key"), "--certificate", str(paths.trust / "certificate.json")]
    made = document()
    made["items"].append(made["items"][0] | {"id": "again"})
    twice = tmp_path / "twice.json"
    twice.write_text(json.dumps(made))
    for named in ("--root-key", "--certificate"):
        wrong = run("bank", "build", "sample", *words, named, str(twice), "--out", str(sealed))
        assert wrong.exit_code == 2 and not sealed.exists(), wrong.output
    stranger = tmp_path / "stranger.key"
    Ed25519Signer.generate().save(stranger)
    assert run("bank", "build", "sample", *words, "--root-key", str(stranger), "--out", str(sealed)).exit_code == 2
    refused = run("bank", "build", str(twice), *words, "--out", str(sealed))
    assert refused.exit_code == 1 and not sealed.exists()
    assert run("bank", "build", str(twice), *words, "--out", str(sealed), "--force-unlinted").exit_code == 0
    assert read_manifest(sealed.read_bytes(), [identity.root_public]).facts["lint_errors"] == 1
    local = run("bank", "build", "sample", *words, "--out", str(sealed), "--local")
    assert local.exit_code == 0, local.output
    assert read_manifest(sealed.read_bytes(), [identity.root_public]).facts["local"] is True
    shown = run("--config", str(config), "bank", "inspect", str(sealed), "--json")
    assert shown.exit_code == 0, shown.output
    figures = json.loads(shown.output)
    assert figures["local"] == figures["items"] == len(sample_bank().items)
    for item in sample_bank().items:
        assert item.stem not in shown.output
    with_keys = run("--config", str(config), "bank", "inspect", str(sealed), "--json", "--keys")
    assert json.loads(with_keys.output)["keys"][0]["answer"]
    assert run("--config", str(tmp_path / "none.toml"), "bank", "inspect", str(sealed)).exit_code != 0


def test_local_marks_every_question() -> None:
    made = as_local(sample_bank())
    assert all(item.local and all(sub.local for sub in getattr(item, "items", ())) for item in made.items)
    assert dsse.BUNDLE
