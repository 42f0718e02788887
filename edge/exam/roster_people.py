"""One candidate after another out of the sheet 考生: each cell on its own, and against the rows before."""

from __future__ import annotations

import re
from collections.abc import Hashable
from datetime import date
from typing import Any

from edge.domain import consents, idcards, names
from edge.domain.reasons import words
from edge.exam.roster_cells import Row
from edge.exam.roster_photos import Wanted
from edge.exam.roster_problems import Problems

NEEDED_COLUMNS = ("序号", "姓名", "证件类型", "证件号码")
CANDIDATE_COLUMNS = (
    *NEEDED_COLUMNS,
    "卡号",
    "座位",
    "照片文件",
    "同意人脸核验",
    "加时（分钟）",
    "告知书版本",
    "同意日期",
    "同意检索",
    "同意查重",
    "同意留存画面",
    "出生日期",
)
DOCUMENTS = {
    "身份证": "resident-id",
    "居民身份证": "resident-id",
    "港澳台居民居住证": "hmt-residence",
    "护照": "passport",
    "港澳居民来往内地通行证": "hk-macao-permit",
    "回乡证": "hk-macao-permit",
    "台湾居民来往大陆通行证": "taiwan-permit",
    "台胞证": "taiwan-permit",
    "外国人永久居留身份证": "foreigner-permit",
}
ANSWERS = {"是": True, "否": False, "": None}
MORE = {"同意检索": "search", "同意查重": "duplicates", "同意留存画面": "still"}
EXAMPLE = ("张三", "身份证", "11010519491231002X")
"""Who stands in the template: name, kind and number of the document."""


class People:
    """`day`: the exam's; `seats`: those of the room, None where they are not known; `staff`: badge -> row.

    `candidate` gives a row of the roster's document, of use only where nothing was told; `wanted` is for photographs.
    """

    def __init__(self, day: date, seats: list[str] | None, staff: dict[str, int], problems: Problems) -> None:
        self._day = day
        self._seats = seats
        self._staff = staff
        self._problems = problems
        self._seen: dict[tuple[str, Hashable], int] = {}
        self.wanted: list[Wanted] = []

    def candidate(self, row: Row) -> dict[str, Any] | None:
        """None for a row that holds next to nothing, which is told once."""
        empty = [column for column in NEEDED_COLUMNS if not row.shows(column)]
        if len(empty) > 1:
            facts = {"columns": "、".join(empty)}
            self._problems.add(row.place, "roster_row_bare", facts, row=row.number)
            return None
        number = row.number_in("序号", 1, 100_000)
        name = self._name(row)
        kind, document, stated = self._document(row)
        badge = self._badge(row)
        seat = self._seat(row)
        known = kind is not None and document is not None
        minor = bool(known and idcards.is_minor(str(kind), str(document), self._day, stated))
        consent = self._consent(row, minor)
        extra = row.number_in("加时（分钟）", 0, 240, empty=0)
        for column, value in (("序号", number), ("卡号", badge), ("座位", seat)):
            self._once(row, column, value)
        self._once(row, "证件号码", document)
        if (name, row.text("证件类型"), document) == EXAMPLE:
            row.warn("姓名", "roster_example_left")
        file = row.text("照片文件")
        if number is not None:
            declined = consent["face"] is False
            self.wanted.append(
                Wanted(number, name, document or "", badge, row.number, row.place, file, declined, minor)
            )
        return {
            "number": number,
            "name": name,
            "document": {"type": kind, "number": document, "born": stated and stated.isoformat()},
            "badge": badge,
            "seat": seat,
            "photo": None,
            "consent": consent,
            "extra_minutes": extra,
        }

    def _once(self, row: Row, column: str, value: Hashable) -> None:
        if value is None:
            return
        before = self._seen.setdefault((column, value), row.number)
        if before != row.number:
            row.tell(column, "roster_row_twice", row=before)

    def _name(self, row: Row) -> str:
        given = row.text("姓名")
        name = names.tidy(given)
        if not name:
            row.tell("姓名", "roster_cell_empty")
        elif len(name) > names.LONGEST:
            row.tell("姓名", "roster_cell_form", given=f"{len(name)} 字", wanted=f"1-{names.LONGEST}")
        elif (sign := names.odd_sign(name)) is not None:
            row.tell("姓名", "roster_name_sign", sign=sign)
        elif name != given:
            row.mended("姓名")
        return name

    def _document(self, row: Row) -> tuple[str | None, str | None, date | None]:
        kind = DOCUMENTS.get(row.text("证件类型"))
        if kind is None:
            given = row.text("证件类型")[:20] or "-"
            facts = {"column": "证件类型", "given": given, "wanted": " / ".join(DOCUMENTS)}
            self._problems.add(row.place, "roster_cell_form", facts, row=row.number)
        stated = row.day("出生日期", "document_born_form")
        number = row.digits("证件号码")
        if number is None or kind is None:
            return kind, None, stated
        if not number:
            row.tell("证件号码", "roster_cell_empty")
            return kind, None, stated
        if (code := idcards.fault(kind, number)) is not None:
            row.tell("证件号码", code)
            return kind, None, stated
        said = idcards.born(kind, number)
        if said is not None and kind != "passport" and number.endswith("000"):
            row.warn("证件号码", "roster_cell_zeros")
        if said is not None and stated is not None and said != stated:
            row.tell("出生日期", "document_born_differs")
        birth = said or stated
        if birth is not None and not 0 <= idcards.age(birth, self._day) <= idcards.OLDEST:
            row.tell("证件号码" if said else "出生日期", "document_born_future")
        return kind, number, stated

    def _badge(self, row: Row) -> str | None:
        badge = row.digits("卡号") or None
        if badge is not None and not re.fullmatch(r"[A-Z0-9]{4,32}", badge):
            row.tell("卡号", "roster_cell_form", given=badge[:20], wanted=words("check_badge_form"))
        elif badge in self._staff:
            row.tell("卡号", "roster_staff_badge", row=self._staff[str(badge)])
        return badge

    def _seat(self, row: Row) -> str | None:
        seat = idcards.tidy(row.text("座位")) or None
        if seat is not None and self._seats is not None and seat not in self._seats:
            row.tell("座位", "roster_seat_unknown", first=self._seats[0], last=self._seats[-1])
        return seat

    def _consent(self, row: Row, minor: bool) -> dict[str, Any]:
        """The answers, each agreement with its notice and day; a child's are none."""
        answers = {"face": row.choice("同意人脸核验", ANSWERS)}
        answers |= {field: row.choice(column, ANSWERS) for column, field in MORE.items()}
        notice, day = row.text("告知书版本"), row.day("同意日期", "consent_date")
        agreed = any(answers.values())
        if minor:
            if agreed or row.text("照片文件"):
                row.warn("同意人脸核验", "consent_minor")
            return {"face": None, "notice": ""}
        if day is not None and day > max(date.today(), self._day):
            row.tell("同意日期", "consent_date")
        elif agreed and (not notice or day is None):
            row.tell("告知书版本" if not notice else "同意日期", "consent_incomplete")
        elif agreed and notice not in consents.versions():
            row.tell("告知书版本", "consent_notice_unknown", given=notice[:20], known=", ".join(consents.versions()))
        elif agreed and notice != consents.VERSION:
            row.warn("告知书版本", "consent_old_notice", given=notice)
        return {**answers, "notice": notice, "date": day and day.isoformat()}
