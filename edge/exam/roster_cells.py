"""A roster's rows by their headings, and what a cell of one was meant to say: repaired where it has one reading."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from openpyxl.utils import get_column_letter

from edge.domain import idcards
from edge.domain.reasons import words
from edge.errors import BadInput
from edge.exam.roster_files import EXACT, Line, Odd, Part, text
from edge.exam.roster_problems import Problems

DATES = ("开始时间", "同意日期", "出生日期")
NUMBERS = ("序号", "加时（分钟）", "时长（分钟）", "座位行数", "座位列数")
_DAY = re.compile(r"([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?|([0-9]{4})([0-9]{2})([0-9]{2})")
_MOMENT = re.compile(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})[ T]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")
_ERRORS = ("#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!")


@dataclass(frozen=True)
class Row:
    """One row of a sheet under its headings; tells what is wrong in it, cell by cell."""

    sheet: str
    number: int
    cells: dict[str, object]
    letters: dict[str, str]
    problems: Problems

    @property
    def place(self) -> str:
        return f"{self.sheet}!{self.number}"

    def cell(self, column: str) -> str:
        return f"{self.sheet}!{self.letters[column]}{self.number}" if column in self.letters else self.place

    def tell(self, column: str, code: str, /, **facts: object) -> None:
        self.problems.add(self.cell(column), code, {"column": column, **facts}, row=self.number)

    def warn(self, column: str, code: str, /, **facts: object) -> None:
        told = {"column": column, **facts}
        self.problems.add(self.cell(column), code, told, severity="warning", row=self.number)

    def mended(self, column: str) -> None:
        told = {"column": column}
        self.problems.add(self.cell(column), "roster_cell_mended", told, severity="mended", row=self.number)

    def shows(self, column: str) -> bool:
        return bool(text(self.cells.get(column)))

    def text(self, column: str) -> str:
        """The words of a cell."""
        return text(self.cells.get(column))

    def digits(self, column: str) -> str | None:
        """A number people know by its digits; None where the spreadsheet has lost some, which is told."""
        value = self.cells.get(column)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) >= EXACT:
            self.tell(column, "roster_cell_rounded")
            return None
        before = self.text(column)
        tidied = idcards.tidy(before)
        if (found := idcards.expanded(tidied)) is None:
            self.tell(column, "roster_cell_rounded")
            return None
        if isinstance(value, str) and found != before:
            self.mended(column)
        return found

    def number_in(self, column: str, least: int, most: int, empty: int | None = None) -> int | None:
        """A whole number; None where it is none or out of range, which is told."""
        found = idcards.expanded(idcards.tidy(self.text(column))) or ""
        if not found and empty is not None and not text(self.cells.get(column)):
            return empty
        if not found:
            self.tell(column, "roster_cell_empty")
        elif not re.fullmatch(r"[0-9]{1,9}", found) or not least <= int(found) <= most:
            self.tell(column, "roster_cell_form", given=found[:20], wanted=f"{least}-{most}")
        else:
            return int(found)
        return None

    def choice(self, column: str, known: dict[str, bool | None]) -> bool | None:
        found = self.text(column)
        if found not in known:
            self.tell(column, "roster_cell_form", given=found[:20], wanted=" / ".join(one for one in known if one))
            return None
        return known[found]

    def day(self, column: str, code: str) -> date | None:
        """A calendar day; None for an empty cell, and for one that cannot be read, which is told by `code`."""
        value = self.cells.get(column)
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        found = unicodedata.normalize("NFKC", self.text(column)).replace(" ", "")
        if not found:
            return None
        try:
            if (parts := _DAY.fullmatch(found)) is None:
                raise ValueError(found)
            year, month, day = (int(part) for part in parts.groups() if part is not None)
            return date(year, month, day)
        except ValueError:
            self.tell(column, code)
            return None


def moment_ms(value: object, place: str) -> int:
    """Local date and time of a cell as milliseconds. BadInput (`roster_broken`) for what is none."""
    try:
        if isinstance(value, datetime):
            moment = value
        elif (parts := _MOMENT.fullmatch(unicodedata.normalize("NFKC", text(value)))) is not None:
            moment = datetime(*(int(part or 0) for part in parts.groups()))  # type: ignore[arg-type]
        elif ":" not in text(value):  # a day alone would be its midnight
            raise ValueError("no hour")
        else:
            moment = datetime.fromisoformat(text(value))
        return round(moment.astimezone().timestamp() * 1000)
    except (ValueError, OverflowError, OSError) as error:
        raise BadInput("roster_broken", where=place, detail=words("check_moment")) from error


def unfit(value: object, title: str) -> str | None:
    """The reason code of why a cell under `title` cannot be read as what it shows; None where it can."""
    if isinstance(value, Odd):
        return value.code
    if isinstance(value, str):
        return "roster_cell_formula" if value.strip().startswith("=") or value.strip() in _ERRORS else None
    if isinstance(value, date | time | timedelta):
        return None if title in DATES else "roster_cell_changed"
    if isinstance(value, float) and not value.is_integer() and title not in NUMBERS:
        return "roster_cell_changed"
    return None


def tell_over(sheet: str, part: Part, problems: Problems) -> None:
    """What lies over a sheet's cells, by the cells; and rows that are read although nobody sees them, by the first."""
    for where, code in part.over:
        problems.add(where, code, {"cells": where.partition("!")[2]})
    if part.hidden:
        first, count = part.hidden[0], len(part.hidden)
        problems.add(f"{sheet}!{first}", "roster_row_hidden", {"count": count}, severity="warning", row=first)


def rows_under(
    sheet: str, part: Part, needed: tuple[str, ...], known: tuple[str, ...], problems: Problems
) -> list[Row]:
    """The rows below a heading in any order of columns; without a needed column there are none, and that is told.

    A row with a cell that cannot be read is told and not given.
    """
    tell_over(sheet, part, problems)
    if not part.lines:
        problems.add(f"{sheet}!1", "roster_column_missing", {"column": needed[0]})
        return []
    at, heading = part.lines[0]
    by_narrow = {_narrow(title): title for title in known}
    titles: dict[int, str] = {}
    passed: set[int] = set()
    for place, cell in sorted(heading.items()):
        title = by_narrow.get(_narrow(text(cell)))
        where = f"{sheet}!{get_column_letter(place)}{at}"
        if code := unfit(cell, ""):
            problems.add(where, code, row=at)
        elif title is None:
            problems.add(where, "roster_column_unknown", {"column": text(cell)[:30], "known": " ".join(known)}, row=at)
        elif title in titles.values():
            problems.add(where, "roster_column_twice", {"column": title}, row=at)
        else:
            titles[place] = title
            continue
        passed.add(place)
    if missing := [title for title in needed if title not in titles.values()]:
        for title in missing:
            problems.add(f"{sheet}!{at}", "roster_column_missing", {"column": title}, row=at)
        return []
    letters = {title: get_column_letter(place) for place, title in titles.items()}
    found = []
    for line in part.lines[1:]:
        if readable(sheet, line, titles, passed, problems):
            number, cells = line
            row = {title: cells.get(place) for place, title in titles.items()}
            found.append(Row(sheet, number, row, letters, problems))
    return found


def readable(sheet: str, line: Line, titles: dict[int, str], passed: set[int], problems: Problems) -> bool:
    """Whether every cell of a row says what it shows and stands below one of `titles`; each other is told, but for
    the columns that were `passed` over at their heading."""
    number, cells = line
    found = True
    for place, value in sorted(cells.items()):
        where = f"{sheet}!{get_column_letter(place)}{number}"
        if place in passed:
            continue
        if place not in titles:
            code: str | None = "roster_row_long" if place > max(titles) else "roster_column_unnamed"
        else:
            code = unfit(value, titles[place])
        if code is not None:
            problems.add(where, code, {"cells": max(cells), "columns": max(titles)}, row=number)
            found = False
            if place > max(titles):  # the others are of the same cause
                break
    return found


def _narrow(title: str) -> str:
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", title))
