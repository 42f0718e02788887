"""The workbook: every problem with its cell, all at once, and a template that says what it wants."""

from __future__ import annotations

import io
import re
import time
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont
from openpyxl.styles import Font
from openpyxl.utils import get_column_letter

from edge.bank.imports import Wishes, import_files
from edge.bank.xlsx import columns as c
from edge.bank.xlsx.write import template
from support.banks import png
from support.workbooks import FACTS, GOOD, at, book, cells, run


def test_the_template_has_every_sheet_and_its_drop_downs() -> None:
    made = load_workbook(io.BytesIO(template()))
    assert made.sheetnames == [c.NOTES, c.BANK, *c.COLUMNS]
    lists = {rule.formula1 for name in c.SHEETS for rule in made[name].data_validations.dataValidation}
    for choices in (c.TYPES, c.TESTS, "12345", c.REGIMES, c.LEVELS):
        assert '"' + ",".join(choices) + '"' in lists
    told = {(row[0], row[1]): row for row in made[c.NOTES].iter_rows(min_row=2, values_only=True)}
    for name, columns in c.COLUMNS.items():
        for column in columns:
            assert told[(name, column.title)][2] and told[(name, column.title)][3]


def test_an_item_of_each_sheet(tmp_path: Path) -> None:
    media = tmp_path / "media"
    media.mkdir()
    (media / "图 一.png").write_bytes(png(1, 40, 30))
    made = book(
        {
            c.CHOICE: [
                GOOD,
                {"编号": "Q2", "题型": "判断", "题干": "对吗", "答案": "错误", **FACTS, "等级": "五级、四级"},
                {
                    "编号": "C1.1",
                    "所属案例": "C1",
                    "题型": "多选",
                    "题干": "选",
                    "选项A": "a",
                    "选项B": "b",
                    "选项C": "c",
                    "答案": "AC",
                    "分值": 2,
                    **FACTS,
                },
            ],
            c.FILL: [
                {
                    "编号": "F1",
                    "题干": "____ 和 ____",
                    "空1答案": "五|5",
                    "空2类型": "数值",
                    "空2答案": 12.5,
                    "空2允差": 0.1,
                    "空2单位": "mm|毫米",
                    "空2可选单位": "cm|mm",
                    **FACTS,
                    "类别": "技能人员",
                },
                {"编号": "C1.2", "所属案例": "C1", "题干": "____", "空1答案": "x", **FACTS},
            ],
            c.ORDER: [{"编号": "O1", "题干": "排", "选项A": "a", "选项B": "b", "选项C": "c", "答案": "CAB", **FACTS}],
            c.MATCH: [
                {
                    "编号": "M1",
                    "题干": "配",
                    "左1": "x",
                    "左2": "y",
                    "选项A": "a",
                    "选项B": "b",
                    "答案": "1B，2A",
                    **FACTS,
                }
            ],
            c.SPOT: [
                {
                    "编号": "H1",
                    "题干": "点",
                    "图片": "图 一.png",
                    "区域1": "圆 100，200，50",
                    "区域2": "矩形 0,0,9,9",
                    **FACTS,
                }
            ],
            c.CASE: [{"编号": "C1", "题干": "一处工地", **FACTS}],
            c.MEDIA: [
                {"编号": "Q1", "位置": "题干", "文件": "图 一.png", "说明文字": "一张图"},
                {"编号": "Q1", "位置": "A", "文件": "图 一.png"},
            ],
            c.WORDS: [
                {"编号": "Q1", "语言": "en", "位置": "题干", "译文": "How many?"},
                {"编号": "Q1", "语言": "en", "位置": "A", "译文": "one"},
            ],
        }
    )
    done = run(tmp_path, made, media)
    assert done.bank is not None, [(p.where, p.sentence("en")) for p in done.problems]
    items: dict[str, Any] = {item.id: item for item in done.bank.items}
    assert list(items) == ["Q1", "Q2", "F1", "O1", "M1", "H1", "C1"]
    assert items["Q1"].source.clause == "6.3" and items["Q1"].translations["en"].options == {"A": "one"}
    (name,) = done.bank.media
    assert items["Q1"].options[0].image == items["Q1"].media[0].name == items["H1"].image == name
    assert items["Q2"].answer == ["B"] and items["Q2"].levels == ["五级", "四级"]
    assert [blank.kind for blank in items["F1"].blanks] == ["text", "number"]
    assert (items["F1"].blanks[1].units, items["F1"].blanks[1].shown_units) == (["mm", "毫米"], ["cm", "mm"])
    assert str(items["F1"].blanks[1].tolerance) == "0.1" and items["F1"].regimes == ["skilled-worker"]
    assert (items["O1"].answer, items["M1"].answer) == (["C", "A", "B"], {"1": "B", "2": "A"})
    assert (items["H1"].aspect, [region.shape for region in items["H1"].regions]) == (750, ["circle", "rect"])
    assert ([sub.id for sub in items["C1"].items], items["C1"].points) == (["C1.1", "C1.2"], 3)


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "type": ({"题型": "选择"}, "题型", "bank_field_choice"),
    "no type": ({"题型": None}, "题型", "bank_field_missing"),
    "answer": ({"答案": "D"}, "答案", "bank_answer_unknown"),
    "two answers": ({"答案": "AB"}, "答案", "bank_answer_one"),
    "no answer": ({"答案": None}, "答案", "bank_field_missing"),
    "difficulty": ({"难度": 9}, "难度", "bank_field_range"),
    "difficulty in words": ({"难度": "难"}, "难度", "bank_field_number"),
    "test": ({"科目": "实操"}, "科目", "bank_field_choice"),
    "topic": ({"知识点": None}, "知识点", "bank_field_missing"),
    "clause": ({"条款": None}, "条款", "bank_field_missing"),
    "stem": ({"题干": None}, "题干", "bank_field_missing"),
    "long": ({"题干": "字" * 2001}, "题干", "bank_field_long"),
    "one option": ({"选项A": None}, "选项A", "bank_field_few"),
    "same options": ({"选项A": "二"}, "选项A", "bank_option_text_twice"),
    "id": ({"编号": "题 1"}, "编号", "bank_field_form"),
    "points": ({"分值": 0}, "分值", "bank_field_range"),
    "regime": ({"类别": "经理"}, "类别", "bank_field_choice"),
    "case": ({"所属案例": "C9"}, "所属案例", "bank_case_unknown"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_problem_is_named_by_its_cell(tmp_path: Path, name: str) -> None:
    change, title, code = WRONG[name]
    row = GOOD | {"编号": "Q2"} | change
    done = run(tmp_path, book({c.CHOICE: [GOOD, {k: v for k, v in row.items() if v is not None}]}))
    assert cells(done) == [(at(c.CHOICE, title, 3), row["编号"], code)]
    assert "{" not in done.problems[0].sentence("zh") + done.problems[0].sentence("en")


def test_problems_of_the_other_sheets(tmp_path: Path) -> None:
    made = book(
        {
            c.CHOICE: [GOOD, GOOD],
            c.FILL: [
                {"编号": "F1", "题干": "____ ____", "空1答案": "x", **FACTS},
                {"编号": "F2", "题干": "____", "空1类型": "数值", "空1答案": "多", **FACTS},
                {"编号": "F3", "题干": "____", "空1类型": "文字", "空1答案": "x", "空1单位": "mm", **FACTS},
                {"编号": "F4", "题干": "____", "空1答案": 5, "空1单位": "mm", "空1可选单位": "cm|m", **FACTS},
                {"编号": "F5", "题干": "____", "空1答案": 6.1, **FACTS},
            ],
            c.ORDER: [{"编号": "O1", "题干": "排", "选项A": "a", "选项B": "b", "答案": "AA", **FACTS}],
            c.MATCH: [
                {"编号": "M1", "题干": "配", "左1": "x", "左2": "y", "选项A": "a", "选项B": "b", "答案": "1", **FACTS}
            ],
            c.SPOT: [{"编号": "H1", "题干": "点", "图片": "a.png", "区域1": "圆", **FACTS}],
            c.CASE: [{"编号": "C1", "题干": "无小题", **FACTS}],
            c.MEDIA: [{"编号": "Q1", "位置": "Z", "文件": "a.png"}, {"编号": "ZZ", "文件": "a.png"}],
            c.WORDS: [{"编号": "Q1", "语言": "fr", "位置": "题干", "译文": "x"}],
        }
    )
    found = cells(run(tmp_path, made))
    for place in (
        (at(c.CHOICE, "编号", 3), "Q1", "bank_item_twice"),
        (at(c.FILL, "题干", 2), "F1", "bank_blank_count"),
        (at(c.FILL, "空1答案", 3), "F2", "bank_field_number"),
        (at(c.FILL, "空1类型", 4), "F3", "bank_blank_kind"),
        (at(c.FILL, "空1可选单位", 5), "F4", "bank_unit_wrong"),
        (at(c.FILL, "空1答案", 6), "F5", "bank_cell_decimal"),
        (at(c.ORDER, "答案", 2), "O1", "bank_order_incomplete"),
        (at(c.MATCH, "答案", 2), "M1", "bank_match_form"),
        (at(c.SPOT, "图片", 2), "H1", "bank_no_media"),
        (f"{c.CASE}!2", "C1", "bank_field_few"),
        (at(c.MEDIA, "位置", 2), "Q1", "bank_place_unknown"),
        (at(c.MEDIA, "编号", 3), "ZZ", "bank_item_unknown"),
        (at(c.WORDS, "语言", 2), "Q1", "bank_field_form"),
    ):
        assert place in found, found


def test_sheets_and_columns(tmp_path: Path) -> None:
    made = book({c.CHOICE: [GOOD]})
    made[c.CHOICE].cell(1, 40, "备注")
    made[c.FILL].cell(1, 1, "号")
    assert cells(run(tmp_path, made)) == [
        ("题目!AN1", "", "bank_column_unknown"),
        ("填空!A1", "", "bank_column_unknown"),
        ("填空!1", "", "bank_column_missing"),
    ]
    del made[c.BANK]
    assert (("bank.xlsx", "", "bank_sheet_missing")) in cells(run(tmp_path, made))
    assert [code for _, _, code in cells(run(tmp_path, book({})))] == ["bank_no_items"]


def test_words_that_look_like_a_formula_stay_words(tmp_path: Path) -> None:
    from edge.bank.xlsx.write import workbook_of

    done = run(tmp_path, book({c.CHOICE: [GOOD]}))
    assert done.bank is not None
    item = done.bank.items[0].model_copy(update={"stem": "=1+1"})
    file = tmp_path / "again.xlsx"
    file.write_bytes(workbook_of(done.bank.model_copy(update={"items": [item]})))
    assert load_workbook(file)[c.CHOICE]["D2"].data_type == "s"
    again = import_files([file], Wishes(), lambda _label: lambda _done, _all: None)
    assert again.bank is not None and again.bank.items == [item]


def test_a_cell_that_does_not_hold_what_it_shows_is_named(tmp_path: Path) -> None:
    made = book({c.CHOICE: [GOOD | {"选项C": "三", "选项D": "四"}, GOOD | {"编号": "Q2", "选项A": 3, "选项B": 2.0}]})
    sheet = made[c.CHOICE]
    titles = [cell.value for cell in sheet[1]]
    spoilt: list[tuple[str, Any, str, str]] = [
        ("选项A", datetime(2026, 3, 5), "General", "bank_cell_date"),
        ("选项B", 0.5, "0%", "bank_cell_percent"),
        ("选项C", True, "General", "bank_cell_bool"),
        ("选项D", "=1+1", "General", "bank_cell_formula"),
        ("知识点", "#N/A", "General", "bank_cell_error"),
        ("条款", 6.1, "General", "bank_cell_decimal"),
    ]
    for title, value, style, _ in spoilt:
        cell = sheet.cell(2, titles.index(title) + 1, value)
        cell.number_format = cell.number_format if isinstance(value, datetime) else style
    done = run(tmp_path, made)
    assert sorted(cells(done)) == sorted((at(c.CHOICE, title, 2), "Q1", code) for title, *_, code in spoilt)
    assert "{" not in "".join(problem.sentence(language) for problem in done.problems for language in ("zh", "en"))
    made[c.BANK]["B2"] = 2026.5
    assert (f"{c.BANK}!B2", "", "bank_cell_decimal") in cells(run(tmp_path, made))
    # whole numbers are what they show
    for title, value in GOOD.items():
        sheet.cell(2, titles.index(title) + 1, value).number_format = "General"
    for title in ("选项C", "选项D"):
        sheet.cell(2, titles.index(title) + 1).value = None
    made[c.BANK]["B2"] = "题库"
    whole = run(tmp_path, made)
    assert whole.bank is not None and [option.text for option in whole.bank.items[1].options] == ["3", "2"]


def test_a_formula_counts_by_the_words_that_the_file_keeps_of_it(tmp_path: Path) -> None:
    made, file = (
        book({c.CHOICE: [GOOD | {"选项A": '="一"&"步"'}, GOOD | {"编号": "Q2", "选项A": "=1+1"}]}),
        tmp_path / "b.xlsx",
    )
    made.save(file)
    kept = tmp_path / "kept.xlsx"
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(kept, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            content = re.sub(rb'(<c [^>]*)>(<f>"[^<]*</f>)<v></v>', rb'\1 t="str">\2<v>STEP</v>', content)
            content = content.replace(b"STEP", "一步".encode())
            new.writestr(name, re.sub(rb"(<f>1\+1</f>)<v></v>", rb"\1<v>2</v>", content))
    done = import_files([kept], Wishes(), lambda _label: lambda _done, _all: None)
    assert cells(done) == [(at(c.CHOICE, "选项A", 3), "Q2", "bank_cell_formula")]


def test_what_is_typed_into_the_template_stays_as_it_is() -> None:
    made = load_workbook(io.BytesIO(template()))
    assert made[c.BANK].column_dimensions["B"].number_format == "@"
    for name, columns in c.COLUMNS.items():
        letters = [get_column_letter(at) for at in range(1, len(columns) + 1)]
        assert {made[name].column_dimensions[letter].number_format for letter in letters} == {"@"}


def test_nothing_that_stands_in_a_workbook_is_passed_over(tmp_path: Path) -> None:
    made = book({c.CHOICE: [GOOD, GOOD | {"编号": "Q2"}, GOOD | {"编号": "Q3"}]})
    copied, own = made.copy_worksheet(made[c.CHOICE]), made.create_sheet("计算题")
    copied.title = "题目(2)"
    own["C4"] = 5
    made.create_sheet("Sheet1")["B2"] = " "
    sheet = made[c.CHOICE]
    local = get_column_letter([cell.value for cell in sheet[1]].index("本地题") + 1)
    sheet[f"{local}2"] = "是"
    sheet.merge_cells(f"{local}2:{local}4")
    sheet.merge_cells("A30:B31")  # below everything
    for place in ("AN3", "AN4", "DD3"):
        sheet[place] = "草稿"
    bank = made[c.BANK]
    bank["A9"], bank["B9"], bank["A10"], bank["D10"], bank["A11"], bank["B11"] = (
        "样 题",
        "是",
        "英文名称",
        "x",
        "样题",
        "否",
    )
    bank["B4"] = "否"
    bank.merge_cells("B2:B3")
    assert cells(run(tmp_path, made)) == [
        (f"{c.BANK}!B2:B3", "", "bank_cell_merged"),
        (f"{c.BANK}!A9", "", "bank_row_unknown"),
        (f"{c.BANK}!D10", "", "bank_cell_beside"),
        (f"{c.BANK}!A11", "", "bank_row_twice"),
        (f"{c.CHOICE}!{local}2:{local}4", "", "bank_cell_merged"),
        (f"{c.CHOICE}!AN3", "", "bank_column_unnamed"),
        (f"{c.CHOICE}!DD3", "", "bank_column_unnamed"),
        ("题目(2)!A1", "", "bank_sheet_unknown"),
        ("计算题!C4", "", "bank_sheet_unknown"),
    ]


def test_raised_and_struck_words(tmp_path: Path) -> None:
    def rich(*runs: tuple[str, str]) -> CellRichText:
        fonts = {"up": InlineFont(vertAlign="superscript"), "down": InlineFont(vertAlign="subscript")}
        fonts |= {"out": InlineFont(strike=True), "bold": InlineFont(b=True)}
        return CellRichText(*(TextBlock(fonts[how], text) if how else text for how, text in runs))

    line = {
        "题干": rich(("", "10"), ("up", "3"), ("", " 与 CO"), ("down", "2"), ("bold", " 几")),
        "选项A": rich(("", "2"), ("up", "x")),
        "选项B": rich(("", "不"), ("out", "可以"), ("", "行")),
    }
    made = book({c.CHOICE: [GOOD | {"题干": line["题干"]}, GOOD | line | {"编号": "Q2"}]})
    made[c.CHOICE]["A4"] = "Q3"
    made[c.CHOICE]["A4"].font = Font(strike=True)
    found = [(at(c.CHOICE, "选项A", 3), "Q2", "bank_cell_index"), (at(c.CHOICE, "选项B", 3), "Q2", "bank_cell_struck")]
    assert cells(run(tmp_path, made)) == [*found, (at(c.CHOICE, "编号", 4), "Q3", "bank_cell_struck")]
    made[c.CHOICE].delete_rows(3, 2)
    done = run(tmp_path, made)
    assert done.bank is not None and done.bank.items[0].stem == "10³ 与 CO₂ 几"


def test_what_is_empty_costs_nothing_and_no_sheet_goes_on_for_ever(tmp_path: Path) -> None:
    made = book({c.CHOICE: [GOOD]})
    sheet = made[c.CHOICE]
    sheet["XFD1048576"], sheet["A400000"] = " ", "\n"
    sheet["B500000"].font = Font(bold=True)
    began = time.process_time()
    done = run(tmp_path, made)
    assert done.bank is not None and time.process_time() - began < 3  # twenty and more, a row at a time
    sheet["A100001"] = "Q2"
    assert (f"{c.CHOICE}!100001", "", "bank_sheet_long") in cells(run(tmp_path, made))


def test_a_pasted_picture_is_named_by_its_cell(tmp_path: Path) -> None:
    made, file, pasted = book({c.CHOICE: [GOOD]}), tmp_path / "b.xlsx", tmp_path / "pasted.xlsx"
    made.save(file)
    part = f"xl/worksheets/sheet{made.sheetnames.index(c.CHOICE) + 1}.xml"
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    anchors = "".join(
        f"<x:twoCellAnchor><x:from><x:col>3</x:col><x:row>{row}</x:row></x:from><x:{what}/></x:twoCellAnchor>"
        for row, what in ((1, "pic"), (2, "sp"))  # a shape is no picture
    )
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(pasted, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
        assert part in old.namelist()
        new.writestr(
            part.replace("sheets/", "sheets/_rels/") + ".rels",
            '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
            f'<Relationship Id="rId1" Type="{kind}/drawing" Target="../drawings/drawing1.xml"/></Relationships>',
        )
        space = "http://schemas.openxmlformats.org/drawingml/2006/spreadsheetDrawing"
        new.writestr("xl/drawings/drawing1.xml", f'<x:wsDr xmlns:x="{space}">{anchors}</x:wsDr>')
    done = import_files([pasted], Wishes(), lambda _label: lambda _done, _all: None)
    assert cells(done) == [(f"{c.CHOICE}!D2", "", "bank_sheet_picture")]
