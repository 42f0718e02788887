"""A workbook's sheets as rows of words, each cell with its place."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.utils import get_column_letter

from edge.bank.problems import Fault, Problems
from edge.bank.xlsx import columns as c
from edge.bank.xlsx.cells import EMPTY, FORMULA, Value, value_of
from edge.errors import BadInput

LIMIT = 100_000_000
UNPACKED = 500_000_000


class Row:
    """One line of a sheet: the text of each column's cell, and where it is."""

    def __init__(self, sheet: str, number: int, columns: tuple[c.Column, ...], values: tuple[Value, ...]) -> None:
        self.sheet, self.number = sheet, number
        self._at = {column.field: at for at, column in enumerate(columns, start=1)}
        self._titles = {column.field: column.title for column in columns}
        given = list(zip(columns, values, strict=False))
        self._text = {column.field: value.text for column, value in given}
        faults = {column.field: value.fault_in(column.number) for column, value in given}
        self._faults = {field: code for field, code in faults.items() if code is not None}
        self._decimals = {column.field for column, value in given if value.decimal}

    def __getitem__(self, field: str) -> str:
        return self._text.get(field, "")

    def cell(self, field: str) -> str:
        return f"{self.sheet}!{get_column_letter(self._at[field])}{self.number}"

    def title(self, field: str) -> str:
        """What the column is called in the sheet."""
        return self._titles.get(field, field)

    def decimal(self, field: str) -> bool:
        """Whether the cell holds a number with a decimal point, whose last zeros are lost, rather than words."""
        return field in self._decimals

    def tell(self, problems: Problems) -> bool:
        """Name every cell that does not hold what it shows; whether there is one."""
        for field, code in self._faults.items():
            item = self["id"] or self["item"]
            problems.add(self.cell(field), item, code, field=self.title(field), given=self[field][:40])
        return bool(self._faults)

    @property
    def place(self) -> str:
        return f"{self.sheet}!{self.number}"

    def empty(self) -> bool:
        return not any(self._text.values()) and not self._faults

    def fault(self, at: str, code: str, /, **facts: object) -> Fault:
        return Fault(code, where=self.cell(at), **facts)


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
        return load_workbook(path, read_only=True)
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
    for number, (head, value) in enumerate(_values(book, path, c.BANK, 2, problems), start=1):
        if (title := head.text) not in c.BANK_ROWS:
            continue
        if code := value.fault_in(number=False):
            problems.add(f"{c.BANK}!B{number}", "", code, field=title, given=value.text[:40])
        elif value.text:
            field = c.BANK_ROWS[title][0]
            found[field] = value.text
            if field == "sample" and found[field] not in c.YES_NO:
                problems.add(f"{c.BANK}!B{number}", "", "bank_field_choice", field=title, expected="是、否")
    facts: dict[str, Any] = {"sample": c.YES_NO.get(found.get("sample", ""), False)}
    if "counted" in found:
        pairs = [part.strip().rpartition("/") for part in re.split(r"[;；]", found["counted"]) if part.strip()]
        facts["counted"] = [{"room": room, "session": session} for room, _, session in pairs]
    if "bank" in found:
        facts["bank"] = found["bank"]
    if "title.zh" in found:
        facts["title"] = {"zh": found["title.zh"], "en": found.get("title.en", "")}
    return facts


def _values(book: Workbook, path: Path, name: str, width: int, problems: Problems) -> list[tuple[Value, ...]]:
    try:
        lines = [[value_of(cell) for cell in line] for line in book[name].iter_rows(max_col=width)]
        if any(value.fault == FORMULA for line in lines for value in line):
            lines = _worked_out(path, name, width, lines)
    except Exception as error:  # a sheet is only read now, and may be broken by itself
        problems.add(name, "", "bank_sheet_broken", sheet=name, detail=type(error).__name__)
        return []
    return [(*line, *(EMPTY,) * (width - len(line))) for line in lines]


def _worked_out(path: Path, name: str, width: int, lines: list[list[Value]]) -> list[list[Value]]:
    """The same, with the words that the file keeps as a formula's result; a formula without any stays a fault."""
    book = load_workbook(path, read_only=True, data_only=True)
    try:
        again = [[value_of(cell) for cell in line] for line in book[name].iter_rows(max_col=width)]
    finally:
        book.close()
    for line, kept in zip(lines, again, strict=False):
        for at, (value, result) in enumerate(zip(line, kept, strict=False)):
            if value.fault == FORMULA and result.words:
                line[at] = result
    return lines


def rows_of(book: Workbook, path: Path, name: str, problems: Problems) -> Iterator[Row]:
    """The rows of a sheet that hold anything; unknown, repeated and missing columns are problems, and every cell that
    does not hold the words it shows. An item's row with such a cell is not given."""
    if name not in book.sheetnames:
        return  # a bank without such items needs no such sheet
    columns = c.COLUMNS[name]
    lines = _values(book, path, name, max(len(columns), 1) + 40, problems)
    if not lines:
        return
    titles = [value.text for value in lines[0]]
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
        # rows of plans and score sheets hang together: without one, others would be reported that are right
        if not row.empty() and (not row.tell(problems) or name in (c.PLANS, c.SCORES)):
            yield row
