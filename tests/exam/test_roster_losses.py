"""Nothing that a person put into a roster is left out, or taken for something else, without being told by its cell."""

from __future__ import annotations

import io
from collections.abc import Callable
from copy import copy
from datetime import date, datetime, time
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.drawing.image import Image
from openpyxl.styles import Font

from edge.errors import BadInput
from edge.exam import roster_room
from edge.exam.roster_problems import Problems, RosterProblems
from edge.exam.roster_template import write_template
from edge.exam.roster_xlsx import read_roster, read_sheets

Change = Callable[[Workbook], object]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template, filled in: two candidates, two members of staff, a station."""
    file = tmp_path_factory.mktemp("template") / "roster.xlsx"
    write_template(file)
    book = load_workbook(file)
    book["考生"]["B2"], book["考生"]["E2"] = "张建国", "10000001"
    book["考生"].append((2, "李二", "护照", "E1234567", "10000002", "A2"))
    book["工作人员"]["E2"], book["工作人员"]["E3"] = "013579", "135790"
    book["工位"].append(("G1", "一号工位", "door", "R1"))
    book.save(file)
    return file


def altered(content: Path, folder: Path, *changes: Change) -> Path:
    book = load_workbook(content)
    for change in changes:
        change(book)
    file = folder / "roster.xlsx"
    book.save(file)
    return file


def put(place: str, value: object, shape: str = "") -> Change:
    def change(book: Workbook) -> None:
        sheet, _, at = place.partition("!")
        cell = (book[sheet] if sheet in book else book.create_sheet(sheet))[at]
        cell.value = value
        if shape:
            cell.number_format = shape

    return change


def struck(place: str) -> Change:
    def change(book: Workbook) -> None:
        sheet, _, at = place.partition("!")
        font = copy(book[sheet][at].font)
        book[sheet][at].font = Font(name=font.name, strike=True)

    return change


def merged(place: str) -> Change:
    def change(book: Workbook) -> None:
        sheet, _, area = place.partition("!")
        book[sheet].merge_cells(area)

    return change


def pasted(book: Workbook) -> None:
    picture = io.BytesIO(cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1].tobytes())
    book["考生"].add_image(Image(picture), "G3")


def hidden(book: Workbook) -> None:
    book["考生"].row_dimensions[3].hidden = book["考生"].row_dimensions[30].hidden = True


PARTLY_STRUCK = CellRichText("架子工", TextBlock(InlineFont(strike=True), "二班"))


@pytest.mark.parametrize(
    ("change", "where", "code"),
    [
        # a sheet that is none of the four
        (put("考生(2)!B3", "王五"), "考生(2)!B3", "roster_sheet_unknown"),
        (put("考生 2班!A1", "序号"), "考生 2班!A1", "roster_sheet_unknown"),
        (put("Sheet1!Z9", 0), "Sheet1!Z9", "roster_sheet_unknown"),
        (put("Sheet1!B2", "=考生!A1"), "Sheet1!B2", "roster_sheet_unknown"),
        # 考场: keys unknown and doubled, and what stands beside them
        (put("考场!A14", "时长(分)"), "考场!A14", "roster_key_unknown"),
        (put("考场!B14", "乱"), "考场!B14", "roster_key_unknown"),
        (put("考场!A15", "座位行数"), "考场!A15", "roster_key_twice"),
        (put("考场!C4", "或 90"), "考场!C4", "roster_cell_beside"),
        (put("考场!XFD2", 1), "考场!XFD2", "roster_cell_beside"),
        # cells that are no words
        *(
            (put(place, value), place, "roster_cell_formula")
            for place in ("考场!B2", "考场!A2", "考生!B2", "考生!E3", "工作人员!B2", "工作人员!E2", "工位!B2")
            for value in ("=1+1", "#REF!")
            if place != "考场!A2" or value != "#REF!"
        ),
        (put("考场!B2", date(2026, 3, 5), "m月d日"), "考场!B2", "roster_cell_changed"),
        (put("考场!B2", 0.5, "0%"), "考场!B2", "roster_cell_changed"),
        (put("考场!B1", 1.1, "0.00"), "考场!B1", "roster_cell_changed"),
        (put("考场!B2", True), "考场!B2", "roster_cell_changed"),
        (put("工作人员!A2", datetime(2026, 3, 5, 9), "yyyy-mm-dd hh:mm"), "工作人员!A2", "roster_cell_changed"),
        (put("工位!B2", time(9, 30)), "工位!B2", "roster_cell_changed"),
        # cells beyond the columns, and in one without a heading
        (put("考生!P2", "备注"), "考生!P2", "roster_row_long"),
        (put("考生!CV3", "备注"), "考生!CV3", "roster_row_long"),
        (put("工作人员!G2", "兼考评"), "工作人员!G2", "roster_row_long"),
        (put("工位!E2", "二号摄像机"), "工位!E2", "roster_row_long"),
        (put("考生!I1", None), "考生!I2", "roster_column_unnamed"),
        (put("工作人员!G1", "电话"), "工作人员!1", "roster_broken"),
        # a start without its hour
        *(
            (put("考场!B3", value, shape), "考场!B3", "roster_broken")
            for value, shape in (
                ("2026-12-01", ""),
                ("20261201", ""),
                ("2026-W49-2", ""),
                (date(2026, 12, 1), "yyyy-mm-dd"),
                (datetime(2026, 12, 1), "yyyy/m/d"),
                (time(9), "hh:mm"),
            )
        ),
        # merged, struck out, pasted
        (merged("考生!F2:F3"), "考生!F2:F3", "roster_cell_merged"),
        (merged("考场!B1:B2"), "考场!B1:B2", "roster_cell_merged"),
        (merged("工作人员!E2:E3"), "工作人员!E2:E3", "roster_cell_merged"),
        (struck("考生!B3"), "考生!B3", "roster_cell_struck"),
        (struck("考场!A2"), "考场!A2", "roster_cell_struck"),
        (put("考场!B2", PARTLY_STRUCK), "考场!B2", "roster_cell_struck"),
        (pasted, "考生!G3", "roster_picture"),
        # a PIN that has lost its zeros
        (put("工作人员!E2", 12345), "工作人员!E2", "roster_broken"),
        (put("工作人员!E2", "1.23457E+11"), "工作人员!E2", "roster_broken"),
        (put("工作人员!E2", 10**15), "工作人员!E2", "roster_broken"),
        (put("考场!B4", "6_0"), "考场!B4", "roster_broken"),
    ],
)
def test_each_is_told_by_its_cell(template: Path, tmp_path: Path, change: Change, where: str, code: str) -> None:
    with pytest.raises(RosterProblems) as refused:
        read_sheets(altered(template, tmp_path, change))
    told = [(one.where, one.code) for one in refused.value.problems if one.severity == "error"]
    assert (where, code) in told
    for one in refused.value.problems:
        assert one.sentence("zh") != one.sentence("en") and "{" not in one.sentence("zh") + one.sentence("en")


def test_what_is_whole_is_taken(template: Path, tmp_path: Path) -> None:
    changes = (
        put("Sheet1!A1", None),
        put("Sheet2!A1", "  "),
        put("考场!B3", datetime(2026, 12, 1, 0, 0), "yyyy-mm-dd hh:mm"),
        put("工作人员!E2", 13579, "000000"),
        merged("考生!A40:C42"),
        struck("考生!B40"),
    )
    problems = Problems()
    document = read_roster(altered(template, tmp_path, *changes), problems).document
    assert not problems.found and len(document["candidates"]) == 2
    assert datetime.fromtimestamp(document["session"]["planned_ms"] / 1000) == datetime(2026, 12, 1)


def test_what_may_be_right_is_a_warning_by_its_cell(template: Path, tmp_path: Path) -> None:
    problems = Problems()
    found = read_roster(
        altered(template, tmp_path, put("工作人员!E3", 135790), put("考生!B2", "张三"), put("考生!E3", 12345), hidden),
        problems,
    )
    assert not problems.errors() and len(found.document["candidates"]) == 2
    assert {(one.where, one.code, one.severity) for one in problems.found} == {
        ("工作人员!E3", "roster_pin_number", "warning"),
        ("考生!B2", "roster_example_left", "warning"),
        ("考生!E3", "roster_badge_short", "warning"),
        ("考生!3", "roster_row_hidden", "warning"),
    }


def test_a_pin_is_kept_as_its_keys_type_it(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster_room, "PasswordHasher", lambda: SimpleNamespace(hash=str))
    problems = Problems()
    found = read_roster(altered(template, tmp_path, put("工作人员!E2", "０１２４６８\u200b")), problems).document
    assert [one["pin_hash"] for one in found["staff"]] == ["012468", "135790"]
    assert [(one.where, one.severity) for one in problems.found] == [("工作人员!E2", "mended")]


def test_in_excel_what_is_typed_into_the_template_stays_as_it_is_typed(tmp_path: Path) -> None:
    write_template(tmp_path / "roster.xlsx")
    book = load_workbook(tmp_path / "roster.xlsx")
    assert {book["工作人员"]["E2"].number_format, book["工作人员"].column_dimensions["E"].number_format} == {"@"}
    assert book["考生"].column_dimensions["D"].number_format == "@" != book["考生"]["A2"].number_format


@pytest.mark.parametrize(
    ("old", "new", "where", "code"),
    [
        ("[工作人员]", "[工位2]\nG2,二号,door,R1\n[工作人员]", "工位2!A", "roster_sheet_unknown"),
        ("[考生]", "【考生2班】\n1,李四\n[考生]", "考生2班!A", "roster_sheet_unknown"),
        ("场次名称,", "场次名称,=1+1,", "考场!B", "roster_cell_formula"),
        ("场次名称,", "场次名称,一,二,", "考场!C", "roster_cell_beside"),
        ("监考员,90000001,", "监考员,90000001,2.46802E+11,", "工作人员!E", "roster_broken"),
        ("1,张三", '1,"张三', "考生!", "roster_broken"),
        ("开始时间,2026-12-01 09:00", "开始时间,2026-12-01", "考场!B", "roster_broken"),
    ],
)
def test_in_a_csv_as_well(tmp_path: Path, old: str, new: str, where: str, code: str) -> None:
    file = tmp_path / "roster.csv"
    write_template(file)
    content = file.read_text(encoding="utf-8-sig").replace("请改", "135790")
    assert old in content
    file.write_text(content.replace(old, new, 1))
    with pytest.raises(BadInput) as refused:
        read_sheets(file)
    told = (
        [(one.where, one.code) for one in refused.value.problems]
        if isinstance(refused.value, RosterProblems)
        else [(str(refused.value.facts["where"]), refused.value.code)]
    )
    assert any(place.startswith(where) and said == code for place, said in told), told


def test_a_csv_with_semicolons_says_the_same(tmp_path: Path) -> None:
    commas, semicolons = tmp_path / "a.csv", tmp_path / "b.csv"
    write_template(commas)
    semicolons.write_text(commas.read_text(encoding="utf-8-sig").replace(",", ";"))
    found = [read_roster(file, Problems()).document for file in (commas, semicolons)]
    assert found[0]["candidates"] == found[1]["candidates"] != []


def test_a_roster_with_settings_of_its_own_takes_none_from_elsewhere(template: Path, tmp_path: Path) -> None:
    problems = Problems()
    read_roster(altered(template, tmp_path), problems, settings=template)
    assert {(one.where, one.code) for one in problems.found} == {
        (sheet, "roster_sheet_unused") for sheet in ("考场", "工作人员", "工位")
    }


# ---- anything altered at random


def number(book: Workbook, place: str) -> None:
    """Digits typed as words become a number, as a spreadsheet makes one of them."""
    sheet, _, at = place.partition("!")
    value = str(book[sheet][at].value or "")
    if value.isdigit():
        put(place, int(value), "General")(book)


def word(book: Workbook, place: str) -> None:
    """Where nothing stood."""
    sheet, _, at = place.partition("!")
    if book[sheet][at].value is None:
        book[sheet][at].value = "写错地方"


ACTS: dict[str, Callable[[str], Change]] = {
    "formula": lambda place: put(place, "=A1"),
    "error": lambda place: put(place, "#N/A"),
    "truth": lambda place: put(place, True),
    "fraction": lambda place: put(place, 1.5),
    "time": lambda place: put(place, time(9, 30)),
    "struck": struck,
    "down": lambda place: merged(f"{place}:{place.partition('!')[2][0]}{int(place[-1]) + 1}"),
    "right": lambda place: merged(f"{place}:{chr(ord(place.partition('!')[2][0]) + 1)}{place[-1]}"),
    "number": lambda place: partial(number, place=place),
    "word": lambda place: partial(word, place=place),
}
MERGES = ("down", "right")
"""Last of all: nothing can be put into a merged cell."""
PLACES = st.builds(
    "{}!{}{}".format,
    st.sampled_from(("考场", "考生", "工作人员", "工位", "另外")),
    st.sampled_from("ABCDEFGHIP"),
    st.integers(1, 5),
)


def meant(file: Path) -> Any:
    document = read_sheets(file)
    return {name: part for name, part in document.items() if name != "cells"}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(sorted(ACTS)), PLACES), min_size=1, max_size=2))
def test_an_altered_workbook_is_refused_by_a_cell_or_says_the_same(
    template: Path, tmp_path: Path, acts: list[tuple[str, str]]
) -> None:
    changes = [ACTS[name](place) for name, place in sorted(acts, key=lambda act: act[0] in MERGES)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roster_room, "PasswordHasher", lambda: SimpleNamespace(hash=str))
        try:
            after = meant(altered(template, tmp_path, put("另外!A1", None), *changes))
        except RosterProblems as refused:
            assert all("!" in one.where or one.where in ("考场", "另外") for one in refused.problems)
        else:
            assert after == meant(template)
