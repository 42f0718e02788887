"""An empty roster to fill in: its headings, and one example a sheet."""

from __future__ import annotations

import csv
from pathlib import Path

from openpyxl import Workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from edge.errors import Exists
from edge.exam.planning import STATIONS
from edge.exam.roster_cells import NUMBERS
from edge.exam.roster_people import CANDIDATE_COLUMNS, EXAMPLE
from edge.exam.roster_room import CANDIDATES, SESSION, SESSION_KEYS, STAFF, STAFF_COLUMNS, STATION_COLUMNS

AS_TEXT = "@"


def write_template(file: Path) -> None:
    """An empty roster with its headings and one example a sheet, .csv or .xlsx. Exists when the file is there."""
    if file.exists():
        raise Exists("file_exists", path=file)
    example = ("S-001", "架子工培训测试", "2026-12-01 09:00", 60, "T-001", "示例培训学校", "C-001", "架子工一班")
    sheets: dict[str, list[tuple[object, ...]]] = {
        SESSION: list(zip(SESSION_KEYS, (*example, "技能人员", "架子工", "五级", 5, 6), strict=True)),
        CANDIDATES: [CANDIDATE_COLUMNS, (1, *EXAMPLE, "10000001", "", "", "", 0)],
        STAFF: [
            STAFF_COLUMNS,
            ("P-001", "李四", "监考员", "90000001", "请改"),
            ("E-001", "王五", "考评员", "90000002", "请改", "是"),
        ],
        STATIONS: [STATION_COLUMNS],
    }
    if file.suffix.lower() == ".csv":
        with file.open("w", encoding="utf-8-sig", newline="") as out:  # the mark is what Excel knows UTF-8 by
            writer = csv.writer(out)
            for name, rows in sheets.items():
                writer.writerow((f"[{name}]",))
                writer.writerows(rows)
        return
    book = Workbook()
    first = book.active
    if first is not None:
        book.remove(first)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
        _as_text(sheet, rows[0] if name != SESSION else ("", ""))
    book.save(file)


def _as_text(sheet: Worksheet, titles: tuple[object, ...]) -> None:
    """What is typed into it later stays as it is typed: no zeros lost, no dates made of words."""
    for at, title in enumerate(titles, start=1):
        if title not in NUMBERS:
            sheet.column_dimensions[get_column_letter(at)].number_format = AS_TEXT
            for cell in sheet[get_column_letter(at)]:
                cell.number_format = AS_TEXT
