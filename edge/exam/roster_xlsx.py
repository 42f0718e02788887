"""A roster as a spreadsheet or CSV, for a site without a gateway: four sheets, read whole, every problem by its row.

考场 session: one key and value a row. 考生 candidates: a person a row. 工作人员 staff: a member a row, with a PIN
that is hashed here and kept nowhere. 工位 stations: a place a row, with the score sheet of the bank examined there;
it may be empty or missing. How files are opened is in `roster_files`, how cells are read in `roster_cells`, the sheets
but for the candidates in `roster_room`, the empty roster in `roster_template`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import Any

from edge.domain.reasons import words
from edge.errors import BadInput
from edge.exam.documents import PHOTO_LIMIT
from edge.exam.planning import CELLS, STATIONS
from edge.exam.roster_cells import Row, rows_under
from edge.exam.roster_files import SHEETS, Book, Part, open_roster
from edge.exam.roster_people import CANDIDATE_COLUMNS, NEEDED_COLUMNS, People
from edge.exam.roster_photos import TOTAL, Wanted, composed
from edge.exam.roster_problems import Problems
from edge.exam.roster_room import (
    CANDIDATES,
    SESSION,
    SESSION_KEYS,
    STAFF,
    STAFF_COLUMNS,
    STATION_COLUMNS,
    cell_of,
    part_of,
    seats_of,
    session_of,
    staff_of,
    stations_of,
    tried,
)


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
    _others(book, base, problems)
    if not base.has(SESSION) and book is base and book.has(CANDIDATES):
        problems.add(SESSION, "roster_settings_wanted")
    facts = tried(problems, lambda: session_of(base, problems)) or {}
    seats = tried(problems, lambda: seats_of(facts)) if facts else None
    day = datetime.fromtimestamp(facts["session.planned"] / 1000).astimezone().date() if facts else date.today()
    staff, stations = staff_of(base, problems), stations_of(base, problems)
    badges = {member["badge"]: number for number, member in staff if member["badge"]}
    known = None if seats is None else [seat["seat"] for seat in seats]
    people = People(day, known, badges, problems)
    found = tried(problems, lambda: _candidates(book, people, problems)) or []
    cells = _cells(
        facts,
        candidates=[row.cell for row, _ in found],
        staff=[cell_of(STAFF, STAFF_COLUMNS, number) for number, _ in staff],
        stations=[cell_of(STATIONS, STATION_COLUMNS, number) for number, _ in stations],
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


def _others(book: Book, base: Book, problems: Problems) -> None:
    """Sheets that hold something and would be left out."""
    for source in (book,) if book is base else (book, base):
        for where in source.others():
            facts = {"sheet": where.partition("!")[0], "known": "、".join(SHEETS)}
            problems.add(where, "roster_sheet_unknown", facts)
    for sheet in (SESSION, STAFF, STATIONS) if book is not base else ():
        if book.has(sheet) and tried(problems, partial(book.part, sheet)) != Part([]):
            problems.add(sheet, "roster_sheet_unused", {"sheet": sheet})


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


def _candidates(book: Book, people: People, problems: Problems) -> list[tuple[Row, dict[str, Any]]]:
    rows = rows_under(CANDIDATES, part_of(book, CANDIDATES), NEEDED_COLUMNS, CANDIDATE_COLUMNS, problems)
    found = [(row, candidate) for row in rows if (candidate := people.candidate(row)) is not None]
    longest = max((len(candidate["badge"] or "") for _, candidate in found), default=0)
    for row, candidate in found:
        if isinstance(row.cells.get("卡号"), int | float) and len(candidate["badge"] or "") < longest:
            row.warn("卡号", "roster_badge_short", longest=longest)
    return found


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
    found |= {"seats": SESSION, "candidates": CANDIDATES, "staff": STAFF, "stations": STATIONS}
    found["session.planned_ms"] = found.get("session.planned", SESSION)
    for part, rows in parts.items():
        for at, row in enumerate(rows):
            found[f"{part}.{at}"] = row("")
            found |= {f"{part}.{at}.{field}": row(column) for field, column in FIELDS[part].items()}
    return found


def _photo(folder: Path, name: str, place: str) -> bytes:
    if Path(name).name != name:
        raise BadInput("roster_broken", where=place, detail=words("check_photo_name", name=name[:60]))
    try:
        file = folder / name
        if not file.is_file() and not name.isascii():
            alike = [one for one in folder.iterdir() if composed(one.name) == composed(name)]
            file = alike[0] if len(alike) == 1 else file
        if not file.is_file() or file.stat().st_size > PHOTO_LIMIT:
            raise BadInput("roster_broken", where=place, detail=words("check_photo_file", name=name))
        return file.read_bytes()
    except OSError as error:
        raise BadInput("roster_broken", where=place, detail=words("check_photo_file", name=name)) from error
