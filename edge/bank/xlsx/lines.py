"""A sheet's cells as they stand in its file, line by line.

Read with openpyxl's own parser of one sheet rather than its worksheet: that gives a row for every number up to the
last one, whether the file has it or not, and no word of merged cells. Here what is empty costs nothing, and nothing
that stands in the file is passed over: no column, no row, no merged range.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
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
    with cells_of(sheet, _Parser) as cells:
        for number, line in _lines(cells):
            if number > MOST:
                raise Fault("bank_sheet_long", where=f"{sheet.title}!{number}", sheet=sheet.title, most=MOST)
            found.lines.append((number, line))
        found.merged = cells.merged()
    found.lines.sort(key=lambda line: line[0])
    found.pictures = pictures_over(sheet)
    return found


def first_line(sheet: ReadOnlyWorksheet) -> Line | None:
    """The first row that holds anything."""
    with cells_of(sheet, _Parser) as cells:
        return next(_lines(cells), None)


class Cells:
    """A sheet's rows while its file is open, for whoever reads them by other rules than `read_lines`."""

    def __init__(self, sheet: ReadOnlyWorksheet, parser: WorkSheetParser) -> None:
        self._sheet, self._parser = sheet, parser
        self.hidden: set[int] = set()
        """Of the rows read so far, those that a person does not see."""

    def rows(self) -> Iterator[tuple[int, dict[int, ReadOnlyCell]]]:
        """Each row of the file: its number, and by column the cells that have a value; both count from 1."""
        for number, cells in self._parser.parse():
            held = {cell["column"]: ReadOnlyCell(self._sheet, **cell) for cell in cells if cell["value"] is not None}
            if held and self._parser.row_dimensions.get(str(number), {}).get("hidden") in ("1", "true"):
                self.hidden.add(number)
            self._parser.row_dimensions.clear()  # heights of a million rows that nobody filled in
            yield number, held

    def merged(self) -> list[Any]:
        """The merged ranges (openpyxl's CellRange), once all rows have been read."""
        return [] if self._parser.merged_cells is None else list(self._parser.merged_cells.mergeCell)


@contextmanager
def cells_of(sheet: ReadOnlyWorksheet, parser: type[WorkSheetParser] = WorkSheetParser) -> Iterator[Cells]:
    """`sheet` opened; what its file has wrong is raised while it is read."""
    book = sheet.parent
    with sheet._get_source() as source:
        yield Cells(
            sheet,
            parser(
                source,
                sheet._shared_strings,
                epoch=book.epoch,
                date_formats=book._date_formats,
                timedelta_formats=book._timedelta_formats,
                rich_text=True,
            ),
        )


def pictures_over(sheet: ReadOnlyWorksheet) -> list[tuple[int, int]]:
    """Row and column of the cell that each picture is pasted over."""
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


def _lines(cells: Cells) -> Iterator[Line]:
    for number, row in cells.rows():
        line = {}
        for at, cell in row.items():
            value = value_of(cell)
            if value.text or value.fault:
                line[at] = value
        if line:
            yield number, line
