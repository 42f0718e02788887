"""The bank's workbook, filled in by a test and read as the import reads it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.utils import get_column_letter

from edge.bank.imports import Imported, Wishes, import_files
from edge.bank.xlsx import columns as c
from edge.bank.xlsx.write import template

GOOD = {
    "编号": "Q1",
    "题型": "单选",
    "题干": "几步？",
    "选项A": "一",
    "选项B": "二",
    "答案": "B",
    "科目": "安全",
    "知识点": "脚手架",
    "难度": 2,
    "标准编号": "S",
    "标准名称": "T",
    "版本": "2011",
    "条款": "6.3",
}
FACTS = {name: GOOD[name] for name in ("科目", "知识点", "难度", "标准编号", "标准名称", "版本", "条款")}


def book(rows: dict[str, list[dict[str, Any]]], bank: str = "B1") -> Workbook:
    made = load_workbook(io.BytesIO(template()))
    made[c.BANK]["B1"], made[c.BANK]["B2"] = bank, "题库一"
    for sheet, lines in rows.items():
        titles = [cell.value for cell in made[sheet][1]]
        for number, line in enumerate(lines, start=2):
            for title, value in line.items():
                made[sheet].cell(number, titles.index(title) + 1, value)
    return made


def run(folder: Path, made: Workbook, media: Path | None = None) -> Imported:
    file = folder / "bank.xlsx"
    made.save(file)
    return import_files([file], Wishes(media=media), lambda _label: lambda _done, _all: None)


def cells(done: Imported) -> list[tuple[str, str, str]]:
    assert done.bank is None
    return [(problem.where, problem.item, problem.code) for problem in done.problems]


def at(sheet: str, title: str, row: int) -> str:
    titles = [column.title for column in c.COLUMNS[sheet]]
    return f"{sheet}!{get_column_letter(titles.index(title) + 1)}{row}"
