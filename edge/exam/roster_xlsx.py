"""A roster as a spreadsheet, for a site without a gateway: four sheets, read whole, every problem named by cell.

考场 session: one key and value a row. 考生 candidates: a person a row. 工作人员 staff: a member a row, with a PIN
that is hashed here and kept nowhere. 工位 stations: a place a row, with the score sheet of the bank examined there;
it may be empty or missing.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher
from openpyxl import Workbook
from openpyxl.utils import get_column_letter
from openpyxl.worksheet._read_only import ReadOnlyWorksheet

from edge.bank.xlsx.sheets import open_book
from edge.domain import residentid
from edge.errors import BadInput, Exists
from edge.exam.documents import PHOTO_LIMIT
from edge.exam.planning import CELLS, STATIONS

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
CANDIDATE_COLUMNS = ("序号", "姓名", "证件类型", "证件号码", "卡号", "座位", "照片文件", "同意人脸核验", "加时（分钟）")
DOCUMENTS = {
    "身份证": "resident-id",
    "护照": "passport",
    "港澳居民来往内地通行证": "hk-macao-permit",
    "台湾居民来往大陆通行证": "taiwan-permit",
    "外国人永久居留身份证": "foreigner-permit",
}
CHIEF = "主考评员"
STAFF_COLUMNS = ("编号", "姓名", "角色", "工牌号", "PIN", CHIEF)
STATION_COLUMNS = ("编号", "名称", "摄像机", "评分表")
ROLES = {"监考员": "proctor", "考评员": "examiner", "检查员": "supervisor", "技术员": "technician"}
ANSWERS = {"是": True, "否": False, "": None}
SIZE_LIMIT = 20_000_000
UNPACKED_LIMIT = 100_000_000
ROW_LIMIT = 1000
LAST_ROW = 1_048_576
EXACT = 10**15
"""A spreadsheet keeps fifteen digits of a number and makes the others zeros."""


def read_sheets(file: Path) -> dict[str, Any]:
    """The roster in `file` but for what its bank adds: bank, blueprint and rubrics. BadInput names sheet and cell.

    Photographs are looked for beside the spreadsheet.
    """
    book = _open(file)
    try:
        return _read(book, file.parent)
    finally:
        book.close()


def _read(book: Workbook, folder: Path) -> dict[str, Any]:
    facts = _session(_sheet(book, SESSION))
    candidates = _rows(_sheet(book, CANDIDATES), CANDIDATE_COLUMNS)
    staff = _rows(_sheet(book, STAFF), STAFF_COLUMNS, CHIEF)
    stations = _rows(_sheet(book, STATIONS), STATION_COLUMNS) if STATIONS in book.sheetnames else []
    return {
        CELLS: _cells(facts, candidates=candidates, staff=staff, stations=stations),
        "version": 1,
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
        "seats": _seats(facts["rows"], facts["columns"]),
        "candidates": [_candidate(row, folder) for row in candidates],
        "staff": [_staff(row) for row in staff],
        "stations": [_station(row) for row in stations],
    }


# the document's fields of each column, in the order of the sheets
FIELDS = {
    "candidates": ("number", "name", "document.type", "document", "badge", "seat", "photo", "consent", "extra_minutes"),
    "staff": ("id", "name", "role", "badge", "pin_hash", "chief"),
    "stations": ("id", "title", "camera", "rubric"),
}


def _cells(facts: Mapping[str, Any], **sheets: list[dict[str, Any]]) -> dict[str, str]:
    """Each place of the document and the cell it is read from; a whole row has sheet and number."""
    columns = {"candidates": CANDIDATE_COLUMNS, "staff": STAFF_COLUMNS, "stations": STATION_COLUMNS}
    found = {name: str(facts[f"{name}@"]) for name in SESSION_KEYS.values()}
    found["session.planned_ms"] = found["session.planned"]
    for part, rows in sheets.items():
        for at, row in enumerate(rows):
            found[f"{part}.{at}"] = str(row["@"])
            for field, column in zip(FIELDS[part], columns[part], strict=True):
                found[f"{part}.{at}.{field}"] = str(row[f"{column}@"])
    return found


def write_template(file: Path) -> None:
    """An empty roster with its headings and one example a sheet. Exists when the file is there already."""
    if file.exists():
        raise Exists("file_exists", path=file)
    book = Workbook()
    first = book.active
    if first is not None:
        book.remove(first)
    sheet = book.create_sheet(SESSION)
    example = ("S-001", "架子工培训测试", "2026-12-01 09:00", 60, "T-001", "示例培训学校", "C-001", "架子工一班")
    for key, value in zip(SESSION_KEYS, (*example, "技能人员", "架子工", "五级", 5, 6), strict=True):
        sheet.append((key, value))
    people = book.create_sheet(CANDIDATES)
    people.append(CANDIDATE_COLUMNS)
    people.append((1, "张三", "身份证", "11010519491231002X", "10000001", "", "", "", 0))
    staff = book.create_sheet(STAFF)
    staff.append(STAFF_COLUMNS)
    staff.append(("P-001", "李四", "监考员", "90000001", "请改"))
    staff.append(("E-001", "王五", "考评员", "90000002", "请改", "是"))
    book.create_sheet(STATIONS).append(STATION_COLUMNS)
    book.save(file)


def _open(file: Path) -> Workbook:
    try:
        if file.stat().st_size > SIZE_LIMIT:
            raise BadInput("roster_broken", where=file.name, detail="> 20 MB")
        return open_book(file, UNPACKED_LIMIT)
    except (OSError, BadInput) as error:
        if isinstance(error, BadInput) and error.code == "roster_broken":
            raise
        raise BadInput("roster_unreadable", file=file.name) from error


def _sheet(book: Workbook, name: str) -> ReadOnlyWorksheet:
    if name not in book.sheetnames:
        raise BadInput("roster_broken", where=name, detail="缺少此工作表 / this sheet is missing")
    sheet = book[name]
    if not isinstance(sheet, ReadOnlyWorksheet):
        raise BadInput("roster_broken", where=name, detail="是图表，不是工作表 / this is a chart, not a sheet of cells")
    sheet.reset_dimensions()  # what the file says of its size may be less than it has
    return sheet


def _lines(sheet: ReadOnlyWorksheet, width: int) -> list[tuple[int, tuple[Any, ...]]]:
    """Row number and cells of every row that holds anything, as many as a session can have."""
    found: list[tuple[int, tuple[Any, ...]]] = []
    rows = sheet.iter_rows(max_row=LAST_ROW, max_col=width, values_only=True)
    try:
        for number, line in enumerate(rows, start=1):
            if not any(_text(cell) for cell in line):
                continue
            if len(found) == ROW_LIMIT:
                raise BadInput("roster_broken", where=f"{sheet.title}!{number}", detail=f"> {ROW_LIMIT}")
            found.append((number, (*line, *(None,) * (width - len(line)))))
    except BadInput:
        raise
    except Exception as error:  # a sheet is read only now, and may be broken by itself
        raise BadInput("roster_unreadable", file=sheet.title) from error
    finally:
        rows.close()  # it holds the file open
    return found


def _text(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value).strip()


def _number(value: object, place: str) -> int:
    try:
        return int(_text(value) or "0")
    except ValueError as error:
        raise BadInput("roster_broken", where=place, detail=f"{_text(value)[:20]}") from error


def _session(sheet: ReadOnlyWorksheet) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, row in _lines(sheet, 2):
        name = SESSION_KEYS.get(_text(row[0]))
        if name is not None:
            found[name] = row[1]
            found[f"{name}@"] = f"{SESSION}!B{number}"
    if missing := [key for key, name in SESSION_KEYS.items() if name not in found]:
        raise BadInput("roster_broken", where=SESSION, detail=f"缺少 / missing: {missing[0]}")
    for name in ("session.minutes", "rows", "columns"):
        found[name] = _number(found[name], found[f"{name}@"])
    place = found["session.planned@"]
    found["session.planned"] = _moment(found["session.planned"], place)
    regime = REGIMES.get(_text(found["class.regime"]))
    if regime is None:
        raise BadInput("roster_broken", where=found["class.regime@"], detail=" / ".join(REGIMES))
    found["class.regime"] = regime
    for name, value in list(found.items()):
        if not isinstance(value, int):
            found[name] = _text(value)
    return found


def _moment(value: object, place: str) -> int:
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(_text(value))
        return round(moment.astimezone().timestamp() * 1000)
    except (ValueError, OverflowError, OSError) as error:
        raise BadInput("roster_broken", where=place, detail="2026-12-01 09:00") from error


def _seats(rows: int, columns: int) -> list[dict[str, Any]]:
    """A1, A2 ... by row letter and column number."""
    if not 1 <= rows <= 26 or not 1 <= columns <= 40:
        raise BadInput("roster_broken", where=SESSION, detail="座位 1-26 行 1-40 列 / 1-26 rows, 1-40 columns")
    return [
        {"seat": f"{chr(ord('A') + r)}{c + 1}", "row": r + 1, "column": c + 1}
        for r in range(rows)
        for c in range(columns)
    ]


def _rows(sheet: ReadOnlyWorksheet, columns: tuple[str, ...], optional: str = "") -> list[dict[str, Any]]:
    """A row with anything in it each; a sheet from before the `optional` last column was there still counts."""
    lines = iter(_lines(sheet, len(columns)))
    first, heading = next(lines, (1, ()))
    titles = tuple(_text(cell) for cell in heading)
    if first != 1 or titles not in (columns, tuple("" if title == optional else title for title in columns)):
        raise BadInput("roster_broken", where=f"{sheet.title}!1", detail=" ".join(columns))
    return [
        dict(zip(columns, line, strict=True))
        | {"@": f"{sheet.title}!{number}"}
        | {f"{column}@": f"{sheet.title}!{get_column_letter(at)}{number}" for at, column in enumerate(columns, start=1)}
        for number, line in lines
    ]


def _digits(row: Mapping[str, Any], column: str) -> str:
    """What stands in a cell of a number people know by its digits; BadInput where the spreadsheet has lost some."""
    value = row[column]
    if isinstance(value, (int, float)) and abs(value) >= EXACT:
        detail = "请把此列设为文本格式，再重新填写 / format the column as text and type the number again"
        raise BadInput("roster_broken", where=row[f"{column}@"], detail=detail)
    return _text(value).upper()


def _candidate(row: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    place = str(row["@"])
    kind = DOCUMENTS.get(_text(row["证件类型"]))
    if kind is None:
        raise BadInput("roster_broken", where=place, detail=" / ".join(DOCUMENTS))
    consent = _text(row["同意人脸核验"])
    if consent not in ANSWERS:
        raise BadInput("roster_broken", where=place, detail="是 / 否")
    photo = _text(row["照片文件"])
    number = _digits(row, "证件号码")
    if kind == "resident-id" and not residentid.holds(number):
        detail = "身份证号位数或校验位不对 / not a resident id number: its length or check digit is wrong"
        raise BadInput("roster_broken", where=row["证件号码@"], detail=detail)
    return {
        "number": _number(row["序号"], place),
        "name": _text(row["姓名"]),
        "document": {"type": kind, "number": number},
        "badge": _digits(row, "卡号") or None,
        "seat": _text(row["座位"]).upper() or None,
        "photo": _photo(folder, photo, place) if photo else None,
        "consent": {"face": ANSWERS[consent], "notice": "" if ANSWERS[consent] is None else "roster"},
        "extra_minutes": _number(row["加时（分钟）"], place),
    }


def _photo(folder: Path, name: str, place: str) -> str:
    if Path(name).name != name:
        raise BadInput("roster_broken", where=place, detail=name)
    try:
        if not (folder / name).is_file() or (folder / name).stat().st_size > PHOTO_LIMIT:
            raise BadInput("roster_broken", where=place, detail=f"没有照片或超过 2 MB / no photo, or > 2 MB: {name}")
        return base64.b64encode((folder / name).read_bytes()).decode()
    except OSError as error:
        raise BadInput("roster_broken", where=place, detail=f"照片打不开 / photo not readable: {name}") from error


def _staff(row: Mapping[str, Any]) -> dict[str, Any]:
    place = str(row["@"])
    role = ROLES.get(_text(row["角色"]))
    pin = _text(row["PIN"])
    if role is None:
        raise BadInput("roster_broken", where=place, detail=" / ".join(ROLES))
    if len(pin) < 4:
        raise BadInput("roster_broken", where=place, detail="PIN ≥ 4")
    chief = ANSWERS.get(_text(row[CHIEF]), ...)
    if chief is ... or (chief and role != "examiner"):
        raise BadInput("roster_broken", where=place, detail=f"{CHIEF}：考评员填“是” / Yes (是) for examiners alone")
    return {
        "id": _text(row["编号"]),
        "name": _text(row["姓名"]),
        "role": role,
        "badge": _digits(row, "工牌号"),
        "pin_hash": PasswordHasher().hash(pin),
        "chief": bool(chief),
    }


def _station(row: Mapping[str, Any]) -> dict[str, Any]:
    place = str(row["@"])
    for column in ("编号", "名称", "评分表"):
        if not _text(row[column]):
            raise BadInput("roster_broken", where=place, detail=f"缺少 / missing: {column}")
    return {
        "id": _text(row["编号"]),
        "title": _text(row["名称"]),
        "camera": _text(row["摄像机"]) or None,
        "rubric": _text(row["评分表"]),
    }
