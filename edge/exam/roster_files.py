"""A roster's sheets out of a workbook or a CSV file: numbered rows of cells, whoever wrote the file.

A CSV holds what a workbook holds: a line with a sheet's name alone begins that sheet, 考生 is what stands before any.
It may be UTF-8, with or without a byte order mark, UTF-16 with one, or GB18030, as Excel in China writes it; with
commas, tabs or semicolons.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, time
from pathlib import Path
from typing import Any, Protocol

from openpyxl import Workbook
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._read_only import ReadOnlyWorksheet

from edge.bank.xlsx.lines import cells_of, pictures_over
from edge.bank.xlsx.sheets import open_book
from edge.domain.reasons import words
from edge.errors import BadInput
from edge.why import why

SIZE_LIMIT = 20_000_000
UNPACKED_LIMIT = 100_000_000
ROW_LIMIT = 2600
CELL_LIMIT = 10_000
EXACT = 10**15
"""A spreadsheet keeps fifteen digits of a number and makes the others zeros."""
Line = tuple[int, dict[int, object]]
"""A row's number, and its cells that hold anything by their column's; both count from 1."""
SHEETS = ("考场", "考生", "工作人员", "工位")
FIRST = "考生"


@dataclass(frozen=True)
class Odd:
    """A cell that does not hold what it shows, or nothing that can be read: `code` says why."""

    code: str
    shown: str

    def __str__(self) -> str:
        return self.shown


@dataclass(frozen=True)
class Part:
    """One sheet. `over`: what lies over its cells and is no cell's, as place and reason code."""

    lines: list[Line]
    over: list[tuple[str, str]] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)
    """Rows with something in them that a person does not see."""


class Book(Protocol):
    """`others`: the first cell of each sheet that holds something and is none of SHEETS."""

    def has(self, sheet: str) -> bool: ...

    def part(self, sheet: str) -> Part: ...

    def others(self) -> list[str]: ...


@contextmanager
def open_roster(file: Path) -> Iterator[Book]:
    """The sheets of a .csv, or else of a workbook. BadInput for what is neither, or not safe to unpack."""
    try:
        if file.stat().st_size > SIZE_LIMIT:
            raise BadInput("roster_broken", where=file.name, detail=words("check_above", most=20))
        if file.suffix.lower() in (".csv", ".txt", ".tsv"):
            yield _text_book(file)
            return
        try:
            book = open_book(file, UNPACKED_LIMIT, rich=True)
        except BadInput as error:
            raise BadInput("roster_unreadable", file=file.name) from error
        try:
            yield _Workbook(book)
        finally:
            book.close()
    except OSError as error:
        raise BadInput("roster_unreadable", file=file.name) from error


class _Workbook:
    def __init__(self, book: Workbook) -> None:
        self._book = book

    def has(self, sheet: str) -> bool:
        return sheet in self._book.sheetnames

    def part(self, sheet: str) -> Part:
        found = self._book[sheet]
        if not isinstance(found, ReadOnlyWorksheet):
            raise BadInput("roster_broken", where=sheet, detail=words("check_chart"))
        try:
            with cells_of(found) as cells:
                lines = _held(sheet, ((number, _values(row)) for number, row in cells.rows()))
                merged = cells.merged()
            over = [
                (f"{sheet}!{get_column_letter(at)}{number}", "roster_picture") for number, at in pictures_over(found)
            ]
        except BadInput:
            raise
        except Exception as error:  # a sheet is read only now, and may be broken by itself
            raise BadInput("roster_unreadable", file=sheet) from error
        last = lines[-1][0] if lines else 0
        over += [(f"{sheet}!{area.coord}", "roster_cell_merged") for area in merged if area.min_row <= last]
        return Part(lines, over, [number for number, _ in lines if number in cells.hidden])

    def others(self) -> list[str]:
        found = []
        seen: set[str] = set()
        for sheet in self._book.worksheets:
            name = str(sheet.title)
            if isinstance(sheet, ReadOnlyWorksheet) and (name not in SHEETS or name in seen):
                found += _first(name, sheet)
            seen.add(name)
        return found


def _place(sheet: str, number: int, column: int) -> str:
    return f"{sheet}!{get_column_letter(column)}{number}"


def _first(name: str, sheet: ReadOnlyWorksheet) -> list[str]:
    """The place of the first cell or picture, if there is any."""
    try:
        with cells_of(sheet) as cells:
            for number, row in cells.rows():
                if line := _values(row):
                    return [_place(name, number, min(line))]
        return [_place(name, number, at) for number, at in pictures_over(sheet)[:1]]
    except Exception:  # it cannot be told what it holds
        return [name]


class _TextBook:
    def __init__(self, sheets: dict[str, list[Line]]) -> None:
        self._sheets = sheets

    def has(self, sheet: str) -> bool:
        return sheet in self._sheets

    def part(self, sheet: str) -> Part:
        return Part(_held(sheet, self._sheets[sheet]))

    def others(self) -> list[str]:
        unknown = {name: lines[0] for name, lines in self._sheets.items() if name not in SHEETS and lines}
        return [_place(name, number, min(line)) for name, (number, line) in unknown.items()]


def _held(sheet: str, rows: Iterable[Line]) -> list[Line]:
    found: list[Line] = []
    for number, line in rows:
        if not line:
            continue
        if len(found) == ROW_LIMIT:
            raise BadInput("roster_broken", where=f"{sheet}!{number}", detail=words("check_many_rows", most=ROW_LIMIT))
        found.append((number, line))
    return found


def _values(row: dict[int, Any]) -> dict[int, object]:
    found = {at: _value(cell) for at, cell in row.items()}
    return {at: value for at, value in found.items() if text(value)}


def _value(cell: Any) -> object:
    """What a cell of a workbook holds, as it shows it; Odd where that is something else, or no words and no number."""
    value, kind = cell.value, cell.data_type
    if kind in ("f", "e"):
        return Odd("roster_cell_formula", "=")
    if not text(value):
        return None
    if cell.font.strike or (isinstance(value, CellRichText) and any(map(_struck, value))):
        return Odd("roster_cell_struck", str(value))
    if isinstance(value, bool):
        return Odd("roster_cell_changed", str(value))
    shape = str(cell.number_format)
    if isinstance(value, datetime) and value.time() == time() and "h" not in shape.lower():
        return value.date()
    if isinstance(value, int | float):
        if "%" in shape:
            return Odd("roster_cell_changed", str(value))
        if re.fullmatch("0+", shape) and float(value).is_integer() and 0 <= value < EXACT:
            return text(value).zfill(len(shape))
        return value
    return str(value) if isinstance(value, CellRichText) else value


def _struck(run: object) -> bool:
    return isinstance(run, TextBlock) and bool(str(run).strip() and run.font.strike)


def text(value: object) -> str:
    """What a cell shows, without the space around it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()


def _text_book(file: Path) -> _TextBook:
    content = _decoded(file)
    if "\0" in content:
        raise BadInput("roster_unreadable", file=file.name)
    # of the first line with any: a sheet's name may stand alone before it
    first = next((line for line in content.splitlines() if any(sign in line for sign in ",\t;")), "")
    delimiter = max(",\t;", key=first.count)
    sheets: dict[str, list[Line]] = {}
    name, started, before = FIRST, False, 0
    # strict: a quote that is never closed would make one cell of all rows below it
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            number, before = before + 1, reader.line_num
            cells = tuple(_unquoted(cell) for cell in row)
            if any(len(cell) > CELL_LIMIT for cell in cells):
                raise BadInput(
                    "roster_broken", where=f"{name}!{number}", detail=words("check_cell_long", most=CELL_LIMIT)
                )
            given = {at: cell for at, cell in enumerate(cells, start=1) if cell.strip()}
            if len(given) == 1 and (title := _title(*given.values())):
                if title in sheets and (started or title != FIRST):
                    raise BadInput("roster_broken", where=f"{title}!{number}", detail=words("check_twice_here"))
                name, started = title, True
                sheets.setdefault(name, [])
            elif given:
                sheets.setdefault(name, []).append((number, dict[int, object](given)))
    except csv.Error as error:
        raise BadInput("roster_broken", where=f"{name}!{before + 1}", detail=why(error)) from error
    return _TextBook(sheets)


def _title(cell: str) -> str | None:
    """The sheet that a line of this cell alone begins: one of ours, or whatever stands in [ ] or 【 】."""
    title = cell.strip(" []【】#")
    return title if title in SHEETS or (title and cell.strip()[0] in "[【" and cell.strip()[-1] in "]】") else None


def _decoded(file: Path) -> str:
    data = file.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings: tuple[str, ...] = ("utf-16",)
    else:
        encodings = ("utf-8-sig", "gb18030")
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise BadInput("roster_broken", where=file.name, detail=words("check_text_coding"))


def _unquoted(cell: str) -> str:
    """Without the ="..." by which digits are kept from Excel."""
    inside = cell.strip()
    return inside[2:-1] if inside.startswith('="') and inside.endswith('"') and len(inside) > 2 else cell
