"""Roster workbooks: what a spreadsheet does to numbers, and what nobody should have to unpack."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.chart import BarChart

from edge.errors import BadInput
from edge.exam import roster_files
from edge.exam.roster_template import write_template
from edge.exam.roster_xlsx import read_sheets


def made(folder: Path, change: Callable[[Workbook], object] = lambda _book: None) -> Path:
    file = folder / "roster.xlsx"
    write_template(file)
    book = load_workbook(file)
    book["工作人员"]["E2"] = book["工作人员"]["E3"] = "135790"
    change(book)
    book.save(file)
    return file


def refused(file: Path) -> BadInput:
    with pytest.raises(BadInput) as error:
        read_sheets(file)
    return error.value


def cell(sheet: str, place: str, value: object) -> Callable[[Workbook], object]:
    def change(book: Workbook) -> None:
        book[sheet][place] = value

    return change


@pytest.mark.parametrize(
    ("sheet", "place", "value", "said"),
    [
        ("考生", "D2", 110105194912310022, "text"),
        ("考生", "D2", 1.1010519491231e17, "text"),
        ("考生", "E2", 6212260000001234567, "text"),
        ("工作人员", "D2", 10**15, "text"),
        ("考生", "D2", "110105194912310021", "check digit"),
        ("考生", "D2", "11010519491231", "check digit"),
    ],
)
def test_a_number_the_spreadsheet_has_rounded_or_somebody_mistyped_is_told_by_its_cell(
    tmp_path: Path, sheet: str, place: str, value: object, said: str
) -> None:
    error = refused(made(tmp_path, cell(sheet, place, value)))
    assert error.facts["where"] == f"{sheet}!{place}" and said in str(error)


def test_a_good_number_is_taken_whatever_its_cell(tmp_path: Path) -> None:
    def change(book: Workbook) -> None:
        book["考生"]["D2"], book["考生"]["E2"] = "11010519491231002x", 10000001
        book["考生"].append((2, "李四", "护照", 123456789, 1.0000002e7))

    first, second = read_sheets(made(tmp_path, change))["candidates"]
    assert (first["document"]["number"], first["badge"]) == ("11010519491231002X", "10000001")
    assert (second["document"]["number"], second["badge"]) == ("123456789", "10000002")


def chart(book: Workbook) -> None:
    del book["考生"]
    book.create_chartsheet("考生").add_chart(BarChart())


def too_many(book: Workbook) -> None:
    for number in range(roster_files.ROW_LIMIT + 5):
        book["考生"].append((number,))


def far_away(book: Workbook) -> None:
    book["考生"]["A200000"] = 7


@pytest.mark.parametrize(
    ("change", "where"), [(chart, "考生"), (too_many, f"考生!{roster_files.ROW_LIMIT + 1}"), (far_away, "考生!200000")]
)
def test_sheets_of_another_kind_or_without_end(
    tmp_path: Path, change: Callable[[Workbook], object], where: str
) -> None:
    assert refused(made(tmp_path, change)).facts["where"] == where


def test_a_workbook_that_unpacks_to_more_than_anybody_wrote(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = made(tmp_path)
    monkeypatch.setattr(roster_files, "UNPACKED_LIMIT", 10_000)
    assert refused(file).code == "roster_unreadable"
    monkeypatch.setattr(roster_files, "SIZE_LIMIT", 1000)
    assert refused(file).code == "roster_broken"


@pytest.mark.parametrize("part", ["xl/worksheets/sheet2.xml", "xl/workbook.xml"])
def test_a_workbook_whose_inside_is_damaged(tmp_path: Path, part: str) -> None:
    whole, broken = made(tmp_path), tmp_path / "broken.xlsx"
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(broken, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, data[: len(data) // 2] if name == part else data)
    assert refused(broken).code == "roster_unreadable"


def test_a_photograph_is_measured_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = made(tmp_path, cell("考生", "G2", "p.jpg"))
    assert refused(file).facts["where"] == "考生!2", "there is none"
    with (tmp_path / "p.jpg").open("wb") as out:
        out.truncate(3_000_000)

    def read(_path: Any) -> bytes:
        raise AssertionError("read")

    monkeypatch.setattr(Path, "read_bytes", read)
    assert "2 MB" in str(refused(file))
