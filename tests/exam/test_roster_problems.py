"""Rosters and photographs with everything wrong that offices send: each told by row, cell or file, nothing stored."""

from __future__ import annotations

import ast
import csv
import io
import json
import stat
import tempfile
import unicodedata
import zipfile
from contextlib import suppress
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edge.exam
from edge.demo import people as cast
from edge.domain import consents, idcards
from edge.domain.reasons import REASONS
from edge.errors import BadInput
from edge.exam import roster_photos, roster_problems
from edge.exam.roster_cells import Row
from edge.exam.roster_people import People
from edge.exam.roster_problems import Problems, RosterProblems
from edge.exam.roster_taking import Source, check
from edge.exam.roster_xlsx import read_roster
from support.examples import fuzzed

HEAD = ("序号", "姓名", "证件类型", "证件号码", "卡号", "座位", "同意人脸核验", "告知书版本", "同意日期", "出生日期")
ID = cast.id_number
Rows = list[tuple[object, ...]]


def sheet(rows: Rows, heading: tuple[str, ...] = HEAD, seats: int = 6) -> str:
    """A whole roster as CSV text."""
    out = io.StringIO()
    writer = csv.writer(out)
    facts = (
        "S-1",
        "测试",
        "2026/12/1 9:00",
        60,
        "T-001",
        "学校",
        "C-1",
        "一班",
        "技能人员",
        "架子工",
        "五级",
        26,
        seats,
    )
    names = ("场次编号", "场次名称", "开始时间", "时长（分钟）", "机构编号", "机构名称", "班级编号", "班级名称", "类别",
             "职业（工种）", "等级", "座位行数", "座位列数")  # fmt: skip
    writer.writerow(("[考场]",))
    writer.writerows(zip(names, facts, strict=True))
    writer.writerows((("[考生]",), heading, *rows))
    writer.writerow(("[工作人员]",))
    writer.writerow(("编号", "姓名", "角色", "工牌号", "PIN", "主考评员"))
    writer.writerow(("P-1", "李四", "监考员", "90000001", "135790", ""))
    return out.getvalue()


def made(folder: Path, rows: Rows, encoding: str = "utf-8", **more: Any) -> Path:
    file = folder / "roster.csv"
    file.write_bytes(sheet(rows, **more).encode(encoding))
    return file


def who(number: int, **more: str) -> tuple[object, ...]:
    """A candidate without fault, but for `more`."""
    facts = {"序号": number, "姓名": f"张{number}", "证件类型": "身份证", "证件号码": ID(number)} | more
    return tuple(facts.get(title, "") for title in HEAD)


def told(file: Path) -> list[tuple[str, str, str]]:
    problems = Problems()
    read_roster(file, problems)
    return [(one.severity, one.where, one.code) for one in problems.found]


def errors(file: Path) -> set[tuple[str, str]]:
    return {(where, code) for severity, where, code in told(file) if severity == "error"}


def jpeg(colour: int = 90) -> bytes:
    import cv2
    import numpy as np

    return bytes(cv2.imencode(".jpg", np.full((40, 30, 3), colour, np.uint8))[1].tobytes())


FIRST = 17
"""The line of the first candidate in `sheet`."""


def test_every_row_is_told_at_once(tmp_path: Path) -> None:
    wrong_check = ID(1)[:-1] + ("0" if ID(1)[-1] != "0" else "1")
    body = "11010519900230001"
    rows = [
        who(1, 证件号码=wrong_check),
        who(2, 证件号码=body + cast.check_character(body)),  # the 30th of February
        who(3, 姓名=""),
        who(4, 卡号="12"),
        who(5, 座位="Q99"),
        who(6, 证件号码=ID(7)),
        who(7),
        who(7, 证件号码=ID(8)),
        who(9, 证件类型="驾照"),
        who(10, 证件号码="1.10105E+17"),
        who(11, 出生日期="1999-01-01"),
        who(12, 同意人脸核验="是"),
        who(13, 同意人脸核验="是", 告知书版本="2020", 同意日期="2026-01-01"),
        who(14, 卡号="90000001"),
        who(15, 证件号码="130503670401001"),
        who(16, 证件类型="护照", 证件号码="护照一号"),
        (17,),
    ]
    assert errors(made(tmp_path, rows)) == {
        (f"考生!D{FIRST}", "document_check"),
        (f"考生!D{FIRST + 1}", "document_birth"),
        (f"考生!B{FIRST + 2}", "roster_cell_empty"),
        (f"考生!E{FIRST + 3}", "roster_cell_form"),
        (f"考生!F{FIRST + 4}", "roster_seat_unknown"),
        (f"考生!D{FIRST + 6}", "roster_row_twice"),
        (f"考生!A{FIRST + 7}", "roster_row_twice"),
        (f"考生!{FIRST + 8}", "roster_cell_form"),
        (f"考生!D{FIRST + 9}", "roster_cell_rounded"),
        (f"考生!J{FIRST + 10}", "document_born_differs"),
        (f"考生!H{FIRST + 11}", "consent_incomplete"),
        (f"考生!H{FIRST + 12}", "consent_notice_unknown"),
        (f"考生!E{FIRST + 13}", "roster_staff_badge"),
        (f"考生!D{FIRST + 14}", "document_old"),
        (f"考生!D{FIRST + 15}", "document_form_passport"),
        (f"考生!{FIRST + 16}", "roster_row_bare"),
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_a_csv_in_any_of_its_encodings(tmp_path: Path, encoding: str) -> None:
    problems = Problems()
    found = read_roster(made(tmp_path, [who(1, 姓名="㐂龘")], encoding), problems)
    assert not problems.found and found.document["candidates"][0]["name"] == "㐂龘"
    assert found.document["session"]["planned_ms"] > 0


def test_what_excel_does_to_numbers_is_mended_where_it_has_one_reading(tmp_path: Path) -> None:
    wide = ID(2).translate(str.maketrans("0123456789X", "０１２３４５６７８９Ｘ"))
    mended = next(n for n in range(1, 60) if ID(n).endswith("X"))
    rows = [
        who(1, 证件号码=f" {ID(1)[:6]} {ID(1)[6:14]} {ID(1)[14:]}\u200b", 卡号="1.0000001E+07"),
        who(2, 证件号码=wide, 卡号="10000002.0"),
        who(mended, 证件号码=ID(mended).lower(), 卡号='="00123456"'),
        who(4, 证件号码=f"'{ID(4)}"),
    ]
    problems = Problems()
    found = read_roster(made(tmp_path, rows), problems).document["candidates"]
    assert [one["document"]["number"] for one in found] == [ID(1), ID(2), ID(mended), ID(4)]
    assert [one["badge"] for one in found] == ["10000001", "10000002", "00123456", None]
    assert {one.code for one in problems.found} == {"roster_cell_mended"} and not problems.errors()


NAMES = {
    "张\u3000三": "张三",
    "张  三": "张三",
    "\u202d欧\u00a0阳\u202c": "欧阳",
    "买买提\u3000艾力": "买买提 艾力",
    "John\u00a0 Smith": "John Smith",
    "李\u00ad四": "李四",
}


def test_a_name_s_spaces_and_rare_characters_are_no_fault(tmp_path: Path) -> None:
    rare = ["刘\ue815", "刘\U0003ffa1", "刘\ufe0f"]  # private use, not known to this Python, a variant of a glyph
    rows = [who(n, 姓名=name) for n, name in enumerate([*NAMES, *rare], start=1)]
    problems = Problems()
    found = read_roster(made(tmp_path, rows), problems).document["candidates"]
    assert [one["name"] for one in found] == [*NAMES.values(), *rare]
    assert [(one.severity, one.where) for one in problems.found] == [
        ("mended", f"考生!B{FIRST + n}") for n in range(len(NAMES))
    ]


@pytest.mark.parametrize(("name", "sign"), [("张\u2028三", "U+2028"), ("张\uffff三", "U+FFFF"), ("张\x07三", "U+0007")])
def test_what_no_name_can_have_is_told_by_its_number(tmp_path: Path, name: str, sign: str) -> None:
    problems = Problems()
    people = People(date(2026, 12, 1), None, {}, problems)
    people.candidate(Row("考生", 2, dict(zip(HEAD, who(1, 姓名=name), strict=True)), {"姓名": "B"}, problems))
    [one] = problems.found
    assert (one.where, one.code) == ("考生!B2", "roster_name_sign") and sign in one.sentence("en")


@pytest.mark.parametrize(
    ("kind", "number", "code"),
    [
        ("passport", "E12345678", None),
        ("hk-macao-permit", "H12345678", None),
        ("hk-macao-permit", "X12345678", "document_form_hk_macao_permit"),
        ("taiwan-permit", "12345678", None),
        ("taiwan-permit", "123456789", "document_form_taiwan_permit"),
        ("foreigner-permit", "CHN110177010101", None),
        ("foreigner-permit", "911124198108030024", None),
        ("foreigner-permit", "911124198108030025", "document_check"),
        ("hmt-residence", "81000019900101001X", "document_check"),
        ("hmt-residence", "11010519491231002X", "document_form_hmt_residence"),
        ("resident-id", "11010519491231002X", None),
        ("resident-id", "１", "document_length"),
    ],
)
def test_each_kind_of_document(kind: str, number: str, code: str | None) -> None:
    if kind == "foreigner-permit" and number[0] == "9":
        number = number if code else number[:-1] + cast.check_character(number[:-1])
    assert idcards.fault(kind, number) in ((code,) if code != "document_check" else (code, None))
    if code == "document_check":
        assert number[-1] == cast.check_character(number[:-1]) or idcards.fault(kind, number) == code


def test_candidates_alone_take_the_rest_from_another_roster(tmp_path: Path) -> None:
    alone = tmp_path / "alone.csv"
    alone.write_text("\t".join(HEAD) + "\n" + "\t".join(map(str, who(3))) + "\n", encoding="utf-16")
    assert errors(alone) >= {("考场", "roster_settings_wanted")}
    problems = Problems()
    found = read_roster(alone, problems, settings=made(tmp_path, [who(1)])).document
    assert not problems.found and [one["number"] for one in found["candidates"]] == [3]


def test_a_child_is_taken_in_without_a_face(tmp_path: Path) -> None:
    body = "11010520150101001"
    number = body + cast.check_character(body)
    yes = {"同意人脸核验": "是", "告知书版本": consents.VERSION, "同意日期": "2026-01-05"}
    problems = Problems()
    found = read_roster(made(tmp_path, [who(1, 证件号码=number, **yes)]), problems)
    assert [one.code for one in problems.found] == ["consent_minor"] and not problems.errors()
    assert found.document["candidates"][0]["consent"]["face"] is None and found.wanted[0].minor


def test_no_number_of_notes_hides_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_problems, "MOST", 5)
    rows = [who(n, 证件号码=f"{ID(n)[:6]} {ID(n)[6:]}") for n in range(1, 9)]
    taken = check(Source(made(tmp_path, rows), photos=archive(tmp_path, {}), photos_optional=True), fit)
    assert [one.code for one in taken.notes] == ["roster_cell_mended"] * 5 + ["roster_more_notes"]
    assert taken.notes[-1].facts == {"count": 8 + 8 - 5}
    with pytest.raises(RosterProblems) as refused:  # told after more notes than are listed, and too many itself
        check(Source(made(tmp_path, rows), photos=archive(tmp_path, {})), fit)
    errors = [one for one in refused.value.problems if one.severity == "error"]
    assert [one.code for one in errors] == ["photo_missing"] * 5 + ["roster_more_errors"]
    assert errors[-1].facts == {"count": 3} and refused.value.facts["count"] == 8


STAFF_LINE = "P-1,李四,监考员,90000001,135790,\r\n"


def details(folder: Path, text: str) -> set[tuple[str, str]]:
    """Where, and what in English, of a roster that is checked without a bank."""
    file = folder / "roster.csv"
    file.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(RosterProblems) as refused:
        check(Source(file, photos_optional=True), fit)
    return {(one.where, one.facts.get("detail", {}).get("en", one.code)) for one in refused.value.problems}


def test_the_rules_of_a_session_are_checked_without_its_bank(tmp_path: Path) -> None:
    whole = sheet([who(1), who(2, 卡号="70000002")])
    end = whole.index(STAFF_LINE)
    line = whole[:end].count("\n") + 1
    assert whole.endswith(STAFF_LINE)
    staff = "坏号,王五,技术员,a,135790,\r\nP-3,赵六,技术员,,135790,\r\n"
    found = details(tmp_path, whole.replace("S-1", "场 次/1") + staff)
    assert {where for where, _ in found} == {
        "考场!B2", f"工作人员!A{line + 1}", f"工作人员!D{line + 1}", f"工作人员!D{line + 2}"
    }  # fmt: skip
    # what is of a row that is wrong already, or may follow from one, is not told besides
    wrong = sheet([who(1, 卡号="90000001"), who(2, 卡号="x")]) + staff
    assert {where for where, _ in details(tmp_path, wrong)} == {
        f"考生!E{FIRST}", f"考生!E{FIRST + 1}", f"工作人员!A{line + 1}", f"工作人员!D{line + 1}",
        f"工作人员!D{line + 2}",
    }  # fmt: skip
    twice = (
        whole[:end]
        + STAFF_LINE.replace("监考员", "技术员") * 2
        + "[工位]\r\n编号,名称,摄像机,评分表\r\nW-1,一号,,R-1\r\n"
    )
    assert details(tmp_path, twice) == {
        (f"工作人员!D{line + 1}", f"badges: 工作人员!D{line} and 工作人员!D{line + 1} are the same"),
        (f"工作人员!A{line + 1}", f"staff ids: 工作人员!A{line} and 工作人员!A{line + 1} are the same"),
        ("工作人员", "no proctor among the staff: nobody could open the session"),
        ("工作人员", "no examiner among the staff, although there is a practical test"),
    }
    many = sheet([who(n, 证件类型="护照", 证件号码=f"E{n:07d}") for n in range(1, 2002)], seats=90)
    assert {where for where, _ in details(tmp_path, many)} == {"考生"}


# ---- photographs


def archive(folder: Path, files: dict[str, bytes]) -> Path:
    out = folder / "photos.zip"
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, data in files.items():
            made.writestr(name, data)
    return out


def fit(_picture: bytes) -> tuple[str, ...]:
    return ()


def problems_of(source: Source, judge: Any = fit) -> set[tuple[str, str]]:
    with pytest.raises(RosterProblems) as refused:
        check(source, judge)
    return {(one.where, one.code) for one in refused.value.problems if one.severity == "error"}


def test_photographs_find_their_people(tmp_path: Path) -> None:
    roster = made(tmp_path, [who(n, 卡号=f"{70000000 + n}", 姓名=f"李建{'一二三四五'[n]}") for n in (1, 2, 3, 4)])
    files = {
        f"班级/{ID(1).lower()}.jpg": jpeg(1),
        "70000002_李建三.JPG": jpeg(2),
        "照片/0003.png": jpeg(3),
        f"李建五{ID(4)}_70000004.jpeg": jpeg(4),
        "__MACOSX/._x": b"",
        "Thumbs.db": b"",
    }
    taken = check(Source(roster, photos=archive(tmp_path, files)), fit)
    assert taken.photos == {n: jpeg(n) for n in (1, 2, 3, 4)} and not taken.notes


def told_of(name: str) -> tuple[list[int], set[str]]:
    """Whose a file of this name is, and what is told of it."""
    facts = [
        (5, "李四", ID(5), None),
        (7, "John Smith", ID(7), "70000007"),
        (12, "张三", "H01234567", "5001"),
        (13, "王五", "20260713", None),  # a permit for Taiwan residents
    ]
    people = [roster_photos.Wanted(*one, one[0], f"考生 {one[0]}", "", False, False) for one in facts]
    problems = Problems()
    owners = roster_photos.match(people, {name: b""}, False, problems)
    return list(owners), {one.code for one in problems.found if one.where == name}


@pytest.mark.parametrize(
    ("name", "number"),
    [("12.jpg", 12), ("0012.JPG", 12), ("班级/ 12 .jpg", 12), ("１２.jpg", 12), ("12张三.jpg", 12),
     ("张三_012.jpg", 12), ("3班-张三-12 一寸照.jpg", 12), ("20260712_张三_0012.jpg", 12), ("5001.jpg", 12),
     ("5001 张三.png", 12), ("班_5_H01234567.jpg", 12), ("john_smith-7.jpg", 7),
     ("IMG_70000007.jpg", 7), ("20260713.jpg", 13)],
)  # fmt: skip
def test_a_short_number_names_somebody_alone_or_beside_their_name(name: str, number: int) -> None:
    assert told_of(name) == ([number], set())


@pytest.mark.parametrize(
    "name",
    ["IMG_0012.jpg", "DSC_0005.JPG", "photo-12.jpg", "12 (1).jpg", "12-5.jpg", "张三丰12.jpg", "IMG_5001.jpg",
     "IMG_20260713_101500.jpg", "照片5.jpg", "John 7.jpg", "Johnny Smith 7.jpg"],
)  # fmt: skip
def test_a_number_that_may_be_a_cameras_names_nobody(name: str) -> None:
    assert told_of(name) == ([], {"photo_number_loose"})


def test_a_number_beside_another_persons_name_is_nobodys() -> None:
    assert told_of("李四12.jpg") == ([], {"photo_ambiguous"})
    assert told_of("DSC00012.jpg") == ([], {"photo_nobody"})


def test_a_number_that_is_also_another_candidates_badge_is_not_guessed_at() -> None:
    people = [
        roster_photos.Wanted(1, "张三", ID(1), "0057", 2, "考生!2", "", False, False),
        roster_photos.Wanted(23, "李四", ID(2), "0001", 3, "考生!3", "", False, False),
        roster_photos.Wanted(4, "王五", ID(3), "0004", 4, "考生!4", "", False, False),
    ]
    names = ["0001.jpg", "57.jpg", "0004.jpg", f"{ID(2)}_1.jpg", "0001张三.jpg", "0057_张三_4.jpg"]
    found = {}
    for name in names:
        problems = Problems()
        owners = roster_photos.match(people, {name: b""}, False, problems)
        found[name] = (list(owners), [one.code for one in problems.found if one.where == name])
    assert found == {
        "0001.jpg": ([], ["photo_ambiguous"]),  # the badge of 23, the number of 1
        "57.jpg": ([], ["photo_nobody"]),
        "0004.jpg": ([4], []),
        f"{ID(2)}_1.jpg": ([23], []),
        "0001张三.jpg": ([1], []),
        "0057_张三_4.jpg": ([1], []),
    }


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_are_one_however_a_computer_writes_them(tmp_path: Path, forms: tuple[str, str]) -> None:
    here, there = (unicodedata.normalize(form, "Nguyễn Văn Bình") for form in forms)
    heading = (*HEAD, "照片文件")
    rows = [(*who(1), f"{here}.jpg"), (*who(2, 姓名=here), "")]
    roster = made(tmp_path, rows, heading=heading)
    files = {f"{there}.jpg": jpeg(1), f"{there} 2.jpg": jpeg(2)}
    assert check(Source(roster, photos=archive(tmp_path, files)), fit).photos == {1: jpeg(1), 2: jpeg(2)}
    (tmp_path / f"{there}.jpg").write_bytes(jpeg(1))
    assert check(Source(roster), fit).photos == {1: jpeg(1)}


def test_everything_wrong_with_photographs(tmp_path: Path) -> None:
    rows = [who(n, 姓名=f"王国{'一二三四五六七八'[n]}") for n in range(1, 8)]
    files = {
        "9999.jpg": jpeg(1),
        f"{ID(1)}-{ID(2)}.jpg": jpeg(2),
        "3.jpg": jpeg(3),
        "a/0003.jpg": jpeg(4),
        f"王国五{ID(5)}.jpg": jpeg(5),  # the name is number 4's
        "6.jpg": jpeg(7),
        "7.jpg": jpeg(7),
        "../up.jpg": jpeg(8),
        "C:\\x.jpg": jpeg(8),
        "2.jpg": b"\xff" * 2_100_000,
    }
    found = problems_of(Source(made(tmp_path, rows), photos=archive(tmp_path, files)))
    assert found == {
        ("9999.jpg", "photo_nobody"),
        (f"{ID(1)}-{ID(2)}.jpg", "photo_ambiguous"),
        (f"考生!{FIRST + 2}", "photo_twice"),
        (f"王国五{ID(5)}.jpg", "photo_ambiguous"),
        (f"考生!{FIRST + 6}", "photo_same"),
        ("../up.jpg", "photos_member_path"),
        ("C:\\x.jpg", "photos_member_path"),
        ("2.jpg", "photos_member_bomb"),
        *((f"考生!{FIRST + n}", "photo_missing") for n in (0, 1, 3, 4)),
    }


def test_hostile_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, rows = tmp_path / "photos.zip", made(tmp_path, [who(1)])
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made_zip:
        link = zipfile.ZipInfo("1.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        made_zip.writestr(link, "/etc/passwd")
        made_zip.writestr("bomb.jpg", bytes(50_000_000))
    found = problems_of(Source(rows, photos=out))
    assert {("1.jpg", "photos_member_path"), ("bomb.jpg", "photos_member_bomb")} <= found
    # one that says it is small and is not
    lying = bytearray(archive(tmp_path, {"1.jpg": bytes(3_000_000)}).read_bytes())
    at = lying.rindex(b"PK\x01\x02")
    lying[at + 24 : at + 28] = (1000).to_bytes(4, "little")
    out.write_bytes(lying)
    codes = {code for where, code in problems_of(Source(rows, photos=out)) if where == "1.jpg"}
    assert codes & {"photos_member_broken", "photo_large", "photos_member_bomb"}
    out.write_bytes(b"PK\x03\x04 no zip")
    assert {code for _, code in problems_of(Source(rows, photos=out))} == {"photos_unreadable"}
    monkeypatch.setattr(roster_photos, "TOTAL", 10)
    files = archive(tmp_path, {"1.jpg": jpeg()})
    assert ("photos.zip", "photo_total") in problems_of(Source(rows, photos=files))


@cache
def packed(method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made_zip:
        for name in ("1.jpg", "张三.jpg"):
            made_zip.writestr(name, b"a photograph of nobody " * 20)
    return out.getvalue()


METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


@pytest.mark.parametrize("method", METHODS)
def test_a_damaged_photograph_in_a_zip_is_told_by_its_name(tmp_path: Path, method: int) -> None:
    data = bytearray(packed(method))
    start = 30 + len("1.jpg") + (9 if method == zipfile.ZIP_LZMA else 0)  # behind the properties of LZMA
    data[start : start + 12] = b"\xff" * 12
    (tmp_path / "photos.zip").write_bytes(data)
    problems = Problems()
    assert list(roster_photos.read_archive(tmp_path / "photos.zip", problems)) == ["张三.jpg"]
    assert [(one.where, one.code) for one in problems.found] == [("1.jpg", "photos_member_broken")]


@fuzzed
@given(st.sampled_from(METHODS), st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), min_size=1, max_size=6))
def test_no_bytes_break_the_zip(method: int, changes: list[tuple[int, int]]) -> None:
    data = bytearray(packed(method))
    for at, value in changes:
        data[at % len(data)] = value
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        file.write(data)
        file.flush()
        with suppress(BadInput):
            roster_photos.read_archive(Path(file.name), Problems())


def test_names_from_a_chinese_windows(tmp_path: Path) -> None:
    out = tmp_path / "photos.zip"
    with zipfile.ZipFile(out, "w") as made_zip:
        made_zip.writestr("XXXX1.jpg", jpeg())
    data = out.read_bytes().replace(b"XXXX", "张三".encode("gb18030"))
    out.write_bytes(data)
    problems = Problems()
    assert list(roster_photos.read_archive(out, problems)) == ["张三1.jpg"] and not problems.found


def test_faces_are_looked_at_before_anything_is_stored(tmp_path: Path) -> None:
    rows = made(tmp_path, [who(1), who(2), who(3)])
    files = archive(tmp_path, {f"{n}.jpg": jpeg(n) for n in (1, 2, 3)})
    said = {jpeg(1): ("face_none",), jpeg(2): ("face_blurred", "face_dark"), jpeg(3): ("face_of_a_later_kind",)}
    steps: list[tuple[int, int]] = []
    with pytest.raises(RosterProblems) as refused:
        check(Source(rows, photos=files), said.__getitem__, lambda done, total: steps.append((done, total)))
    assert [(one.row, one.code) for one in refused.value.problems] == [
        (FIRST, "photo_face_none"),
        (FIRST + 1, "photo_face_blurred"),
        (FIRST + 2, "photo_face_unfit"),
    ]
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert refused.value.code == "roster_problems" and "3" in str(refused.value)
    document = json.dumps([one.as_json() for one in refused.value.problems])
    assert ID(1) not in document, "what is told names rows, not people"


def test_two_thousand_people(tmp_path: Path) -> None:
    rows = [who(n, 姓名=f"人{n}") for n in range(1, 2001)]
    files = archive(tmp_path, {f"{ID(n)}.jpg": b"%d" % n for n in range(1, 2001)})
    taken = check(Source(made(tmp_path, rows, seats=80), photos=files), fit)
    assert len(taken.photos) == len(taken.document["candidates"]) == 2000 and not taken.notes


def test_every_problem_has_its_sentence() -> None:
    codes: set[str] = set(roster_photos._SAID.values()) | {"photo_face_unfit"}
    for file in Path(edge.exam.__file__).parent.glob("roster_*.py"):
        for call in (n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)):
            if getattr(call.func, "attr", "") in ("add", "tell", "warn", "day") and len(call.args) > 1:
                code = call.args[1]
                if isinstance(code, ast.Constant) and isinstance(code.value, str):
                    codes.add(code.value)
    assert len(codes) > 30 and not {code for code in codes if code not in REASONS}
    for kind in idcards.KINDS:
        found = {idcards.fault(kind, number) for number in ("?", "1" * 15, "1" * 18, "8" * 18, "9" * 18)}
        assert found - {None} <= set(REASONS)
