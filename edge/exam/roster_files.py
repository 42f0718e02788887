"""A roster's sheets out of a workbook or a CSV file: numbered rows of cells, whoever wrote the file.

A CSV holds what a workbook holds: a line with a sheet's name alone begins that sheet, 考生 is what stands before any.
It may be UTF-8, with or without a byte order mark, UTF-16 with one, or GB18030, as Excel in China writes it; with
commas, tabs or semicolons.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from openpyxl import Workbook
from openpyxl.worksheet._read_only import ReadOnlyWorksheet

from edge.bank.xlsx.sheets import open_book
from edge.domain.reasons import words
from edge.errors import BadInput
from edge.why import why

SIZE_LIMIT = 20_000_000
UNPACKED_LIMIT = 100_000_000
ROW_LIMIT = 2600
LAST_ROW = 1_048_576
CELL_LIMIT = 10_000
Line = tuple[int, tuple[object, ...]]
SHEETS = ("考场", "考生", "工作人员", "工位")
FIRST = "考生"


class Book(Protocol):
    """`lines`: row number (from 1) and cells of every row that holds anything, at least `width` cells each."""

    def has(self, sheet: str) -> bool: ...

    def lines(self, sheet: str, width: int) -> list[Line]: ...


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
            book = open_book(file, UNPACKED_LIMIT)
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

    def lines(self, sheet: str, width: int) -> list[Line]:
        found = self._book[sheet]
        if not isinstance(found, ReadOnlyWorksheet):
            raise BadInput("roster_broken", where=sheet, detail=words("check_chart"))
        found.reset_dimensions()  # what the file says of its size may be less than it has
        rows = found.iter_rows(max_row=LAST_ROW, max_col=width, values_only=True)
        try:
            return _held(sheet, enumerate(rows, start=1), width)
        except BadInput:
            raise
        except Exception as error:  # a sheet is read only now, and may be broken by itself
            raise BadInput("roster_unreadable", file=sheet) from error
        finally:
            rows.close()  # it holds the file open


class _TextBook:
    def __init__(self, sheets: dict[str, list[Line]]) -> None:
        self._sheets = sheets

    def has(self, sheet: str) -> bool:
        return sheet in self._sheets

    def lines(self, sheet: str, width: int) -> list[Line]:
        return _held(sheet, iter(self._sheets[sheet]), width)


def _held(sheet: str, rows: Iterator[Line], width: int) -> list[Line]:
    found: list[Line] = []
    for number, line in rows:
        if not any(text(cell) for cell in line):
            continue
        if len(found) == ROW_LIMIT:
            raise BadInput("roster_broken", where=f"{sheet}!{number}", detail=words("check_many_rows", most=ROW_LIMIT))
        found.append((number, (*line, *(None,) * (width - len(line)))))
    return found


def text(value: object) -> str:
    """What a cell shows, without the space around it."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()


def _text_book(file: Path) -> _TextBook:
    content = _decoded(file)
    if "\0" in content:
        raise BadInput("roster_unreadable", file=file.name)
    first = content.lstrip().partition("\n")[0]
    delimiter = max(",\t;", key=first.count)
    sheets: dict[str, list[Line]] = {}
    name, started, before = FIRST, False, 0
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            number, before = before + 1, reader.line_num
            cells = tuple(_unquoted(cell) for cell in row)
            if any(len(cell) > CELL_LIMIT for cell in cells):
                raise BadInput(
                    "roster_broken", where=f"{name}!{number}", detail=words("check_cell_long", most=CELL_LIMIT)
                )
            given = [cell for cell in cells if cell.strip()]
            if len(given) == 1 and (title := given[0].strip(" []【】#")) in SHEETS:
                if title in sheets and (started or title != FIRST):
                    raise BadInput("roster_broken", where=f"{title}!{number}", detail=words("check_twice_here"))
                name, started = title, True
                sheets.setdefault(name, [])
            elif given:
                sheets.setdefault(name, []).append((number, cells))
    except csv.Error as error:
        raise BadInput("roster_broken", where=f"{name}!{before + 1}", detail=why(error)) from error
    return _TextBook(sheets)


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
