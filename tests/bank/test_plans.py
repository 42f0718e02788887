"""Sheets 组卷 and 评分表, blueprints and score sheets added to a bank: each problem with its cell."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.bank.build import content_of, document_of, sample_bank
from edge.bank.imports import Imported
from edge.bank.model import BankDocument, parse_bank
from edge.bank.sources import read_source
from edge.bank.transfer import export
from edge.bank.xlsx import columns as c
from edge.cli import main
from edge.errors import BadInput
from support.examples import examples
from support.workbooks import GOOD, at, book, cells, run

HEAD = {
    "方案编号": "P1", "方案名称": "方案", "职业（工种）": "架子工", "类别": "技能人员", "总时长（分钟）": 30,
    "部分名称": "安全", "科目": "安全",
}  # fmt: skip
DRAW = {"题型": "单选", "题数": 1}
SHEET = {"行": "评分表", "编号": "R1", "名称": "表", "限时（分钟）": 30, "职业（工种）": "架子工", "等级": "五级"}
STEP = {"行": "步骤", "编号": "s1", "名称": "一", "分值": 10}
MEASURE = {"行": "实测", "编号": "m1", "名称": "量", "目标值": 1.5, "偏差档": "0.1 扣2"}


def imported(folder: Path, plan: list[dict[str, Any]], sheets: list[dict[str, Any]]) -> Imported:
    return run(folder, book({c.CHOICE: [GOOD], c.PLANS: plan, c.SCORES: sheets}))


@pytest.mark.parametrize(
    ("plan", "column", "row", "code"),
    [
        ([DRAW], "方案编号", 2, "bank_field_missing"),
        ([{**HEAD, "题数": 1}], "题型", 2, "bank_field_missing"),
        ([HEAD | DRAW | {"题型": "论述"}], "题型", 2, "bank_field_choice"),
        ([HEAD | {"题型": "单选"}], "题数", 2, "bank_field_missing"),
        ([HEAD | DRAW | {"题数": 0}], "题数", 2, "bank_field_range"),
        ([HEAD | DRAW | {"题数": "几"}], "题数", 2, "bank_field_number"),
        ([HEAD | DRAW | {"类别": "别的"}], "类别", 2, "bank_field_choice"),
        ([HEAD | DRAW | {"部分名称": ""}], "部分名称", 2, "bank_field_missing"),
        ([HEAD | DRAW | {"难度": "1、9"}], "难度", 2, "bank_field_range"),
        ([HEAD | DRAW | {"总时长（分钟）": 900}], "总时长（分钟）", 2, "bank_field_range"),
        ([HEAD | DRAW, DRAW | {"总时长（分钟）": 31}], "总时长（分钟）", 3, "bank_rows_differ"),
        ([HEAD | DRAW, DRAW | {"科目": "理论"}], "科目", 3, "bank_rows_differ"),
        ([HEAD | DRAW, DRAW | {"题型": "多选", "每题分值": 101}], "每题分值", 3, "bank_field_range"),
        (
            [HEAD | DRAW, DRAW | {"部分名称": "二", "科目": "理论", "部分限时（分钟）": 0}],
            "部分限时（分钟）",
            3,
            "bank_field_range",
        ),
    ],
)
def test_a_wrong_cell_of_a_blueprint(tmp_path: Path, plan: list[Any], column: str, row: int, code: str) -> None:
    found = [(where, problem) for where, _, problem in cells(imported(tmp_path, plan, []))]
    assert (at(c.PLANS, column, row), code) in found, found


@pytest.mark.parametrize(
    ("sheets", "column", "row", "code"),
    [
        ([STEP], "行", 2, "bank_row_alone"),
        ([SHEET, MEASURE, STEP], "行", 3, "bank_row_alone"),
        ([SHEET, STEP | {"行": "小结"}], "行", 3, "bank_field_choice"),
        ([SHEET, STEP | {"行": ""}], "行", 3, "bank_field_missing"),
        ([SHEET, STEP | {"编号": ""}], "编号", 3, "bank_field_missing"),
        ([SHEET, STEP | {"名称": ""}], "名称", 3, "bank_field_missing"),
        ([SHEET, STEP | {"目标值": 1}], "目标值", 3, "bank_cell_unused"),
        ([SHEET, STEP | {"分值": ""}], "分值", 3, "bank_field_missing"),
        ([SHEET | {"限时（分钟）": ""}, STEP], "限时（分钟）", 2, "bank_field_missing"),
        ([SHEET, STEP, MEASURE | {"偏差档": "大约"}], "偏差档", 4, "bank_band_form"),
        ([SHEET, STEP, MEASURE | {"偏差档": "0.2 扣1；0.1 扣2"}], None, 4, "bank_field_wrong"),
        ([SHEET, STEP, MEASURE | {"超出各档": "没了"}], "超出各档", 4, "bank_field_choice"),
        ([SHEET, STEP, SHEET, STEP], "编号", 4, "bank_item_twice"),
        ([SHEET | {"分值": 11}, STEP], None, 2, "bank_field_wrong"),
    ],
)
def test_a_wrong_cell_of_a_score_sheet(
    tmp_path: Path, sheets: list[Any], column: str | None, row: int, code: str
) -> None:
    found = [(where, problem) for where, _, problem in cells(imported(tmp_path, [], sheets))]
    place = f"{c.SCORES}!{row}" if column is None else at(c.SCORES, column, row)
    assert (place, code) in found, found


def test_every_column_of_both_sheets_goes_out_and_comes_back(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    bank = parse_bank(json.dumps(rich()).encode())
    (file,) = export(bank, tmp_path / "out" / "b.xlsx", True, False)
    from openpyxl import load_workbook

    made = load_workbook(file)
    for name in (c.PLANS, c.SCORES):
        rows = list(made[name].iter_rows(values_only=True))
        empty = [title for at_, title in enumerate(rows[0]) if not any(row[at_] for row in rows[1:])]
        assert empty == []
    again = run(tmp_path, made).bank
    assert again is not None and (again.blueprints, again.rubrics) == (bank.blueprints, bank.rubrics)


def rich() -> dict[str, Any]:
    """A bank whose blueprint and score sheet say all that they can."""
    small = sample_bank().model_copy(update={"items": [i for i in sample_bank().items if i.type == "single"][:3]})
    document = document_of(small.model_copy(update={"media": {}, "items": plain(small)}))
    title = {"zh": "题", "en": "title"}
    draw = {"type": "single", "count": 1, "topics": ["甲", "乙，丙"], "difficulty": [1, 5], "points": 3}
    case = {"type": "case", "count": 2}
    document["blueprints"] = [
        {
            "id": "P1", "title": title, "post": "架子工", "regime": "site-professional", "level": "一级", "minutes": 90,
            "max_exposure": 0, "rest_sessions": 3,
            "parts": [
                {"test": "safety", "title": title, "draw": [draw, case], "minutes": 20},
                {"test": "safety", "title": {"zh": "另一"}, "draw": [case]},
            ],
        },
        {"id": "P2", "title": {"zh": "二"}, "post": "x", "regime": "skilled-worker", "minutes": 1,
         "parts": [{"test": "theory", "title": title, "draw": [case]}]},
    ]  # fmt: skip
    over = {"per_minute": 1, "most": 5, "end_after": 9, "then": "veto"}
    bands = [{"within": "0.05", "points": 4}, {"within": "0.1", "deduct": 2}]
    measure = {"id": "m", "title": title, "unit": "mm", "target": "-1.5", "bands": bands, "beyond": "veto", "points": 4,
               "required": False}  # fmt: skip
    source = {"standard": "S", "title": "T", "edition": "1", "clause": "2"}
    step = {"id": "s", "title": title, "points": 10, "minutes": 3, "over": over, "source": source,
            "deductions": [{"id": "d", "title": title, "points": 2}],
            "measures": [measure, measure | {"id": "m2", "beyond": 3, "required": True}]}  # fmt: skip
    document["rubrics"] = [
        {"id": "R1", "test": "safety", "title": title, "trade": {"name": "架子工", "level": "五级"}, "points": 10,
         "pass": 75, "minutes": 30, "over": {"per_minute": 0}, "steps": [step], "sample": True,
         "vetoes": [{"id": "v", "title": title}]},
    ]  # fmt: skip
    return document


def plain(bank: BankDocument) -> list[Any]:
    return [item.model_copy(update={"media": []}) for item in bank.items]


@given(draw=st.data())
@settings(max_examples=examples(15), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_made_up_blueprints_come_back(tmp_path: Path, draw: st.DataObject) -> None:
    text = st.text(st.sampled_from("安全A1 、，=<"), min_size=1, max_size=8)
    kinds = st.sampled_from(list(c.KINDS_OF_ITEM.values()))
    whole = st.one_of(st.none(), st.integers(1, 100))
    draws = st.lists(
        st.fixed_dictionaries(
            {"type": kinds, "count": st.integers(1, 300), "topics": st.lists(text, max_size=2), "points": whole,
             "difficulty": st.lists(st.integers(1, 5), max_size=3)}
        ),
        min_size=1, max_size=3,
    )  # fmt: skip
    parts = st.lists(
        st.fixed_dictionaries(
            {"test": st.sampled_from(["safety", "theory"]), "title": st.fixed_dictionaries({"zh": text, "en": text}),
             "draw": draws, "minutes": whole}
        ),
        min_size=1, max_size=3,
    )  # fmt: skip
    document = rich()
    document["blueprints"][0]["parts"] = draw.draw(parts)
    bank = parse_bank(json.dumps(document).encode())
    file = tmp_path / "b.xlsx"
    try:  # `export` itself reads back and compares: it writes what comes back the same, or nothing
        export(bank, file, True, True)
    except BadInput as error:
        titles = [part.title.zh for part in bank.blueprints[0].parts]
        words = [
            t
            for p in bank.blueprints[0].parts
            for t in (p.title.zh, p.title.en, *(x for d in p.draw for x in d.topics))
        ]
        assert error.code in ("bank_not_sheet", "bank_export_differs")
        assert any(a.strip() == b.strip() for a, b in pairwise(titles)) or any(
            word != word.strip() or "、" in word for word in words
        )


def call(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_blueprints_and_rubrics_of_a_folder(tmp_path: Path) -> None:
    document = rich()
    folder = tmp_path / "bank"
    folder.mkdir()
    extra = {name: document.pop(name) for name in ("blueprints", "rubrics")}
    (folder / "items.json").write_text(json.dumps(document | {"blueprints": [extra["blueprints"][1]]}))
    for name, field in (("blueprint", "blueprints"), ("rubric", "rubrics")):
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(extra[field][0]))
        done = call("bank", name, "add", folder, f"--{name}", file)
        assert done.exit_code == 0, done.output
    assert (folder / "blueprints" / "P1.json").exists() and (folder / "rubrics" / "R1.json").exists()
    bank = read_source(str(folder), lambda: pytest.fail("not sealed"))
    assert [one.id for one in bank.blueprints] == ["P2", "P1"] and [one.id for one in bank.rubrics] == ["R1"]
    # one beside takes the place of one of its id
    second = extra["blueprints"][1] | {"minutes": 77}
    (tmp_path / "p2.json").write_text(json.dumps(second))
    add = ("bank", "blueprint", "add", folder, "--blueprint", tmp_path / "p2.json")
    assert call(*add).exit_code == 2
    done = call(*add, "--replace")
    assert done.exit_code == 0 and "题目不够" in done.output
    bank = read_source(str(folder), lambda: pytest.fail("not sealed"))
    assert [(one.id, one.minutes) for one in bank.blueprints] == [("P2", 77), ("P1", 90)]


def test_what_is_no_blueprint_changes_nothing(tmp_path: Path) -> None:
    bank, wrong = tmp_path / "bank.json", tmp_path / "p.json"
    bank.write_bytes(content_of(sample_bank()))
    before = bank.read_bytes()
    for content in ("[]", "{", json.dumps({"id": "P1"}), json.dumps(rich()["blueprints"][0] | {"parts": []})):
        wrong.write_text(content)
        assert call("bank", "blueprint", "add", bank, "--blueprint", wrong).exit_code == 2
    assert bank.read_bytes() == before
