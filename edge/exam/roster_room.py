"""A roster's sheets but for the candidates: 考场 by its keys, 工作人员 and 工位 by their headings.

What would be left out, or taken for something else than was meant, is told by its cell.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from argon2 import PasswordHasher
from openpyxl.utils import get_column_letter

from edge.domain import idcards
from edge.domain.reasons import words
from edge.errors import BadInput
from edge.exam.planning import STATIONS
from edge.exam.roster_cells import moment_ms, readable, tell_over, unfit
from edge.exam.roster_files import EXACT, Book, Part, text
from edge.exam.roster_people import ANSWERS
from edge.exam.roster_problems import Problems
from edge.exam.roster_rules import EARLIEST_MS

SESSION, CANDIDATES, STAFF = "考场", "考生", "工作人员"
SESSION_KEYS = {
    "场次编号": "session.id",
    "场次名称": "session.title",
    "开始时间": "session.planned",
    "时长（分钟）": "session.minutes",
    "机构编号": "institution.id",
    "机构名称": "institution.name",
    "班级编号": "class.id",
    "班级名称": "class.title",
    "类别": "class.regime",
    "职业（工种）": "class.post",
    "等级": "class.level",
    "座位行数": "rows",
    "座位列数": "columns",
}
REGIMES = {"技能人员": "skilled-worker", "施工现场专业人员": "site-professional"}
CHIEF = "主考评员"
# 2020 to 2100: whoever types another year has mistyped
LATEST_MS = 4_102_444_800_000
STAFF_COLUMNS = ("编号", "姓名", "角色", "工牌号", "PIN", CHIEF)
STATION_COLUMNS = ("编号", "名称", "摄像机", "评分表")
ROLES = {"监考员": "proctor", "考评员": "examiner", "检查员": "supervisor", "技术员": "technician"}

PIN_DIGITS = 6
"""A PIN that came as a shorter number may have had zeros before it, which a spreadsheet drops."""
Found = TypeVar("Found")
_KEYS = {unicodedata.normalize("NFKC", key): key for key in SESSION_KEYS}


def tried(problems: Problems, read: Callable[[], Found]) -> Found | None:
    """What `read` gives, or None and one problem more."""
    try:
        return read()
    except BadInput as error:
        problems.take(error)
        return None


def part_of(book: Book, name: str) -> Part:
    """A sheet; BadInput when there is none of this name."""
    if not book.has(name):
        raise BadInput("roster_broken", where=name, detail=words("check_sheet_missing"))
    return book.part(name)


def session_of(book: Book, problems: Problems) -> dict[str, Any] | None:
    """What 考场 says by the names of SESSION_KEYS, and with "@" behind them the cells; None where any of it is wrong,
    which is told. BadInput without the sheet."""
    part = part_of(book, SESSION)
    tell_over(SESSION, part, problems)
    found: dict[str, Any] = {}
    wrong: set[str] = {where for where, _ in part.over}
    for number, line in part.lines:
        given = text(line.get(1))
        key = _KEYS.get(unicodedata.normalize("NFKC", given))
        told: list[tuple[int, str]] = []
        if (code := unfit(line.get(1), "")) is not None:
            told.append((1, code))
        if key is None:
            told += [] if told else [(min(line), "roster_key_unknown")]
        elif SESSION_KEYS[key] in found:
            told.append((1, "roster_key_twice"))
        else:
            found[SESSION_KEYS[key]] = line.get(2)
            found[f"{SESSION_KEYS[key]}@"] = f"{SESSION}!B{number}"
            if (code := unfit(line.get(2), key)) is not None:
                told.append((2, code))
                wrong.add(SESSION_KEYS[key])
        told += [(at, "roster_cell_beside") for at in sorted(line)[:3] if at > 2 and key is not None][:1]
        for at, code in told:
            place = f"{SESSION}!{get_column_letter(at)}{number}"
            problems.add(place, code, {"given": given[:30] or "-", "known": "、".join(SESSION_KEYS)}, row=number)
            wrong.add(place)
    if missing := [key for key, name in SESSION_KEYS.items() if name not in found]:
        raise BadInput("roster_broken", where=SESSION, detail=words("check_lacks", names="、".join(missing)))
    for name, read in (
        ("session.minutes", _number),
        ("rows", _number),
        ("columns", _number),
        ("session.planned", _planned),
        ("class.regime", _regime),
    ):
        if name not in wrong:
            try:
                found[name] = read(found[name], found[f"{name}@"])
            except BadInput as error:
                problems.take(error)
                wrong.add(name)
    if wrong:
        return None
    return {name: value if isinstance(value, int) else text(value) for name, value in found.items()}


def _number(value: object, place: str) -> int:
    found = unicodedata.normalize("NFKC", text(value))
    if not re.fullmatch(r"-?[0-9]{1,9}|", found):
        raise BadInput("roster_broken", where=place, detail=words("check_whole", given=found[:20]))
    return int(found or "0")


def _planned(value: object, place: str) -> int:
    planned = moment_ms(value, place)
    if not EARLIEST_MS <= planned < LATEST_MS:
        raise BadInput("roster_broken", where=place, detail=words("check_moment_range"))
    return planned


def _regime(value: object, place: str) -> str:
    if (regime := REGIMES.get(text(value))) is None:
        raise BadInput("roster_broken", where=place, detail=words("check_one_of", known=" / ".join(REGIMES)))
    return regime


def seats_of(facts: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A1, A2 ... by row letter and column number. BadInput for more than there are letters, or none."""
    rows, columns = facts["rows"], facts["columns"]
    if not 1 <= rows <= 26 or not 1 <= columns <= 100:
        raise BadInput("roster_broken", where=SESSION, detail=words("check_seat_rows"))
    return [
        {"seat": f"{chr(ord('A') + r)}{c + 1}", "row": r + 1, "column": c + 1}
        for r in range(rows)
        for c in range(columns)
    ]


def staff_of(book: Book, problems: Problems) -> list[tuple[int, dict[str, Any]]]:
    """Row number and member of each row of 工作人员 that is right; the others are told."""
    return _each(problems, book, STAFF, STAFF_COLUMNS, CHIEF, partial(_staff, problems))


def stations_of(book: Book, problems: Problems) -> list[tuple[int, dict[str, Any]]]:
    """The same of 工位, which may be missing."""
    return _each(problems, book, STATIONS, STATION_COLUMNS, "", _station) if book.has(STATIONS) else []


def _each(
    problems: Problems,
    book: Book,
    name: str,
    columns: tuple[str, ...],
    optional: str,
    read: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> list[tuple[int, dict[str, Any]]]:
    """(row number, what it says) of each row of a sheet that is right; the others are problems."""
    rows = tried(problems, lambda: _rows(problems, part_of(book, name), name, columns, optional)) or []
    found = []
    for row in rows:
        try:
            found.append((int(row["#"]), read(row)))
        except BadInput as error:
            problems.take(error, int(row["#"]))
    return found


def _rows(
    problems: Problems, part: Part, name: str, columns: tuple[str, ...], optional: str = ""
) -> list[dict[str, Any]]:
    """A row with anything in it each; a sheet from before the `optional` last column was there still counts."""
    tell_over(name, part, problems)
    first, heading = part.lines[0] if part.lines else (1, {})
    titles = {at: text(cell) for at, cell in heading.items()}
    known = dict(enumerate(columns, start=1))
    if titles not in (known, {at: title for at, title in known.items() if title != optional}):
        raise BadInput(
            "roster_broken", where=f"{name}!{first}", detail=words("check_headings", columns=" ".join(columns))
        )
    return [
        {column: line.get(at) for at, column in titles.items()}
        | {column: None for column in columns if column not in titles.values()}
        | {"@": f"{name}!{number}", "#": number}
        | {f"{column}@": f"{name}!{get_column_letter(at)}{number}" for at, column in known.items()}
        for number, line in part.lines[1:]
        if readable(name, (number, line), titles, set(), problems)
    ]


def cell_of(sheet: str, columns: tuple[str, ...], number: int) -> Callable[[str], str]:
    """The cell of a column in a row, and for "" the row."""
    return lambda column: f"{sheet}!{get_column_letter(columns.index(column) + 1) if column else ''}{number}"


def _digits(row: Mapping[str, Any], column: str) -> str:
    """What stands in a cell of a number people know by its digits; BadInput where the spreadsheet has lost some."""
    value = row[column]
    found = idcards.expanded(idcards.tidy(text(value)))
    if found is None or (isinstance(value, (int, float)) and abs(value) >= EXACT):
        detail = words("check_digits_lost")
        raise BadInput("roster_broken", where=row[f"{column}@"], detail=detail)
    return found


def _pin(problems: Problems, row: Mapping[str, Any]) -> str:
    """The PIN as keys type it, as far as the spreadsheet has kept it. BadInput where it has not."""
    value, place = row["PIN"], str(row["PIN@"])
    pin = "".join(sign for sign in unicodedata.normalize("NFKC", text(value)) if unicodedata.category(sign) != "Cf")
    number = isinstance(value, int | float)
    tidied = idcards.tidy(pin)
    if idcards.expanded(tidied) != tidied or (number and (len(pin) < PIN_DIGITS or abs(value) >= EXACT)):
        raise BadInput("roster_broken", where=place, detail=words("check_pin_number"))
    if len(pin) < 4:
        raise BadInput("roster_broken", where=place, detail=words("check_pin"))
    if pin != text(value):
        problems.add(place, "roster_cell_mended", {"column": "PIN"}, severity="mended", row=row["#"])
    if number:
        problems.add(place, "roster_pin_number", {"digits": len(pin)}, severity="warning", row=row["#"])
    return pin


def _staff(problems: Problems, row: Mapping[str, Any]) -> dict[str, Any]:
    role = ROLES.get(text(row["角色"]))
    if role is None:
        detail = words("check_one_of", known=" / ".join(ROLES))
        raise BadInput("roster_broken", where=row["角色@"], detail=detail)
    pin = _pin(problems, row)
    chief = ANSWERS.get(text(row[CHIEF]), ...)
    if chief is ... or (chief and role != "examiner"):
        raise BadInput("roster_broken", where=row[f"{CHIEF}@"], detail=words("check_chief_cell", column=CHIEF))
    return {
        "id": text(row["编号"]),
        "name": text(row["姓名"]),
        "role": role,
        "badge": _digits(row, "工牌号"),
        "pin_hash": PasswordHasher().hash(pin),
        "chief": bool(chief),
    }


def _station(row: Mapping[str, Any]) -> dict[str, Any]:
    for column in ("编号", "名称", "评分表"):
        if not text(row[column]):
            raise BadInput("roster_broken", where=row[f"{column}@"], detail=words("check_lacks", names=column))
    return {
        "id": text(row["编号"]),
        "title": text(row["名称"]),
        "camera": text(row["摄像机"]) or None,
        "rubric": text(row["评分表"]),
    }
