"""A site without a gateway: its own bank with blueprint and score sheets, stations, a signed policy."""

from __future__ import annotations

import base64
import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import CliRunner, Result
from openpyxl import load_workbook

from edge.cli import main
from edge.config import Config, load_config, to_toml
from edge.demo.people import portrait_file
from edge.domain.consents import VERSION
from edge.exam import conduct, practical, results
from edge.exam.banks import open_bank
from edge.store import ledger, people, sessions
from edge.store import practical as places
from edge.store.db import open_room, transaction
from edge.trust import dsse, enrolment
from edge.trust.signer import Ed25519Signer
from edge.vision import packs
from edge.vision.face_pack import FacePack
from support.rooms import make_config

FACTS = {
    "科目": "安全", "知识点": "脚手架", "难度": 2,
    "标准编号": "JGJ 130-2011", "标准名称": "规范", "版本": "2011", "条款": "6.3.1",
}  # fmt: skip
PLAN: list[dict[str, Any]] = [
    {
        "方案编号": "P1", "方案名称": "架子工", "职业（工种）": "架子工", "类别": "技能人员", "等级": "五级",
        "总时长（分钟）": 30, "间隔场次": 1, "使用次数上限": 9,
        "部分名称": "安全", "科目": "安全", "部分限时（分钟）": 10, "题型": "单选", "题数": 3, "每题分值": 2,
    },
    {"题型": "判断", "题数": 2, "知识点": "脚手架", "难度": "1、2"},
    {"部分名称": "理论", "科目": "理论", "题型": "单选", "题数": 1},
]  # fmt: skip
SHEETS: list[dict[str, Any]] = [
    {"行": "评分表", "编号": "R1", "名称": "搭设", "限时（分钟）": 30, "职业（工种）": "架子工", "等级": "五级",
     "每超1分钟扣": 2, "超时最多扣": 10},
    {"行": "步骤", "编号": "s1", "名称": "立杆", "分值": 60, "标准编号": "JGJ 130-2011", "标准名称": "规范",
     "版本": "2011", "条款": "6.3.1"},
    {"行": "扣分", "编号": "d1", "名称": "未放垫板", "分值": 5},
    {"行": "实测", "编号": "m1", "名称": "纵距", "单位": "m", "目标值": 1.5,
     "偏差档": "0.05 扣0；0.1 扣2", "超出各档": 4},
    {"行": "步骤", "编号": "s2", "名称": "横杆", "分值": 40},
    {"行": "否决", "编号": "v1", "名称": "不系安全带"},
    {"行": "评分表", "编号": "R2", "名称": "拆除", "限时（分钟）": 20, "职业（工种）": "架子工", "等级": "五级"},
    {"行": "步骤", "编号": "s1", "名称": "顺序", "分值": 100},
]  # fmt: skip


def fill(book: Any, sheet: str, rows: list[dict[str, Any]], first: int = 2) -> None:
    titles = [cell.value for cell in book[sheet][1]]
    for number, row in enumerate(rows, start=first):
        for title, value in row.items():
            book[sheet].cell(number, titles.index(title) + 1, value)


class Site:
    """A box with its own root, in a folder, run by its commands."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.file = folder, folder / "examroom.toml"
        self.file.write_text(to_toml(make_config(folder, camera={"door": {"backend": "file", "source": "x"}})))
        self.good("enrol", "--local", "示例学校", "--room", "room-7")

    @property
    def config(self) -> Config:
        return load_config(self.file)

    @property
    def root_key(self) -> Path:
        return self.config.paths.keys / "root.key"

    def run(self, *words: object) -> Result:
        return CliRunner().invoke(main, ["--config", str(self.file), *map(str, words)], catch_exceptions=False)

    def good(self, *words: object) -> str:
        done = self.run(*words)
        assert done.exit_code == 0, done.output
        return done.output

    def workbook(self, plan: list[dict[str, Any]], sheets: list[dict[str, Any]]) -> Path:
        file = self.folder / "bank.xlsx"
        self.good("bank", "template", file)
        book = load_workbook(file)
        book["题库"]["B1"], book["题库"]["B2"] = "own", "校本题库"
        items: list[dict[str, Any]] = [
            {"编号": f"S{n}", "题型": "单选", "题干": f"第{n}题：{'一二三四五六'[n]}步？", "选项A": f"甲{n}",
             "选项B": f"乙{n}", "答案": "A" if n % 2 else "B", **FACTS}
            for n in range(6)
        ]  # fmt: skip
        words = ("脚手板铺满", "剪刀撑连续", "连墙件可拆")
        items += [{"编号": f"J{n}", "题型": "判断", "题干": words[n], "答案": "错误", **FACTS} for n in range(3)]
        items += [items[0] | {"编号": "T1", "题干": "理论上几根？", "科目": "理论"}]
        fill(book, "题目", items)
        fill(book, "组卷", plan)
        fill(book, "评分表", sheets)
        book.save(file)
        return file

    def seal(self, source: Path, *more: str) -> Path:
        out, certificate = self.folder / "bank.bundle", self.config.paths.trust / "certificate.json"
        self.good(
            "bank", "build", source, "--root-key", self.root_key, "--certificate", certificate, "--out", out, *more
        )
        return out

    def roster(self, stations: list[dict[str, Any]], **cells: object) -> Path:
        file = self.folder / "roster.xlsx"
        file.unlink(missing_ok=True)
        self.good("session", "template", file)
        book = load_workbook(file)
        book["工作人员"]["E2"] = book["工作人员"]["E3"] = "135790"
        fill(book, "考生", [{"序号": 2, "姓名": "李二", "证件类型": "护照", "证件号码": "E1234567"}], 3)
        fill(book, "工位", stations)
        for place, value in cells.items():
            sheet, cell = place.rsplit("_", 1)
            book[sheet][cell] = value
        book.save(file)
        return file

    def signed(self, rules: dict[str, Any], key: Path | None = None) -> Path:
        plain, out = self.folder / "policy.json", self.folder / "policy.signed.json"
        plain.write_text(json.dumps(rules))
        self.good("session", "policy", "sign", plain, "--root-key", key or self.root_key, "--out", out)
        return out


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


RULES = {
    "version": 1, "pass": {"safety": 80, "theory": 60, "practical": 70}, "local_bank_share": 30, "examiners": 2,
}  # fmt: skip
STATIONS: list[dict[str, Any]] = [
    {"编号": "G1", "名称": "一号工位", "摄像机": "door", "评分表": "R1"},
    {"编号": "G2", "名称": "二号工位", "评分表": "R2"},
]


def test_from_two_workbooks_to_drawn_papers(site: Site) -> None:
    bank, folder = site.folder / "own.json", site.folder
    site.good("bank", "import", site.workbook(PLAN, SHEETS), "--out", bank)
    shown = json.loads(site.good("bank", "inspect", bank, "--json"))
    assert [one["reachable"] for one in shown["blueprints"]] == [True] and shown["rubrics"] == ["R1", "R2"]
    policy = site.signed(RULES)
    made = json.loads(
        site.good(
            "session",
            "create",
            "--roster",
            site.roster(STATIONS),
            "--bank",
            site.seal(bank),
            "--policy",
            policy,
            "--json",
        )
    )
    room = open_room(site.config.paths.room_db)
    session = sessions.find(room, made["session"])
    assert session.policy["examiners"] == 2 and session.policy["local_bank_share"] == 30
    assert list(places.rubrics(room, session.id)) == ["R1", "R2"]
    stations = places.stations(room, session.id)
    assert {s.id: (s.title, s.camera, s.rubric) for s in stations.values()} == {
        "G1": ("一号工位", "door", "R1"),
        "G2": ("二号工位", None, "R2"),
    }
    assert places.chiefs(room, session.id) == ["E-001"]
    assert practical.needed_tests(session) == ("safety", "theory", "practical")
    identity = enrolment.load(site.config.paths)
    conduct.open_checkin(room, session.id, open_bank(identity, site.config.paths.bundles, session), "P-001")
    attempts = sessions.attempts(room, session.id)
    assert len(attempts) == 2
    for attempt in attempts.values():
        first, second = attempt.paper["parts"]
        assert [item["type"] for item in first["items"]] == ["single"] * 3 + ["judgement"] * 2
        assert [item["points"] for item in first["items"]] == [2, 2, 2, 1, 1] and first["minutes"] == 10
        assert [item["id"] for item in second["items"]] == ["T1"] and second["minutes"] is None
    # nobody comes; the signed results say by which rules
    with transaction(room):
        for who in people.candidates(room, session.id):
            people.set_state(room, session.id, who.person, "absent")
        sessions.set_state(room, session.id, "closed")
    assert results.sign_results(room, identity, session.id, "P-001") == 2
    (planned,) = ledger.entries(room, session=session.id, kinds=("session_planned",))
    for file in json.loads(site.good("session", "results", session.id, "--out", folder / "out", "--json")):
        payload = json.loads(base64.b64decode(json.loads(Path(file).read_bytes())["result"]["payload"]))
        assert payload["policy"] == {
            "sha256": planned.body["policy_sha256"],
            "pass": RULES["pass"],
            "local_bank_share": 30,
        }
        site.good("verify", file, "--root", site.config.paths.trust / "root.pub")
    room.close()


def test_a_policy_nobody_signed_is_refused_by_the_command_that_signs(site: Site) -> None:
    bank = site.folder / "own.json"
    site.good("bank", "import", site.workbook(PLAN, SHEETS), "--out", bank)
    create = ("session", "create", "--roster", site.roster(STATIONS), "--bank", site.seal(bank))
    signed = site.signed(RULES)
    plain = site.folder / "policy.json"
    refused = site.run(*create, "--policy", plain)
    assert refused.exit_code == 2 and "examroom session policy sign" in refused.output
    no_key = site.run("session", "policy", "sign", plain, "--root-key", plain, "--out", site.folder / "none.json")
    assert no_key.exit_code == 2 and "root.key" in no_key.output and "examroom enrol" not in no_key.output
    # an envelope of this root, but of another kind
    other = site.folder / "other.json"
    other.write_bytes(dsse.sign_envelope(dsse.RESULT, RULES, [Ed25519Signer.load(site.root_key)]))
    assert "examroom session policy sign" in site.run(*create, "--policy", other).output
    # signed, by a root this room does not trust
    Ed25519Signer.generate().save(site.folder / "stranger.key")
    strange = site.run(*create, "--policy", site.signed(RULES, site.folder / "stranger.key"))
    assert strange.exit_code != 0
    # signed, and then changed
    envelope = json.loads(site.signed(RULES).read_bytes())
    payload = base64.b64decode(envelope["payload"]).replace(b'"local_bank_share":30', b'"local_bank_share":99')
    assert payload != base64.b64decode(envelope["payload"])
    envelope["payload"] = base64.b64encode(payload).decode()
    other.write_text(json.dumps(envelope, separators=(",", ":"), sort_keys=True))
    assert site.run(*create, "--policy", other).exit_code != 0
    assert json.loads(site.good("session", "list", "--json")) == []
    # without one: the defaults
    made = json.loads(site.good(*create, "--json"))
    room = open_room(site.config.paths.room_db)
    assert sessions.find(room, made["session"]).policy["local_bank_share"] == 0
    room.close()
    assert signed.exists()


@pytest.mark.parametrize("rules", [{"version": 1}, {**RULES, "local_bank_share": 101}, {**RULES, "what": 1}, []])
def test_what_is_no_policy_is_not_signed(site: Site, rules: Any) -> None:
    plain, out = site.folder / "p.json", site.folder / "p.signed.json"
    plain.write_text(json.dumps(rules))
    assert site.run("session", "policy", "sign", plain, "--root-key", site.root_key, "--out", out).exit_code == 2
    assert not out.exists()


@pytest.mark.parametrize(
    ("cells", "stations", "said"),
    [
        ({"工位_C2": "roof"}, STATIONS, "roof"),
        ({"工位_D2": "R9"}, STATIONS, "R9"),
        ({"工位_B3": ""}, STATIONS, "工位!B3"),
        ({"工位_A1": "号"}, STATIONS, "工位!1"),
        ({"工作人员_F2": "是"}, STATIONS, "工作人员!F2"),
        ({"工作人员_F3": "也许"}, STATIONS, "工作人员!F3"),
    ],
)
def test_a_wrong_station_or_chief_is_named(
    site: Site, cells: dict[str, str], stations: list[dict[str, Any]], said: str
) -> None:
    bank = site.folder / "own.json"
    site.good("bank", "import", site.workbook(PLAN, SHEETS), "--out", bank)
    done = site.run("session", "create", "--roster", site.roster(stations, **cells), "--bank", site.seal(bank))
    assert done.exit_code == 2 and said in done.output, done.output
    assert json.loads(site.good("session", "list", "--json")) == []


def test_a_roster_from_before_stations_still_counts(site: Site) -> None:
    bank = site.folder / "own.json"
    site.good("bank", "import", site.workbook(PLAN, SHEETS), "--out", bank)
    file = site.roster([])
    book = load_workbook(file)
    del book["工位"]
    book["工作人员"].delete_cols(6)
    book.save(file)
    made = json.loads(site.good("session", "create", "--roster", file, "--bank", site.seal(bank), "--json"))
    room = open_room(site.config.paths.room_db)
    # nobody named a score sheet: those of the class's trade and level
    assert list(places.rubrics(room, made["session"])) == ["R1", "R2"]
    assert places.chiefs(room, made["session"]) == []
    room.close()


def test_a_bank_too_small_for_its_blueprint_makes_no_session(site: Site) -> None:
    bank = site.folder / "own.json"
    site.good("bank", "import", site.workbook([PLAN[0] | {"题数": 7}], []), "--out", bank)
    refused = site.run("session", "create", "--roster", site.roster([]), "--bank", site.seal(bank, "--force-unlinted"))
    assert refused.exit_code == 2 and "safety/single 6/7" in refused.output
    assert json.loads(site.good("session", "list", "--json")) == []


def test_a_bank_without_a_blueprint_says_how_to_add_one(site: Site) -> None:
    bank = site.folder / "own.json"
    site.good("bank", "import", site.workbook([], []), "--out", bank)
    create = ("session", "create", "--roster", site.roster([]), "--bank")
    refused = site.run(*create, site.seal(bank))
    assert refused.exit_code == 2 and "bank blueprint add" in refused.output
    plan = site.folder / "plan.json"
    draw = [{"type": "single", "count": 2}]
    part = {"test": "safety", "title": {"zh": "安全"}, "draw": draw}
    made = {"id": "P1", "title": {"zh": "方案"}, "post": "架子工", "regime": "skilled-worker", "minutes": 20}
    plan.write_text(json.dumps({**made, "parts": [part]}))
    site.good("bank", "blueprint", "add", bank, "--blueprint", plan)
    assert site.run("bank", "blueprint", "add", bank, "--blueprint", plan).exit_code == 2
    site.good("bank", "blueprint", "add", bank, "--blueprint", plan, "--replace")
    site.good(*create, site.seal(bank))


def photos(site: Site, **files: bytes) -> Path:
    out = site.folder / "photos.zip"
    with zipfile.ZipFile(out, "w") as made:
        for name, data in files.items():
            made.writestr(f"{name.removeprefix('n')}.jpg", data)
    return out


def test_photographs_are_looked_at_before_a_session_is_planned(
    site: Site, pack: FacePack, models_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the real pack: two portraits, then one of them twice on a picture and one of a wall; all or nothing."""
    monkeypatch.setattr(packs, "load", lambda *_: pack)  # read once, not by each of nine commands
    bank = site.folder / "own.json"
    site.config.paths.models.symlink_to(models_dir)
    site.good("bank", "import", site.workbook(PLAN, SHEETS), "--out", bank)
    hopper, astronaut = (portrait_file(which).read_bytes() for which in ("hopper", "astronaut"))
    agreed = {"考生_H2": "是", "考生_J2": VERSION, "考生_K2": "2026-01-05"}
    roster = site.roster([], **agreed)
    create = ("session", "create", "--roster", roster, "--bank", site.seal(bank))
    one = cv2.imread(str(portrait_file("hopper")))
    twice = cv2.imencode(".jpg", np.hstack([one, one]))[1].tobytes()
    wall = cv2.imencode(".jpg", np.full((600, 400, 3), 128, np.uint8))[1].tobytes()
    bad = photos(site, n11010519491231002X=twice, n2=wall, n77=b"no picture")
    refused = site.run(*create, "--photos", bad, "--json")
    assert refused.exit_code == 2
    found = json.loads(refused.output.splitlines()[0])["problems"]
    assert {one["code"] for one in found if one["severity"] == "warning"} == {"roster_example_left"}
    told = {(one["row"], one["code"]) for one in found if one["severity"] == "error"}
    assert told == {(2, "photo_face_several"), (3, "photo_face_none"), (None, "photo_nobody")}
    assert json.loads(site.good("session", "list", "--json")) == []
    checked = site.run("faces", "enrol", "--check", "--roster", roster, "--photos", bad, "--json")
    assert checked.exit_code == 2 and "photo_face_none" in checked.output
    good = photos(site, n11010519491231002X=hopper, n2=astronaut)
    answer = json.loads(site.good("faces", "enrol", "--check", "--roster", roster, "--photos", good, "--json"))
    assert (answer["candidates"], answer["photos"], answer["stored"]) == (2, 2, False)
    looked = json.loads(site.good(*create, "--photos", good, "--check", "--json"))
    assert looked["stored"] is False and json.loads(site.good("session", "list", "--json")) == []
    made = json.loads(site.good(*create, "--photos", good, "--json"))
    assert made["stored"] and made["photos"] == 2
    room = open_room(site.config.paths.room_db)
    held = {c.number: people.photo(room, c.person) for c in people.candidates(room, made["session"])}
    assert all(held.values()) and hopper[:64] not in site.config.paths.room_db.read_bytes()
    # a template only for who agreed; for the other the photograph waits, and the answer says why
    done = json.loads(site.good("faces", "enrol", "--json"))
    assert done["enrolled"] == 1 and done["sessions"][0]["ready"] == 1
    assert [(one["number"], one["reason"]) for one in done["sessions"][0]["missing"]] == [(2, "face_asked_at_kiosk")]
    first, second = people.candidates(room, made["session"])
    assert people.photo(room, first.person) is None and people.photo(room, second.person) is not None
    assert people.template(room, first.person, pack.name, pack.version) is not None
    again = json.loads(site.good("faces", "enrol", "--check", "--json"))
    assert again["enrolled"] == 0 and again["sessions"] == done["sessions"]
    # another pack made the template, and its photograph is gone: said, and mended by a photograph given later
    with transaction(room):
        room.execute("UPDATE templates SET pack_version = 'older'")
    lacks = json.loads(site.good("faces", "enrol", "--json"))["sessions"][0]["missing"]
    assert [one["reason"] for one in lacks] == ["face_other_pack", "face_asked_at_kiosk"]
    later = ("faces", "enrol", "--session", made["session"], "--photos")
    wrong = site.run(*later, photos(site, n77=hopper), "--json")
    assert wrong.exit_code == 2 and "photo_nobody" in wrong.output and people.photo(room, first.person) is None
    mended = json.loads(site.good(*later, photos(site, n1=hopper), "--json"))
    assert mended["enrolled"] == 1 and mended["sessions"][0]["ready"] == 1
    (added,) = ledger.entries(room, kinds=("photos_added",))
    assert added.body["photos"] == 1
    room.close()


def test_faces_enrol_says_which_options_go_together(site: Site) -> None:
    roster = site.roster([])
    assert "--check" in site.run("faces", "enrol", "--roster", roster).output
    assert "--session" in site.run("faces", "enrol", "--photos", roster).output
