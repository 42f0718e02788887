"""The command: sentences and exit codes for what people get wrong, and a whole small site without a gateway."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from openpyxl import load_workbook

from edge.bank.build import item_fields, sample_bank
from edge.cli import main
from edge.config import Config, load_config, to_toml
from edge.exam.banks import open_bank
from edge.store import ledger, sessions
from edge.store.db import open_room
from edge.trust import enrolment
from support.rooms import make_config


def run(*words: str, config: Path | None = None) -> Result:
    before = ["--config", str(config)] if config else []
    return CliRunner().invoke(main, [*before, *words], catch_exceptions=False)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    file = tmp_path / "examroom.toml"
    file.write_text(to_toml(make_config(tmp_path)))
    return file


def config_of(site: Path) -> Config:
    return load_config(site)


def test_help_names_every_command() -> None:
    shown = run("--help").output
    for name in (
        "run",
        "service",
        "demo",
        "enrol",
        "verify",
        "verify-page",
        "session",
        "uplink",
        "bank",
        "faces",
        "footage",
        "gateway",
    ):
        assert f"\n  {name} " in shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[web]\nport = 99999\n", "web.port"),
        ("[web]\nprot = 80\n", "web.prot"),
        ("[camera.Door]\n", "camera.Door"),
        ("not toml", "TOML"),
        ("a = " + "[" * 20_000, "TOML"),
        ("a = " + "1" * 6000, "TOML"),
        ("[web]\nport = true\n", "web.port"),
        ("[web]\ncpu = true\n", "web.cpu"),
        ("[store]\nmirror = true\n", "store.mirror"),
        ('[paths]\nstate = "a\\u0000b"\n', "paths.state"),
        ("[gateway]\npoll_seconds = nan\n", "gateway.poll_seconds"),
        ('[gateway]\nurl = "nonsense"\n', "gateway.url"),
        ('[gateway]\nurl = "http://plain.example"\n', "gateway.url"),
        ('[gateway]\nurl = "https://a.example:99999"\n', "gateway.url"),
        ('[badge]\nbackend = "events"\n', "device"),
        ("[badge]\nmin_length = 9\nmax_length = 8\n", "max_length"),
        ("[panel]\nred = 17\n", "button"),
        ("[panel]\nred = 99\n", "panel.red"),
        ('[camera.door]\n[checkin]\ncamera = "dor"\n', "dor"),
    ],
)
def test_a_wrong_configuration_names_the_option(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "examroom.toml"
    file.write_text(text)
    done = run("service", "web", config=file)
    assert done.exit_code == 2
    assert said in done.output
    assert len(done.output.strip().splitlines()) == 2


def test_a_missing_configuration_and_an_unknown_service(tmp_path: Path, site: Path) -> None:
    missing = run("run", config=tmp_path / "none.toml")
    assert missing.exit_code == 2
    assert "none.toml" in missing.output
    unknown = run("service", "tea", config=site)
    assert unknown.exit_code == 2
    assert "tea" in unknown.output


def test_an_extra_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("edge.gateway")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "sqlalchemy", None)
    done = run("gateway", "report", "--dir", "x")
    assert done.exit_code == 2
    assert "examroom-edge[gateway]" in done.output


def fill_in(roster: Path, **cells: str) -> None:
    """The template leaves the PIN to be chosen; `cells` are further changes, sheet and cell joined by an underscore."""
    book = load_workbook(roster)
    book["工作人员"]["E2"] = book["工作人员"]["E3"] = "135790"
    for place, value in cells.items():
        sheet, cell = place.rsplit("_", 1)
        book[sheet][cell] = value
    book.save(roster)


def test_a_small_site_plans_a_session_from_a_spreadsheet(site: Path, tmp_path: Path) -> None:
    roster, bank = tmp_path / "roster.xlsx", tmp_path / "bank.bundle"
    assert run("session", "template", str(roster), config=site).exit_code == 0
    early = run("session", "create", "--roster", str(roster), "--bank", str(roster), config=site)
    assert early.exit_code != 0
    fill_in(roster)
    assert run("enrol", "--local", "示例学校", "--room", "room-7", config=site).exit_code == 0
    paths = config_of(site).paths
    built = run(
        "bank", "build", "sample", "--root-key", str(paths.keys / "root.key"),
        "--certificate", str(paths.trust / "certificate.json"), "--out", str(bank), config=site,
    )  # fmt: skip
    assert built.exit_code == 0, built.output
    done = run("session", "create", "--roster", str(roster), "--bank", str(bank), "--json", config=site)
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["candidates"] == 1
    listed = json.loads(run("session", "list", "--json", config=site).output)
    assert [row["state"] for row in listed] == ["planned"]
    again = run("session", "create", "--roster", str(roster), "--bank", str(bank), config=site)
    assert again.exit_code == 2
    assert "S-001" in again.output
    unset = run("uplink", "resend", config=site)
    assert unset.exit_code == 2 and "url" in unset.output
    assert len(json.loads(run("session", "list", "--json", config=site).output)) == 1


def test_an_institutions_own_bank_stands_beside_the_provinces(site: Path, tmp_path: Path) -> None:
    roster, folder = tmp_path / "roster.xlsx", tmp_path / "own"
    assert run("session", "template", str(roster), config=site).exit_code == 0
    fill_in(roster)
    assert run("enrol", "--local", "示例学校", "--room", "room-7", config=site).exit_code == 0
    paths = config_of(site).paths
    folder.mkdir()
    items = [item_fields(item) | {"id": f"OWN-{item.id}"} for item in sample_bank().items if item.type == "single"]
    own = {"bank": "own", "title": {"zh": "校本题库"}, "items": [item for item in items if not has_media(item)]}
    (folder / "items.json").write_text(json.dumps(own, ensure_ascii=False))
    for source, file in (("sample", "bank.bundle"), (str(folder), "own.bundle"), ("sample", "twin.bundle")):
        built = run(
            "bank", "build", source, "--root-key", str(paths.keys / "root.key"), "--even-with-findings",
            "--certificate", str(paths.trust / "certificate.json"), "--out", str(tmp_path / file), config=site,
        )  # fmt: skip
        assert built.exit_code == 0, built.output
    create = ("session", "create", "--roster", str(roster), "--bank", str(tmp_path / "bank.bundle"))
    twin = run(*create, "--local-bank", str(tmp_path / "twin.bundle"), config=site)
    assert twin.exit_code == 2
    done = run(*create, "--local-bank", str(tmp_path / "own.bundle"), "--json", config=site)
    assert done.exit_code == 0, done.output
    connection = open_room(paths.room_db)
    planned = sessions.find(connection, json.loads(done.output)["session"])
    assert (planned.local_bank_id, planned.local_bank_version) == ("own", 1)
    bank = open_bank(enrolment.load(paths), paths.bundles, planned)
    assert sum(item.local for item in bank.items) == len(own["items"])
    connection.close()


def has_media(item: dict[str, object]) -> bool:
    return "image" in json.dumps(item)


@pytest.mark.parametrize(
    ("sheet", "cell", "value", "said"),
    [
        ("考生", "C2", "学生证", "考生!2"),
        ("考生", "H2", "也许", "考生!H2"),
        ("考生", "G2", "../../etc/passwd", "考生!2"),
        ("工作人员", "C2", "校长", "工作人员!C2"),
        ("工作人员", "E2", "1", "工作人员!E2"),
        ("考场", "B3", "明天", "考场!B3"),
        ("考场", "B9", "其他", "考场!B9"),
        ("考生", "A1", "编号", "考生!1"),
    ],
)
def test_a_wrong_cell_is_named_and_nothing_is_planned(
    site: Path, tmp_path: Path, sheet: str, cell: str, value: str, said: str
) -> None:
    roster, bank = tmp_path / "roster.xlsx", tmp_path / "bank.bundle"
    run("session", "template", str(roster), config=site)
    fill_in(roster, **{f"{sheet}_{cell}": value})
    run("enrol", "--local", "示例学校", "--room", "room-7", config=site)
    paths = config_of(site).paths
    run(
        "bank", "build", "sample", "--root-key", str(paths.keys / "root.key"),
        "--certificate", str(paths.trust / "certificate.json"), "--out", str(bank), config=site,
    )  # fmt: skip
    done = run("session", "create", "--roster", str(roster), "--bank", str(bank), config=site)
    assert done.exit_code == 2, done.output
    assert said in done.output
    assert json.loads(run("session", "list", "--json", config=site).output) == []
    room = open_room(config_of(site).paths.room_db)
    refusals = ledger.entries(room, kinds=("act_refused",))
    assert [entry.body["act"] for entry in refusals] == ["session create"]
    room.close()


def test_a_roster_that_is_no_spreadsheet(site: Path, tmp_path: Path) -> None:
    roster = tmp_path / "roster.xlsx"
    roster.write_bytes(b"PK\x03\x04 not really")
    run("enrol", "--local", "示例学校", "--room", "room-7", config=site)
    done = run("session", "create", "--roster", str(roster), "--bank", str(roster), config=site)
    assert done.exit_code == 2


def test_bank_inspect_counts_and_shows_no_answer() -> None:
    shown = json.loads(run("bank", "inspect", "sample", "--json").output)
    assert shown["items"] >= 120
    assert "answer" not in json.dumps(shown)
    assert run("bank", "lint", "sample").exit_code == 0


@pytest.mark.parametrize(("kind", "content"), [("bank", b"nonsense"), ("roster", b'{"items": []}'), ("policy", b"[]")])
def test_a_gateway_publishes_no_file_of_another_kind(tmp_path: Path, kind: str, content: bytes) -> None:
    folder, file = tmp_path / "province", tmp_path / "content"
    file.write_bytes(content)
    assert run("gateway", "init", str(folder)).exit_code == 0
    done = run("gateway", "publish", "--dir", str(folder), "--kind", kind, "--name", "x", "--content", str(file))
    assert done.exit_code == 2
    assert kind in done.output
    assert json.loads(run("gateway", "report", "--dir", str(folder), "--json").output)["publications"] == []


def test_the_demo_removes_nothing_but_an_earlier_demo(tmp_path: Path) -> None:
    mine = tmp_path / "thesis.txt"
    mine.write_text("years of work")
    done = run("demo", "--out", str(tmp_path))
    assert done.exit_code == 2
    assert str(tmp_path) in done.output
    assert mine.read_text() == "years of work"
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]
    assert run("demo", "--out", str(tmp_path / "new"), "--port", "99999").exit_code == 2
    assert not (tmp_path / "new").exists()


def test_a_filled_in_roster_is_not_overwritten(site: Path, tmp_path: Path) -> None:
    roster = tmp_path / "roster.xlsx"
    roster.write_bytes(b"an afternoon of typing")
    assert run("session", "template", str(roster), config=site).exit_code == 2
    assert roster.read_bytes() == b"an afternoon of typing"


@pytest.mark.parametrize(
    ("words", "zh"),
    [
        (("session", "create"), "缺少 --roster"),
        (("session", "create", "--roster", "."), "--roster 的值不对"),
        (("bank", "build", "--days"), "命令的写法不对"),
        (("uplink", "nope"), "命令的写法不对"),
        (("--nope",), "没有选项 --nope"),
        (("rehearse", "--pace", "nan", "--answers", "1", "--candidates", "1"), "--pace 的值不对"),
        (("run", "--logs", __file__), "--logs 的值不对"),
        (("rehearse", "--seats", __file__, "--answers", "1", "--candidates", "1"), "--seats 的值不对"),
    ],
)
def test_a_wrong_command_is_said_in_both_languages(words: tuple[str, ...], zh: str, site: Path) -> None:
    done = run(*words, config=site)
    assert done.exit_code == 2
    assert zh in done.stderr
    assert "Error: " in done.stderr


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path: Path, site: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("a file")
    inside = run("gateway", "init", str(plain / "province"))
    assert (inside.exit_code, "不是目录" in inside.output, len(inside.output.splitlines())) == (2, True, 2)
    full = run("session", "template", "/dev/full/x.xlsx", config=site)
    assert full.exit_code == 2
    assert "a file, not a folder" in full.output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_the_jobs_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def full(*_words: object, **_options: object) -> None:
        with Path("/dev/full").open("wb", buffering=0) as out:
            out.write(b"x")

    monkeypatch.setattr(Path, "mkdir", full)
    done = run("gateway", "init", str(tmp_path / "province"))
    assert (done.exit_code, "磁盘已满" in done.output) == (1, True)


def test_a_room_is_not_run_twice(tmp_path: Path) -> None:
    file = tmp_path / "examroom.toml"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file.write_text(to_toml(make_config(tmp_path, web={"port": port})))
        done = run("run", config=file)
    assert done.exit_code == 1
    assert str(port) in done.output
    assert not (tmp_path / "run" / "pids").exists()
