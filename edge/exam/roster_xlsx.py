"""A roster as a spreadsheet or CSV, for a site without a gateway: four sheets, read whole, every problem by its row.

考场 session: one key and value a row. 考生 candidates: a person a row. 工作人员 staff: a member a row, with a PIN
that is hashed here and kept nowhere. 工位 stations: a place a row, with the score sheet of the bank examined there;
it may be empty or missing. How files are opened is in `roster_files`, how cells are read in `roster_cells`.
"""

from __future__ import annotations

import base64
import csv
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

from argon2 import PasswordHasher
from openpyxl import Workbook
from openpyxl.utils import get_column_letter

from edge.domain import idcards
from edge.domain.reasons import words
from edge.errors import BadInput, Exists
from edge.exam.documents import PHOTO_LIMIT
from edge.exam.planning import CELLS, STATIONS
from edge.exam.roster_cells import EXACT, WIDEST, Row, moment_ms, rows_under
from edge.exam.roster_files import Book, open_roster, text
from edge.exam.roster_people import ANSWERS, CANDIDATE_COLUMNS, NEEDED_COLUMNS, People
from edge.exam.roster_photos import TOTAL, Wanted
from edge.exam.roster_problems import Problems

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
EARLIEST_MS, LATEST_MS = 1_577_836_800_000, 4_102_444_800_000
STAFF_COLUMNS = ("编号", "姓名", "角色", "工牌号", "PIN", CHIEF)
STATION_COLUMNS = ("编号", "名称", "摄像机", "评分表")
ROLES = {"监考员": "proctor", "考评员": "examiner", "检查员": "supervisor", "技术员": "technician"}

Found = TypeVar("Found")


@dataclass(frozen=True)
class Sheets:
    """The roster but for what its bank adds (bank, blueprint, rubrics), and whose photograph is wanted."""

    document: dict[str, Any]
    wanted: list[Wanted]
    files: dict[int, tuple[str, bytes]]
    """Candidate number -> a photograph beside the roster."""

    def beside(self) -> tuple[dict[str, bytes], dict[int, str]]:
        """Those files by name, and whose they are."""
        return dict(self.files.values()), {number: name for number, (name, _) in self.files.items()}


def read_sheets(file: Path) -> dict[str, Any]:
    """The roster in `file`, its photographs beside it. RosterProblems with everything that is wrong."""
    problems = Problems()
    sheets = read_roster(file, problems, beside=True)
    problems.need_none()
    for row in sheets.document["candidates"]:
        if row["number"] in sheets.files:
            row["photo"] = base64.b64encode(sheets.files[row["number"]][1]).decode()
    return sheets.document


def read_roster(file: Path, problems: Problems, *, settings: Path | None = None, beside: bool = False) -> Sheets:
    """The roster in `file`; what is wrong goes to `problems`, and then the document is of no use.

    `settings`: another roster to take session, staff and stations from, for a CSV of candidates alone. `beside`:
    photographs named in it are files beside it. BadInput for a file that cannot be read at all.
    """
    with open_roster(file) as book:
        if settings is None:
            return _read(book, book, problems, file.parent if beside else None)
        with open_roster(settings) as base:
            return _read(book, base, problems, file.parent if beside else None)


def _read(book: Book, base: Book, problems: Problems, folder: Path | None) -> Sheets:
    if not base.has(SESSION) and book is base and book.has(CANDIDATES):
        problems.add(SESSION, "roster_settings_wanted")
    facts = _part(problems, lambda: _session(base, problems)) or {}
    seats = _part(problems, lambda: _seats(facts["rows"], facts["columns"])) if facts else None
    day = datetime.fromtimestamp(facts["session.planned"] / 1000).astimezone().date() if facts else date.today()
    staff = _each(problems, base, STAFF, STAFF_COLUMNS, CHIEF, _staff)
    stations = _each(problems, base, STATIONS, STATION_COLUMNS, "", _station) if base.has(STATIONS) else []
    badges = {member["badge"]: number for number, member in staff if member["badge"]}
    known = None if seats is None else [seat["seat"] for seat in seats]
    people = People(day, known, badges, problems)
    found = _part(problems, lambda: _candidates(book, people, problems)) or []
    cells = _cells(
        facts,
        candidates=[row.cell for row, _ in found],
        staff=[_cell_of(STAFF, STAFF_COLUMNS, number) for number, _ in staff],
        stations=[_cell_of(STATIONS, STATION_COLUMNS, number) for number, _ in stations],
    )
    files = _beside(folder, people.wanted, problems) if folder is not None else {}
    document: dict[str, Any] = {CELLS: cells, "version": 1}
    if facts:
        document |= {
            "institution": {"id": facts["institution.id"], "name": facts["institution.name"]},
            "class": {
                "id": facts["class.id"],
                "title": facts["class.title"],
                "regime": facts["class.regime"],
                "post": facts["class.post"],
                "level": facts["class.level"] or None,
            },
            "session": {
                "id": facts["session.id"],
                "title": facts["session.title"],
                "planned_ms": facts["session.planned"],
                "minutes": facts["session.minutes"],
            },
            "seats": seats,
        }
    document |= {
        "candidates": [candidate for _, candidate in found],
        "staff": [member for _, member in staff],
        "stations": [station for _, station in stations],
    }
    return Sheets(document, people.wanted, files)


def _beside(folder: Path, wanted: list[Wanted], problems: Problems) -> dict[int, tuple[str, bytes]]:
    files: dict[int, tuple[str, bytes]] = {}
    for one in wanted:
        if one.file and not one.declined and not one.minor:
            try:
                files[one.number] = (one.file, _photo(folder, one.file, one.place))
            except BadInput as error:
                problems.take(error, one.row)
    if sum(len(data) for _, data in files.values()) > TOTAL:
        problems.add(CANDIDATES, "photo_total", {"most": TOTAL // 1_000_000})
    return files


def _part(problems: Problems, read: Callable[[], Found]) -> Found | None:
    """What `read` gives, or None and one problem more."""
    try:
        return read()
    except BadInput as error:
        problems.take(error)
        return None


def _each(
    problems: Problems,
    book: Book,
    name: str,
    columns: tuple[str, ...],
    optional: str,
    read: Callable[[Mapping[str, Any]], dict[str, Any]],
) -> list[tuple[int, dict[str, Any]]]:
    """(row number, what it says) of each row of a sheet that is right; the others are problems."""
    rows = _part(problems, lambda: _rows(book, name, columns, optional)) or []
    found = []
    for row in rows:
        try:
            found.append((int(row["#"]), read(row)))
        except BadInput as error:
            problems.take(error, int(row["#"]))
    return found


def _cell_of(sheet: str, columns: tuple[str, ...], number: int) -> Callable[[str], str]:
    return lambda column: f"{sheet}!{get_column_letter(columns.index(column) + 1) if column else ''}{number}"


def _candidates(book: Book, people: People, problems: Problems) -> list[tuple[Row, dict[str, Any]]]:
    lines = _lines(book, CANDIDATES, WIDEST)
    rows = rows_under(CANDIDATES, lines, NEEDED_COLUMNS, CANDIDATE_COLUMNS, problems)
    return [(row, found) for row in rows if (found := people.candidate(row)) is not None]


# the document's fields of each column, in the order of the sheets
FIELDS = {
    "candidates": {
        "number": "序号",
        "name": "姓名",
        "document.type": "证件类型",
        "document": "证件号码",
        "badge": "卡号",
    }
    | {"seat": "座位", "photo": "照片文件", "extra_minutes": "加时（分钟）"},
    "staff": dict(zip(("id", "name", "role", "badge", "pin_hash", "chief"), STAFF_COLUMNS, strict=True)),
    "stations": dict(zip(("id", "title", "camera", "rubric"), STATION_COLUMNS, strict=True)),
}


def _cells(facts: Mapping[str, Any], **parts: list[Callable[[str], str]]) -> dict[str, str]:
    """Each place of the document and the cell it is read from; a whole row has sheet and number.

    A part's rows each give the cell of a column, and for "" the row.
    """
    found = {name: str(facts[f"{name}@"]) for name in SESSION_KEYS.values() if f"{name}@" in facts}
    found["session.planned_ms"] = found.get("session.planned", SESSION)
    for part, rows in parts.items():
        for at, row in enumerate(rows):
            found[f"{part}.{at}"] = row("")
            found |= {f"{part}.{at}.{field}": row(column) for field, column in FIELDS[part].items()}
    return found


def write_template(file: Path) -> None:
    """An empty roster with its headings and one example a sheet, .csv or .xlsx. Exists when the file is there."""
    if file.exists():
        raise Exists("file_exists", path=file)
    example = ("S-001", "架子工培训测试", "2026-12-01 09:00", 60, "T-001", "示例培训学校", "C-001", "架子工一班")
    sheets: dict[str, list[tuple[object, ...]]] = {
        SESSION: list(zip(SESSION_KEYS, (*example, "技能人员", "架子工", "五级", 5, 6), strict=True)),
        CANDIDATES: [CANDIDATE_COLUMNS, (1, "张三", "身份证", "11010519491231002X", "10000001", "", "", "", 0)],
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
    book.save(file)


def _lines(book: Book, name: str, width: int) -> list[tuple[int, tuple[Any, ...]]]:
    if not book.has(name):
        raise BadInput("roster_broken", where=name, detail=words("check_sheet_missing"))
    return book.lines(name, width)


def _number(value: object, place: str) -> int:
    try:
        return int(text(value) or "0")
    except ValueError as error:
        raise BadInput("roster_broken", where=place, detail=words("check_whole", given=text(value)[:20])) from error


def _session(book: Book, problems: Problems) -> dict[str, Any]:
    """Every key's value; each that is wrong is told. BadInput when any is."""
    found: dict[str, Any] = {}
    for number, row in _lines(book, SESSION, 2):
        name = _KEYS.get(unicodedata.normalize("NFKC", text(row[0])))
        if name is not None:
            found[name] = row[1]
            found[f"{name}@"] = f"{SESSION}!B{number}"
    if missing := [key for key, name in SESSION_KEYS.items() if name not in found]:
        raise BadInput("roster_broken", where=SESSION, detail=words("check_lacks", names="、".join(missing)))
    wrong: list[BadInput] = []
    for name, read in (
        ("session.minutes", _number),
        ("rows", _number),
        ("columns", _number),
        ("session.planned", _planned),
        ("class.regime", _regime),
    ):
        try:
            found[name] = read(found[name], found[f"{name}@"])
        except BadInput as error:
            wrong.append(error)
    for one in wrong[1:]:
        problems.take(one)
    if wrong:
        raise wrong[0]
    return {name: value if isinstance(value, int) else text(value) for name, value in found.items()}


_KEYS = {unicodedata.normalize("NFKC", key): name for key, name in SESSION_KEYS.items()}


def _planned(value: object, place: str) -> int:
    planned = moment_ms(value, place)
    if not EARLIEST_MS <= planned < LATEST_MS:
        raise BadInput("roster_broken", where=place, detail=words("check_moment_range"))
    return planned


def _regime(value: object, place: str) -> str:
    if (regime := REGIMES.get(text(value))) is None:
        raise BadInput("roster_broken", where=place, detail=words("check_one_of", known=" / ".join(REGIMES)))
    return regime


def _seats(rows: int, columns: int) -> list[dict[str, Any]]:
    """A1, A2 ... by row letter and column number."""
    if not 1 <= rows <= 26 or not 1 <= columns <= 100:
        raise BadInput("roster_broken", where=SESSION, detail=words("check_seat_rows"))
    return [
        {"seat": f"{chr(ord('A') + r)}{c + 1}", "row": r + 1, "column": c + 1}
        for r in range(rows)
        for c in range(columns)
    ]


def _rows(book: Book, name: str, columns: tuple[str, ...], optional: str = "") -> list[dict[str, Any]]:
    """A row with anything in it each; a sheet from before the `optional` last column was there still counts."""
    lines = iter(_lines(book, name, len(columns)))
    first, heading = next(lines, (1, ()))
    titles = tuple(text(cell) for cell in heading[: len(columns)])
    if titles not in (columns, tuple("" if title == optional else title for title in columns)):
        raise BadInput(
            "roster_broken", where=f"{name}!{first}", detail=words("check_headings", columns=" ".join(columns))
        )
    return [
        dict(zip(columns, line, strict=False))
        | {"@": f"{name}!{number}", "#": number}
        | {f"{column}@": f"{name}!{get_column_letter(at)}{number}" for at, column in enumerate(columns, start=1)}
        for number, line in lines
    ]


def _digits(row: Mapping[str, Any], column: str) -> str:
    """What stands in a cell of a number people know by its digits; BadInput where the spreadsheet has lost some."""
    value = row[column]
    found = idcards.expanded(idcards.tidy(text(value)))
    if found is None or (isinstance(value, (int, float)) and abs(value) >= EXACT):
        detail = words("check_digits_lost")
        raise BadInput("roster_broken", where=row[f"{column}@"], detail=detail)
    return found


def _photo(folder: Path, name: str, place: str) -> bytes:
    if Path(name).name != name:
        raise BadInput("roster_broken", where=place, detail=words("check_photo_name", name=name[:60]))
    try:
        if not (folder / name).is_file() or (folder / name).stat().st_size > PHOTO_LIMIT:
            raise BadInput("roster_broken", where=place, detail=words("check_photo_file", name=name))
        return (folder / name).read_bytes()
    except OSError as error:
        raise BadInput("roster_broken", where=place, detail=words("check_photo_file", name=name)) from error


def _staff(row: Mapping[str, Any]) -> dict[str, Any]:
    place = str(row["@"])
    role = ROLES.get(text(row["角色"]))
    pin = text(row["PIN"])
    if role is None:
        raise BadInput("roster_broken", where=place, detail=words("check_one_of", known=" / ".join(ROLES)))
    if len(pin) < 4:
        raise BadInput("roster_broken", where=place, detail=words("check_pin"))
    chief = ANSWERS.get(text(row[CHIEF]), ...)
    if chief is ... or (chief and role != "examiner"):
        raise BadInput("roster_broken", where=place, detail=words("check_chief_cell", column=CHIEF))
    return {
        "id": text(row["编号"]),
        "name": text(row["姓名"]),
        "role": role,
        "badge": _digits(row, "工牌号"),
        "pin_hash": PasswordHasher().hash(pin),
        "chief": bool(chief),
    }


def _station(row: Mapping[str, Any]) -> dict[str, Any]:
    place = str(row["@"])
    for column in ("编号", "名称", "评分表"):
        if not text(row[column]):
            raise BadInput("roster_broken", where=place, detail=words("check_lacks", names=column))
    return {
        "id": text(row["编号"]),
        "title": text(row["名称"]),
        "camera": text(row["摄像机"]) or None,
        "rubric": text(row["评分表"]),
    }
