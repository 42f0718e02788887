"""A sheet's cells as they stand in its file, line by line.

Read with openpyxl's own parser of one sheet rather than its worksheet: that gives a row for every number up to the
last one, whether the file has it or not, and no word of merged cells. Here what is empty costs nothing, and nothing
that stands in the file is passed over: no column, no row, no merged range.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from openpyxl.cell.read_only import ReadOnlyCell
from openpyxl.drawing.spreadsheet_drawing import SpreadsheetDrawing
from openpyxl.packaging.relationship import get_dependents, get_rels_path
from openpyxl.worksheet._read_only import ReadOnlyWorksheet
from openpyxl.worksheet._reader import VALUE_TAG, WorkSheetParser
from openpyxl.xml.constants import SHEET_DRAWING_NS
from openpyxl.xml.functions import fromstring

from edge.bank.problems import Fault
from edge.bank.xlsx.cells import Value, value_of

MOST = 100_000
"""Rows that a sheet may have. One cell that was touched by accident can stand in row 1,048,576."""
Line = tuple[int, dict[int, Value]]
"""A row's number, and its cells that hold anything by their column's; both count from 1."""


@dataclass
class Lines:
    """The rows of a sheet that hold anything, in order; its merged ranges; what is pasted over it."""

    lines: list[Line] = field(default_factory=list)
    merged: list[Any] = field(default_factory=list)
    """openpyxl's CellRange."""
    pictures: list[tuple[int, int]] = field(default_factory=list)
    """Row and column of the cell that each picture is pasted over."""


class _Parser(WorkSheetParser):  # type: ignore[misc]
    """Where the file keeps words as a formula's result, the words stand for it."""

    def parse_cell(self, element: Any) -> dict[str, Any]:
        cell: dict[str, Any] = super().parse_cell(element)
        if cell["data_type"] == "f" and element.get("t") == "str":
            kept = element.findtext(VALUE_TAG)
            # a picture laid into a cell (WPS) keeps its own formula as words
            if kept and not kept.startswith("=DISPIMG("):
                cell |= {"data_type": "s", "value": kept}
        return cell


def read_lines(sheet: ReadOnlyWorksheet) -> Lines:
    """All of `sheet`. Fault where it goes on beyond MOST rows; any other exception where its file is broken."""
    found = Lines()
    with sheet._get_source() as source:
        parser = _parser(sheet, source)
        for number, line in _lines(sheet, parser):
            if number > MOST:
                raise Fault("bank_sheet_long", where=f"{sheet.title}!{number}", sheet=sheet.title, most=MOST)
            found.lines.append((number, line))
        if parser.merged_cells is not None:
            found.merged = list(parser.merged_cells.mergeCell)
    found.lines.sort(key=lambda line: line[0])
    found.pictures = _pictures(sheet)
    return found


def first_line(sheet: ReadOnlyWorksheet) -> Line | None:
    """The first row that holds anything."""
    with sheet._get_source() as source:
        return next(_lines(sheet, _parser(sheet, source)), None)


def _pictures(sheet: ReadOnlyWorksheet) -> list[tuple[int, int]]:
    archive, path = sheet.parent._archive, get_rels_path(sheet._worksheet_path)
    if path not in archive.namelist():
        return []
    places = []
    for drawing in get_dependents(archive, path).find(SpreadsheetDrawing._rel_type):
        for anchor in fromstring(archive.read(drawing.target)):
            if next(anchor.iter(f"{{{SHEET_DRAWING_NS}}}pic"), None) is not None:
                row, column = (anchor.findtext(f".//{{{SHEET_DRAWING_NS}}}{name}", "0") for name in ("row", "col"))
                places.append((int(row) + 1, int(column) + 1))
    return sorted(places)


def _parser(sheet: ReadOnlyWorksheet, source: Any) -> _Parser:
    book = sheet.parent
    return _Parser(
        source,
        sheet._shared_strings,
        epoch=book.epoch,
        date_formats=book._date_formats,
        timedelta_formats=book._timedelta_formats,
        rich_text=True,
    )


def _lines(sheet: ReadOnlyWorksheet, parser: _Parser) -> Iterator[Line]:
    for number, cells in parser.parse():
        parser.row_dimensions.clear()  # heights of a million rows that nobody filled in
        line = {}
        for cell in cells:
            if cell["value"] is not None:
                value = value_of(ReadOnlyCell(sheet, **cell))
                if value.text or value.fault:
                    line[cell["column"]] = value
        if line:
            yield number, line
