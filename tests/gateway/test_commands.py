"""`examroom gateway`: a province from nothing, by commands a script can read; and its page."""

from __future__ import annotations

import base64
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from flask.testing import FlaskClient

from edge.bank.build import sample_bank
from edge.cli import main
from edge.demo import people as cast
from edge.domain import consents
from edge.gateway.app import create_gateway
from edge.gateway.bundles import publish
from edge.gateway.rooms import suspend
from edge.gateway.settings import Province, open_province
from edge.trust.protocol import ReceiptsFile, ResultsFile, open_receipt
from support.gateways import FakeRoom


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["gateway", *(str(one) for one in arguments)])


def facts(*arguments: object) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "省"
    facts("init", folder, "--title", "示例省", "--host", "gateway.example")
    return folder


def test_init_makes_a_province_once(folder: Path) -> None:
    settings = tomllib.loads((folder / "gateway.toml").read_text("utf-8"))
    assert settings["title"] == "示例省"
    for secret in ("keys/root.key", "keys/gateway.key", "tls/key.pem", "tls/ca.key"):
        assert (folder / secret).stat().st_mode & 0o077 == 0
    certificate = x509.load_pem_x509_certificate((folder / "tls" / "cert.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "gateway.example"]
    root = (folder / "keys" / "root.key").read_bytes()
    again = run("init", folder)
    assert again.exit_code == 2
    assert "已经有一个网关" in again.output
    assert (folder / "keys" / "root.key").read_bytes() == root


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["init", "{dir}/new", "--name", "a b"], 2),
        (["token", "--dir", "{dir}/none", "--room", "r", "--institution", "学校"], 2),
        (["token", "--dir", "{dir}", "--room", "a b", "--institution", "学校"], 2),
        (["publish", "--dir", "{dir}", "--kind", "bank", "--name", "x", "--content", "{dir}/none"], 2),
        (["publish", "--dir", "{dir}", "--kind", "bank", "--name", "../x", "--content", "{dir}/root.pub"], 2),
        (["publish", "--dir", "{dir}", "--kind", "film", "--name", "x", "--content", "{dir}/root.pub"], 2),
        (
            [
                "publish",
                "--dir",
                "{dir}",
                "--kind",
                "bank",
                "--name",
                "x",
                "--content",
                "{dir}/root.pub",
                "--room",
                "r9",
            ],
            2,
        ),
        (["suspend", "--dir", "{dir}", "--room", "r9", "--reason", "x"], 2),
        (["suspend", "--dir", "{dir}", "--room", "r9"], 2),
        (["intake", "--dir", "{dir}", "{dir}/root.pub", "--out", "{dir}/out"], 2),
        (["serve", "--dir", "{dir}/none", "--port", "8443"], 2),
    ],
)
def test_wrong_usage_is_one_sentence_and_exit_2(folder: Path, arguments: list[str], status: int) -> None:
    result = run(*(one.replace("{dir}", str(folder)) for one in arguments))
    assert result.exit_code == status
    assert not isinstance(result.exception, (TypeError, ValueError, AttributeError, KeyError, OSError))
    assert result.output.strip()
    assert "Traceback" not in result.output
    assert not (folder / "new").exists()


def test_a_document_no_room_could_use_is_not_published(folder: Path, tmp_path: Path) -> None:
    content = tmp_path / "content.json"
    roster = cast.roster("S-1", 1_790_000_000_000, size=1, photos=False)
    roster["candidates"][0]["document"]["number"] = "110105194912310021"
    policy = cast.POLICY | {"keep_days": 0}
    bank = sample_bank().model_dump(mode="json", by_alias=True) | {"items": []}
    for kind, document, said in (
        ("roster", roster, "candidates.0.document.number"),
        ("policy", policy, "keep_days"),
        ("bank", bank, "items"),
    ):
        content.write_text(json.dumps(document))
        result = run("publish", "--dir", folder, "--kind", kind, "--name", "x", "--content", content)
        assert result.exit_code == 2 and said in result.output, result.output
    assert facts("report", "--dir", folder)["publications"] == []
    roster["candidates"][0]["document"]["number"] = cast.id_number(1)
    content.write_text(json.dumps(roster))
    publishing = ("publish", "--dir", folder, "--kind", "roster", "--name", "x", "--content", content)
    assert run(*publishing, "--version", 10**30).exit_code == 2
    assert facts(*publishing)["version"] == 1


def test_all_that_is_wrong_with_a_roster_is_told_before_it_is_published(folder: Path, tmp_path: Path) -> None:
    content = tmp_path / "content.json"
    roster = cast.roster("S-1", 1_790_000_000_000, size=5, photos=False)
    people = roster["candidates"]
    people[0]["document"]["number"] = "110105194912310021"
    people[1]["photo"] = base64.b64encode(b"this is no picture").decode()
    people[2]["name"] = " "
    publishing = ("publish", "--dir", folder, "--kind", "roster", "--name", "x", "--content", content)
    content.write_text(json.dumps(roster))
    result = run(*publishing)
    assert result.exit_code == 2 and "has 3 problems" in result.output
    for place in ("candidates.0.document.number", "candidates.1.photo", "candidates.2.name"):
        assert f"({place})" in result.output
    # and of what is right by itself, what does not go together, or with the day
    roster = cast.roster("S-1", 1_790_000_000_000, size=5, photos=False)
    people = roster["candidates"]
    born = "11010520491231001"
    people[0]["document"] = {"type": "resident-id", "number": born + cast.check_character(born)}
    people[1]["consent"] = {"face": True, "notice": consents.VERSION, "date": "2099-01-01"}
    people[2]["number"] = people[3]["number"]
    content.write_text(json.dumps(roster))
    result = run(*publishing)
    assert result.exit_code == 2 and "has 3 problems" in result.output
    for place in ("candidates.0.document", "candidates.1.consent.date", "candidates.3.number"):
        assert f"({place})" in result.output
    assert facts("report", "--dir", folder)["publications"] == []


def test_wrong_settings_are_named(folder: Path) -> None:
    (folder / "gateway.toml").write_text('token_days = "many"\n')
    result = run("report", "--dir", folder)
    assert result.exit_code == 2
    assert "token_days" in result.output
    (folder / "gateway.toml").write_text('database = "nosuch://x"\n')
    assert run("report", "--dir", folder).exit_code == 2


def test_from_token_to_receipts_on_a_stick(folder: Path, tmp_path: Path) -> None:
    token = facts("token", "--dir", folder, "--room", "room-1", "--institution", "示例学校")["token"]
    content = tmp_path / "policy.json"
    content.write_text(json.dumps({"version": 1, "pass": {"safety": 60, "theory": 60, "practical": 60}}))
    assert (
        facts("publish", "--dir", folder, "--kind", "policy", "--name", "policy", "--content", content)["version"] == 1
    )
    province = open_province(folder)
    try:
        room = FakeRoom(create_gateway(province).test_client(), province).enrol(token)
        assert len(room.get("bundles").get_json()["bundles"]) == 1
        envelopes = [room.envelope(seq).decode() for seq in range(1, 61)]
        stick, receipts = tmp_path / "results.json", tmp_path / "receipts.json"
        carried = ResultsFile(format="examroom-results-1", room="room-1", envelopes=envelopes)
        stick.write_text(carried.model_dump_json())
        assert facts("intake", "--dir", folder, stick, "--out", receipts)["stored"] == 60
        answer = ReceiptsFile.model_validate_json(receipts.read_bytes())
        seqs = [open_receipt((i.receipt or "").encode(), province.key.public).seq for i in answer.items]
        assert seqs == list(range(1, 61))
        assert facts("intake", "--dir", folder, stick, "--out", receipts)["repeated"] == 60
        assert ReceiptsFile.model_validate_json(receipts.read_bytes()).items[5].receipt == answer.items[5].receipt
        forged = room.envelope(2, other=1).decode()
        stick.write_text(carried.model_copy(update={"envelopes": [forged]}).model_dump_json())
        refused = run("intake", "--dir", folder, stick, "--out", receipts, "--json")
        assert (refused.exit_code, json.loads(refused.output)["refused"]) == (1, 1)
    finally:
        province.close()
    report = facts("report", "--dir", folder)
    assert (report["rooms"][0]["results"], report["rooms"][0]["contiguous_to"]) == (60, 60)
    assert [alarm["code"] for alarm in report["alarms"]] == ["result_fork"]
    assert "evidence" not in report["alarms"][0]
    assert [row["count"] for row in report["requests"] if row["route"] == "intake"] == [1, 10, 50, 10, 50]
    assert facts("suspend", "--dir", folder, "--room", "room-1", "--reason", "检查")["suspended"] is True
    assert facts("suspend", "--dir", folder, "--room", "room-1", "--lift")["suspended"] is False


def test_the_page_shows_counts_and_alarms_and_no_personal_data(
    room: FakeRoom, province: Province, client: FlaskClient
) -> None:
    empty = client.get("/")
    assert "没有发布" in empty.text
    room.send(room.envelope(1, candidate={"name": "王小明", "document": {"number": "110101199001011237"}}))
    room.send(room.envelope(1, candidate={"name": "李四"}))
    publish(province, "roster", "S-1", '{"name":"王小明"}'.encode(), ["room-1"])
    suspend(province, "room-1", "<script>alert(1)</script>")
    for language, words in (
        ("zh", ("考场", "警报", "已停用", "名册")),
        ("en", ("Rooms", "Alarms", "suspended", "roster")),
    ):
        page = client.get(f"/?lang={language}")
        assert page.status_code == 200
        for word in ("room-1", "示例学校", "/v1/rooms/", *words):
            assert word in page.text
        for secret in ("王小明", "李四", "110101199001011237", "<script>"):
            assert secret not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    with client.get("/static/gateway.css") as style:
        assert style.status_code == 200
