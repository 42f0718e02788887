"""Whatever is put in wrong, the Chinese sentence is Chinese and the English one English: nobody else's words."""

from __future__ import annotations

import errno
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from click.testing import CliRunner
from flask.testing import FlaskClient
from openpyxl import load_workbook

from edge import why
from edge.bank.build import item_fields, sample_bank
from edge.cli import main
from edge.domain.reasons import REASONS, words
from edge.errors import BadInput, ExamroomError
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.planning import roster_for
from edge.exam.roster_people import CANDIDATE_COLUMNS
from edge.exam.roster_room import STAFF_COLUMNS
from edge.exam.roster_template import write_template
from edge.exam.roster_xlsx import read_sheets
from edge.gateway.app import create_gateway
from edge.trust.protocol import ErrorBody
from edge.ui.catalogue import TEXTS
from edge.uplink.client import _check
from edge.web.app import create_app
from support.gateways import FakeRoom, make_province
from support.rooms import make_config, make_desk_room
from support.serving import write_config

SAMPLE = sample_bank()
HAN = re.compile(r"[\u4e00-\u9fff]")
# two words of English one after the other; a command or a form to be written as it stands is none
ENGLISH = re.compile(r"[A-Za-z]{2,}[,:]? +[A-Za-z]{2,}")
AS_THEY_ARE = re.compile(r"\w+\.(?:json|xml|zip)[.\w]*|examroom(?: [a-z-]+)+|pip install \S+|--[a-z-]+(?: [A-Z]+)?")
SHEETS = re.compile(
    "|".join(("考场|考生|工作人员|工位|题库|组卷|评分", *map(re.escape, (*CANDIDATE_COLUMNS, *STAFF_COLUMNS))))
)
# the values that a document takes are shown as they are written in it
QUOTED = re.compile(r"'[a-z0-9-]+'")
NO_CODES = re.compile(r"Errno|codec|Traceback|pydantic|\bplanned\b|\bexaminer\b|Error\b")


def check(zh: str, en: str, *given: str) -> None:
    """`given`: what the person wrote or chose themselves, which either sentence may repeat."""
    for text in given:
        zh, en = zh.replace(text, "X"), en.replace(text, "X")
    assert HAN.search(zh), zh
    assert not ENGLISH.search(AS_THEY_ARE.sub("X", zh)), zh
    assert not NO_CODES.search(QUOTED.sub("X", zh)), zh
    assert not HAN.search(SHEETS.sub("X", en)), en
    assert "Errno" not in en and "codec" not in en and "[type=" not in en, en
    assert "{" not in zh + en and "。。" not in zh and ".." not in en.replace("...", ""), (zh, en)


def check_error(error: ExamroomError, *given: str) -> None:
    check(error.sentence("zh"), error.sentence("en"), *given)


def roster(**change: Any) -> dict[str, Any]:
    person = {
        "number": 1,
        "name": "张三",
        "document": {"type": "passport", "number": "E12345678"},
        "badge": "10000001",
    }
    staff = {"id": "P-1", "name": "李四", "role": "proctor", "badge": "90000001", "pin_hash": "$argon2id$x"}
    chief = staff | {"id": "E-1", "role": "examiner", "badge": "90000002"}
    bank = SAMPLE
    return {
        "institution": {"id": "T-1", "name": "学校"},
        "class": {"id": "C-1", "title": "一班", "regime": "skilled-worker", "post": "架子工"},
        "session": {"id": "S-1", "title": "测试", "planned_ms": 1, "minutes": 60},
        "bank": {"name": bank.bank, "version": 1},
        "blueprint": bank.blueprints[0].model_dump(),
        "seats": [{"seat": "A1", "row": 1, "column": 1}, {"seat": "A2", "row": 1, "column": 2}],
        "candidates": [person],
        "staff": [staff, chief],
    } | change


PERSON, STAFF = roster()["candidates"][0], roster()["staff"]
ROSTERS: list[Any] = [
    {},
    [],
    roster(candidates=[]),
    roster(candidates="x"),
    roster(candidates=[PERSON | {"badge": "b"}]),
    roster(candidates=[PERSON | {"name": ""}]),
    roster(candidates=[PERSON | {"number": "one"}]),
    roster(candidates=[PERSON | {"number": 0}]),
    roster(candidates=[PERSON | {"extra_minutes": 10**30}]),
    roster(candidates=[PERSON | {"seat": "Z9"}]),
    roster(candidates=[PERSON | {"photo": "?"}]),
    roster(candidates=[PERSON | {"photo": ""}]),
    roster(candidates=[PERSON | {"photo": "bm90IGEgcGljdHVyZQ=="}]),
    roster(candidates=[PERSON | {"name": "a\u2028b"}]),
    roster(candidates=[PERSON | {"document": {"type": "resident-id", "number": "123456"}}]),
    roster(candidates=[PERSON | {"document": {"type": "card", "number": "123456"}}]),
    roster(candidates=[PERSON | {"consent": {"face": "maybe"}}]),
    roster(candidates=[PERSON | {"unknown": 1}]),
    roster(candidates=[PERSON, PERSON, PERSON]),
    roster(candidates=[PERSON | {"badge": "90000001"}]),
    roster(staff=[STAFF[1]]),
    roster(staff=[STAFF[0], STAFF[0]]),
    roster(staff=[STAFF[0] | {"chief": True}, STAFF[1]]),
    roster(staff=[STAFF[0] | {"pin_hash": "1234"}, STAFF[1]]),
    roster(staff=[STAFF[0] | {"role": "guest"}, STAFF[1]]),
    roster(session={"id": "S 1", "title": " ", "planned_ms": 1.5, "minutes": 601}),
    roster(institution={"id": "T-1", "name": "a\x00b"}),
    roster(stations=[{"id": "W1", "title": "一号", "rubric": "R-1"}]),
    roster(local_bank={"name": SAMPLE.bank, "version": 1}),
]


@pytest.mark.parametrize("document", ROSTERS, ids=range(len(ROSTERS)))
def test_rosters(document: Any) -> None:
    with pytest.raises(BadInput) as refused:
        parse_roster(json.dumps(document).encode())
    check_error(refused.value)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"pass": 1}', b'{"pass": {"safety": 200}}']
)
def test_policies(content: bytes) -> None:
    with pytest.raises(BadInput) as refused:
        parse_policy(content)
    check_error(refused.value)


def workbook(folder: Path, **cells: object) -> Path:
    file = folder / "roster.xlsx"
    write_template(file)
    book = load_workbook(file)
    for place, value in ({"工作人员_E2": "135790", "工作人员_E3": "135790"} | cells).items():
        sheet, _, cell = place.partition("_")
        book[sheet][cell] = value
    book.save(file)
    return file


@pytest.mark.parametrize(
    ("cells", "where", "said"),
    [
        ({"工作人员_D2": "10000001"}, "考生!E2", "工作人员"),
        ({"工作人员_D3": "90000001"}, "工作人员!D3", "工作人员!D2"),
        ({"考生_E2": "ab"}, "考生!E2", "卡号"),
        ({"考生_B2": None}, "考生!B2", "没有填写"),
        ({"考生_F2": "Z9"}, "考生!F2", "A1 至 E6"),
        ({"考生_I2": 999}, "考生!I2", "240"),
        ({"考生_A2": 0}, "考生!A2", "1-100000"),
        ({"考生_D2": "123", "考生_C2": "护照"}, "考生!D2", "5 至 20 位"),
        ({"工作人员_A2": "P 1"}, "工作人员!A2", "编号"),
        ({"考场_B1": "S 1"}, "考场!B1", "编号"),
        ({"考场_B4": 601}, "考场!B4", "600"),
        ({"考场_B3": "2200-01-01 09:00"}, "考场!B3", "超出范围"),
    ],
)
def test_a_wrong_cell_of_a_workbook_is_named_whoever_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cells: dict[str, object], where: str, said: str
) -> None:
    monkeypatch.setattr(PasswordHasher, "hash", lambda _self, _pin: "$argon2id$")  # takes its time by design
    with pytest.raises(BadInput) as refused:
        roster_for(read_sheets(workbook(tmp_path, **cells)), SAMPLE, (), bank={"name": "b", "version": 1})
    assert refused.value.facts["where"] == where
    assert said in refused.value.sentence("zh")
    check_error(refused.value)


def commands(folder: Path) -> Iterator[tuple[list[str], tuple[str, ...]]]:
    """A wrong command, and what it is given that a sentence may repeat."""
    bad, gone, empty = folder / "bad.json", folder / "gone", folder / "empty"
    empty.mkdir()
    bad.write_bytes(b"\x86\xff")
    item = item_fields(SAMPLE.items[0])
    banks: list[Any] = [[], {"items": [{}]}, {"items": [item | {"answer": ["Z"]}]}, {"items": [item, item]}]
    banks += [
        {"items": [item | {"points": "many"}]},
        {"items": [item | {"type": "essay"}]},
        {"items": [item], "bank": 1},
    ]
    for number, bank in enumerate(banks):
        (folder / f"{number}.json").write_text(json.dumps(bank))
        yield ["bank", "lint", str(folder / f"{number}.json")], ()
    for broken in (bad, empty):
        yield ["bank", "lint", str(broken)], ()
        yield ["bank", "import", str(broken), "--out", str(folder / "o")], ()
    with zipfile.ZipFile(folder / "up.zip", "w") as archive:
        archive.writestr("../x", "x")
    with zipfile.ZipFile(folder / "xml.zip", "w") as archive:
        archive.writestr("imsmanifest.xml", "<manifest><a></manifest>")
    (folder / "no.zip").write_bytes(b"PK\x03\x04junk")
    for name in ("up.zip", "xml.zip", "no.zip"):
        yield ["bank", "import", str(folder / name), "--out", str(folder / "o")], ()
    yield ["verify", str(gone), "--root", "0" * 64], ()
    yield ["verify", str(bad), "--root", "0" * 64], ()
    yield ["faces", "install", "nobody"], ("nobody",)
    yield ["gateway", "report", "--dir", str(empty)], ()
    yield ["gateway", "init", str(empty / "g"), "--name", "no name"], ()
    yield ["session", "template", str(bad)], ()
    yield ["session", "template", "/dev/full/x"], ()
    yield ["restore", "--from", str(gone)], ()


def test_commands(tmp_path: Path) -> None:
    site = write_config(make_config(tmp_path), tmp_path)
    asked = 0
    for asking, given in commands(tmp_path):
        done = CliRunner().invoke(main, ["--config", str(site), *asking], catch_exceptions=False)
        assert done.exit_code in (1, 2) and "Usage:" not in done.output, (asking, done.output)
        lines = [line for line in done.output.splitlines() if line.strip() and "% -:" not in line]
        pairs = [tuple(line.rsplit(" / ", 1)) for line in lines if " / " in line]
        alone = [line for line in lines if " / " not in line]
        for zh, en in [*pairs, *zip(alone[::2], alone[1::2], strict=True)]:
            check(zh, en, *given, str(tmp_path), "empty:", "empty", "../x")
            asked += 1
    assert asked > 25


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a = 1\na = 2",
        "[web]\nport = 99999",
        '[web]\nport = "x"',
        "[web]\nprot = 1",
        "[web]\nport = true",
        '[camera.door]\nbackend = "film"',
        "[camera.door]\n[camera.hall]",
        '[camera.door]\n[checkin]\ncamera = "dor"',
        '[badge]\nbackend = "events"',
        "[badge]\nmin_length = 9\nmax_length = 8",
        "[panel]\nred = 17",
        '[gateway]\nurl = "nonsense"',
        "[gateway]\npoll_seconds = nan",
        "[store]\nmirror = 1",
        "paths = 1",
        "[web]\nnames = 1",
    ],
)
def test_configurations(tmp_path: Path, text: str) -> None:
    file = tmp_path / "examroom.toml"
    file.write_text(text)
    done = CliRunner().invoke(main, ["--config", str(file), "session", "list"], catch_exceptions=False)
    zh, en = done.output.splitlines()
    assert done.exit_code == 2
    check(zh, en, str(tmp_path))


BODIES = [
    b"",
    b"{",
    b"[]",
    b"\xff",
    b'"x"',
    b"null",
    b'{"seq": "1"}',
    b'{"seat_code": 1}',
    b'{"seat_code": "x"}',
    b'{"x": 1}',
]


def test_the_pages(tmp_path: Path) -> None:
    desk = make_desk_room(tmp_path, size=1)
    client: FlaskClient = create_app(desk.config).test_client()
    for body in BODIES:
        check_body(client.post("/exam/api/claim", data=body, content_type="application/json").get_json())
    for path in ("/exam/api/paper", "/console/api/board", "/exam/api/nothing"):
        check_body(client.get(path).get_json())
    check_body(client.post("/exam/api/claim", json={"seat_code": "000000"}).get_json())
    desk.db.close()


def check_body(body: dict[str, Any]) -> None:
    check(body["zh"], body["en"])


def test_the_gateway_and_what_a_room_makes_of_its_refusals(tmp_path: Path) -> None:
    province = make_province(tmp_path / "gateway")
    room = FakeRoom(create_gateway(province).test_client(), province).enrol()
    answers = [room.post(rest, body) for rest in ("results", "checkpoints", "releases") for body in BODIES]
    answers += [room.client.post("/v1/enrol", data=body) for body in BODIES]
    for answer in answers:
        body = ErrorBody.model_validate_json(answer.data)
        check(body.zh, body.en)
        with pytest.raises(ExamroomError) as told:
            _check(answer.status_code, answer.data, (200,))
        assert (told.value.sentence("zh"), told.value.sentence("en")) == (body.zh, body.en)
    province.close()


def test_states_and_roles_are_called_as_on_the_pages() -> None:
    for area, code in (("common", "state_"), ("staff", "role_")):
        shown = {key.partition(".")[2]: text for key, text in TEXTS.items() if key.startswith(f"{area}.{code}")}
        assert {name: REASONS[name].zh for name in shown} == {name: text["zh"] for name, text in shown.items()}


def test_every_kind_of_pydantics_has_words_and_no_unknown_one_its_own() -> None:
    for kind in why.KINDS:
        said = why.detail({"type": kind, "loc": (), "ctx": {"ge": 1, "min_length": 1, "max_length": 2}})
        check(said["zh"], said["en"])
    assert "Input should" not in why.detail({"type": "new_kind", "loc": (), "msg": "Input should be new"})["en"]
    for number in (errno.ENOENT, errno.ENOSPC, errno.EFAULT):
        said = why.of_os(OSError(number, "No such thing here"))
        check(said["zh"], said["en"])
    assert words("input_at", where="a", detail=words("input_missing")) == {
        "zh": "a 处，缺少这一项",
        "en": "at a, it is missing",
    }
