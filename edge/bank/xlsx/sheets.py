"""A workbook's sheets as rows of words, each cell with its place."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from openpyxl import Workbook, load_workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._read_only import ReadOnlyWorksheet

from edge.bank.problems import Fault, Problems
from edge.bank.xlsx import columns as c
from edge.bank.xlsx.cells import EMPTY, Value
from edge.bank.xlsx.lines import Lines, first_line, read_lines
from edge.domain.reasons import words
from edge.errors import BadInput
from edge.why import why

LIMIT = 100_000_000
UNPACKED = 500_000_000


class Row:
    """One line of a sheet: the text of each column's cell, and where it is. `columns` and `values` are by the column's
    place in the sheet, from 1."""

    def __init__(self, sheet: str, number: int, columns: Mapping[int, c.Column], values: Mapping[int, Value]) -> None:
        self.sheet, self.number = sheet, number
        self._at = {column.field: at for at, column in columns.items()}
        self._titles = {column.field: column.title for column in columns.values()}
        given = [(column, values[at]) for at, column in columns.items() if at in values]
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


def open_book(path: Path, unpacked: int = UNPACKED, rich: bool = False) -> Workbook:
    """The workbook, its sheets not read yet; `rich` keeps the fonts of words within a cell. BadInput when it is none,
    or not safe to unpack (above so many bytes)."""
    try:
        if path.stat().st_size > LIMIT:
            raise BadInput("bank_too_large", file=path.name, detail=words("check_above", most=LIMIT // 1_000_000))
        with zipfile.ZipFile(path) as archive:
            infos = archive.infolist()
            dense = any(i.file_size > 50_000_000 and i.file_size > 500 * max(1, i.compress_size) for i in infos)
            if dense or sum(i.file_size for i in infos) > unpacked:
                raise BadInput("bank_unsafe", file=path.name, detail=words("unsafe_bomb", name=path.name))
            for info in infos:
                if info.filename.endswith((".xml", ".rels")) and _declares(archive, info):
                    raise BadInput("bank_unsafe", file=path.name, detail=words("unsafe_dtd", name=info.filename[:80]))
        return load_workbook(path, read_only=True, rich_text=rich)
    except BadInput:
        raise
    except OSError as error:
        raise BadInput("bank_unreadable", file=path.name, detail=why(error)) from error
    except Exception as error:  # a spreadsheet can be broken in more ways than its reader has names for
        raise BadInput("bank_unreadable", file=path.name, detail=words("check_workbook")) from error


def _declares(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bool:
    with archive.open(info) as stream:
        return b"<!DOCTYPE" in stream.read(4096)


def bank_facts(book: Workbook, path: Path, problems: Problems) -> dict[str, Any]:
    """What the sheet 题库 says of the bank as a whole."""
    if c.BANK not in book.sheetnames:
        problems.add(path.name, "", "bank_sheet_missing", sheet=c.BANK)
        return {}
    found: dict[str, str] = {}
    read = _values(book, c.BANK, problems)
    _merged(c.BANK, [area for area in read.merged if area.min_row < area.max_row], read, 1, problems)
    for number, line in read.lines:
        title, value = line.get(1, EMPTY).text, line.get(2, EMPTY)
        if title not in c.BANK_ROWS:
            problems.add(f"{c.BANK}!{get_column_letter(min(line))}{number}", "", "bank_row_unknown", given=title[:40])
            continue
        for at in line.keys() - {1, 2}:
            problems.add(f"{c.BANK}!{get_column_letter(at)}{number}", "", "bank_cell_beside")
        if code := value.fault_in(number=False):
            problems.add(f"{c.BANK}!B{number}", "", code, field=title, given=value.text[:40])
        elif value.text:
            field = c.BANK_ROWS[title][0]
            if field in found:
                problems.add(f"{c.BANK}!A{number}", "", "bank_row_twice", given=title)
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


def other_sheets(book: Workbook, problems: Problems) -> None:
    """Sheets that hold something and are none of the template's: what stands there would be left out."""
    seen = set()
    for sheet in book.worksheets:
        name = sheet.title
        known = name in (c.BANK, c.NOTES) or name in c.COLUMNS
        if isinstance(sheet, ReadOnlyWorksheet) and (not known or name in seen):
            try:
                line = first_line(sheet)
            except Exception:  # it cannot be told what it holds
                line = (1, {1: EMPTY})
            if line is not None:
                place = f"{name}!{get_column_letter(min(line[1]))}{line[0]}"
                problems.add(place, "", "bank_sheet_unknown", sheet=name, known="、".join(c.COLUMNS))
        seen.add(name)


def _values(book: Workbook, name: str, problems: Problems) -> Lines:
    try:
        return read_lines(book[name])
    except Fault as fault:
        problems.add(fault.where, "", fault.code, **fault.facts)
    except Exception:  # a sheet is only read now, and may be broken by itself
        problems.add(name, "", "bank_sheet_broken", sheet=name)
    return Lines()


def _merged(name: str, areas: list[Any], read: Lines, first: int, problems: Problems) -> None:
    """Merged ranges from row `first` to the last: only one cell of each holds what all of it shows."""
    last = read.lines[-1][0] if read.lines else 0
    for area in areas:
        if area.max_row >= first and area.min_row <= last:
            problems.add(f"{name}!{area.coord}", "", "bank_cell_merged", cells=area.coord)


def rows_of(book: Workbook, name: str, problems: Problems) -> Iterator[Row]:
    """The rows of a sheet that hold anything; unknown, repeated and missing columns are problems, and every cell that
    does not hold the words it shows or has no column to belong to. An item's row with such a cell is not given."""
    if name not in book.sheetnames:
        return  # a bank without such items needs no such sheet
    columns = c.COLUMNS[name]
    read = _values(book, name, problems)
    if not read.lines:
        return
    lines = list(read.lines)
    titles = lines.pop(0)[1] if lines[0][0] == 1 else {}
    _merged(name, read.merged, read, 2, problems)
    for number, at in read.pictures:
        problems.add(f"{name}!{get_column_letter(at)}{number}", "", "bank_sheet_picture")
    shown: dict[int, c.Column] = {}
    for at, title in sorted(titles.items()):
        place = f"{name}!{get_column_letter(at)}1"
        known = next((column for column in columns if column.title == title.text), None)
        if known is None:
            problems.add(place, "", "bank_column_unknown", column=title.text)
        elif known in shown.values():
            problems.add(place, "", "bank_column_twice", column=title.text)
        else:
            shown[at] = known
    for needed in ("编号", "题干", "文件", "译文", "方案编号", "题数", "行"):
        if any(column.title == needed for column in columns) and needed not in {one.title for one in shown.values()}:
            problems.add(f"{name}!1", "", "bank_column_missing", column=needed)
            return
    missing = (column for column in columns if column not in shown.values())
    places = shown | dict(enumerate(missing, start=max(titles) + 1))
    told = set(titles)
    for number, line in lines:
        for at in sorted(line.keys() - told):
            problems.add(f"{name}!{get_column_letter(at)}{number}", "", "bank_column_unnamed")
            told.add(at)
        row = Row(name, number, places, {at: value for at, value in line.items() if at in shown})
        # rows of plans and score sheets hang together: without one, others would be reported that are right
        if not row.empty() and (not row.tell(problems) or name in (c.PLANS, c.SCORES)):
            yield row
