"""A workbook's sheets as rows of words, each cell with its place."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.utils import get_column_letter

from edge.bank.problems import Fault, Problems
from edge.bank.xlsx import columns as c
from edge.errors import BadInput

LIMIT = 100_000_000
UNPACKED = 500_000_000


class Row:
    """One line of a sheet: the text of each column's cell, and where it is."""

    def __init__(self, sheet: str, number: int, columns: tuple[c.Column, ...], values: tuple[Any, ...]) -> None:
        self.sheet, self.number = sheet, number
        self._at = {column.field: at for at, column in enumerate(columns, start=1)}
        self._titles = {column.field: column.title for column in columns}
        self._text = {column.field: _text(value) for column, value in zip(columns, values, strict=False)}

    def __getitem__(self, field: str) -> str:
        return self._text.get(field, "")

    def cell(self, field: str) -> str:
        return f"{self.sheet}!{get_column_letter(self._at[field])}{self.number}"

    def title(self, field: str) -> str:
        """What the column is called in the sheet."""
        return self._titles.get(field, field)

    @property
    def place(self) -> str:
        return f"{self.sheet}!{self.number}"

    def empty(self) -> bool:
        return not any(self._text.values())

    def fault(self, at: str, code: str, /, **facts: object) -> Fault:
        return Fault(code, where=self.cell(at), **facts)


def _text(value: object) -> str:
    if isinstance(value, float):
        # a number typed into a cell: shown as it was typed, not as a float has it
        value = int(value) if value.is_integer() else Decimal(repr(value))
    return "" if value is None else str(value).strip()


def open_book(path: Path, unpacked: int = UNPACKED) -> Workbook:
    """The workbook, its sheets not read yet. BadInput when it is none, or not safe to unpack (above so many bytes)."""
    try:
        if path.stat().st_size > LIMIT:
            raise BadInput("bank_too_large", file=path.name, detail=f"> {LIMIT // 1_000_000} MB")
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            dense = any(i.file_size > 50_000_000 and i.file_size > 500 * max(1, i.compress_size) for i in infos)
            if dense or sum(i.file_size for i in infos) > unpacked:
                raise BadInput("bank_unsafe", file=path.name, detail="bomb")
            for info in infos:
                if info.filename.endswith((".xml", ".rels")) and _declares(archive, info):
                    raise BadInput("bank_unsafe", file=path.name, detail=f"{info.filename}: DTD")
        return load_workbook(path, read_only=True, data_only=True)
    except BadInput:
        raise
    except OSError as error:
        raise BadInput("bank_unreadable", file=path.name, detail=error.strerror or "-") from error
    except Exception as error:  # a spreadsheet can be broken in more ways than its reader has names for
        raise BadInput("bank_unreadable", file=path.name, detail="xlsx") from error


def _declares(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    with archive.open(info) as stream:
        return b"<!DOCTYPE" in stream.read(4096)


def bank_facts(book: Workbook, path: Path, problems: Problems) -> dict[str, Any]:
    """What the sheet 题库 says of the bank as a whole."""
    if c.BANK not in book.sheetnames:
        problems.add(path.name, "", "bank_sheet_missing", sheet=c.BANK)
        return {}
    found: dict[str, str] = {}
    for number, values in enumerate(_values(book, c.BANK, 2, problems), start=1):
        if (title := _text(values[0])) in c.BANK_ROWS and _text(values[1]):
            field = c.BANK_ROWS[title][0]
            found[field] = _text(values[1])
            if field == "sample" and found[field] not in c.YES_NO:
                problems.add(f"{c.BANK}!B{number}", "", "bank_field_choice", field=title, expected="是、否")
    facts: dict[str, Any] = {"sample": c.YES_NO.get(found.get("sample", ""), False)}
    if "bank" in found:
        facts["bank"] = found["bank"]
    if "title.zh" in found:
        facts["title"] = {"zh": found["title.zh"], "en": found.get("title.en", "")}
    return facts


def _values(book: Workbook, name: str, width: int, problems: Problems) -> list[tuple[Any, ...]]:
    try:
        lines = list(book[name].iter_rows(max_col=width, values_only=True))
    except Exception as error:  # a sheet is only read now, and may be broken by itself
        problems.add(name, "", "bank_sheet_broken", sheet=name, detail=type(error).__name__)
        return []
    return [(*line, *(None,) * (width - len(line))) for line in lines]


def rows_of(book: Workbook, name: str, problems: Problems) -> Iterator[Row]:
    """The rows of a sheet that hold anything; unknown, repeated and missing columns are problems."""
    if name not in book.sheetnames:
        return  # a bank without such items needs no such sheet
    columns = c.COLUMNS[name]
    lines = _values(book, name, max(len(columns), 1) + 40, problems)
    if not lines:
        return
    titles = [_text(value) for value in lines[0]]
    order = []
    for at, title in enumerate(titles, start=1):
        place = f"{name}!{get_column_letter(at)}1"
        known = next((column for column in columns if column.title == title), None)
        if title and known is None:
            problems.add(place, "", "bank_column_unknown", column=title)
        elif known in order and known is not None:
            problems.add(place, "", "bank_column_twice", column=title)
        order.append(known)
    for needed in ("编号", "题干", "文件", "译文", "方案编号", "题数", "行"):
        if any(column.title == needed for column in columns) and needed not in titles:
            problems.add(f"{name}!1", "", "bank_column_missing", column=needed)
            return
    shown = tuple(column or c.Column("", f"-{at}", "", "") for at, column in enumerate(order))
    missing = tuple(column for column in columns if column not in order)
    for number, line in enumerate(lines[1:], start=2):
        row = Row(name, number, (*shown, *missing), line[: len(shown)])
        if not row.empty():
            yield row
