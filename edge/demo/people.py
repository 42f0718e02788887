"""The simulated class: thirty invented people, their staff, and the two portraits that ordinary wheels carry.

Names are made from common characters, document numbers from the area code 999999, which is nobody's; the check digit
is right (GB 11643-1999).
"""

from __future__ import annotations

import base64
import importlib.util
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

from edge.bank.build import sample_bank
from edge.bank.model import BankDocument
from edge.domain.consents import VERSION
from edge.domain.residentid import check_character
from edge.errors import Unavailable
from edge.ops.desk import StaffMember

FAMILY = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏"
GIVEN = ("建国", "志强", "秀英", "伟", "芳", "国庆", "海燕", "永红", "大勇", "桂兰")
CLASS_SIZE = 30
HOPPER, ASTRONAUT = 1, 2


STAFF = (
    StaffMember("P-001", "林监考", "proctor", "90000001", "135790"),
    StaffMember("E-001", "高考评", "examiner", "90000002", "246802"),
    StaffMember("S-001", "方检查", "supervisor", "90000003", "314159"),
    StaffMember("T-001", "温技术", "technician", "90000004", "271828"),
)


def portrait_file(which: str) -> Path:
    """Where an installed wheel keeps a public-domain portrait: `hopper` (matplotlib), `astronaut` (scikit-image)."""
    package, inside = {
        "hopper": ("matplotlib", "mpl-data/sample_data/grace_hopper.jpg"),
        "astronaut": ("skimage", "data/astronaut.png"),
    }[which]
    found = importlib.util.find_spec(package)
    if found is None or found.origin is None or not (file := Path(found.origin).parent / inside).is_file():
        raise Unavailable("extra_missing", extra="demo", detail=package)
    return file


def id_number(index: int) -> str:
    """An invented grown-up's resident id number with a right check digit."""
    born = date(1970, 1, 1) + timedelta(days=index * 397 % 12_000)
    body = f"999999{born:%Y%m%d}{index % 1000:03d}"
    return body + check_character(body)


def candidate_name(index: int) -> str:
    return FAMILY[index % len(FAMILY)] + GIVEN[index % len(GIVEN)]


def badge_of(number: int) -> str:
    return f"{10_000_000 + number * 7919}"


def candidates(size: int = CLASS_SIZE, photos: bool = True) -> list[dict[str, Any]]:
    """The class: number 1 has Hopper's portrait and consents, number 2 has the astronaut's; the others have none."""
    rows: list[dict[str, Any]] = []
    for number in range(1, size + 1):
        row: dict[str, Any] = {
            "number": number,
            "name": candidate_name(number),
            "document": {"type": "resident-id", "number": id_number(number)},
            "badge": badge_of(number),
        }
        if photos and number in (HOPPER, ASTRONAUT):
            which = "hopper" if number == HOPPER else "astronaut"
            row["photo"] = base64.b64encode(portrait_file(which).read_bytes()).decode()
            row["consent"] = {"face": True, "notice": VERSION, "date": "2026-01-05"}
        rows.append(row)
    return rows


@cache
def _bank() -> BankDocument:
    return sample_bank()


@cache
def _pin_hash(pin: str) -> str:
    return PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1).hash(pin)


def roster(
    session: str,
    planned_ms: int,
    *,
    size: int = CLASS_SIZE,
    minutes: int = 60,
    bank_version: int = 1,
    photos: bool = True,
    staff: tuple[StaffMember, ...] = STAFF,
) -> dict[str, Any]:
    """A roster document for the sample bank, as a gateway publishes it."""
    bank = _bank()
    columns = 6
    return {
        "version": 1,
        "institution": {"id": "T-001", "name": "示例建筑工种培训学校"},
        "class": {
            "id": f"C-{session}",
            "title": "架子工五级 · 示例班",
            "regime": "skilled-worker",
            "post": "架子工",
            "level": "五级",
        },
        "session": {"id": session, "title": "架子工培训测试（演示）", "planned_ms": planned_ms, "minutes": minutes},
        "bank": {"name": bank.bank, "version": bank_version},
        "blueprint": bank.blueprints[0].model_dump(),
        "rubric": bank.rubrics[0].model_dump(by_alias=True),
        "seats": [
            {
                "seat": f"{'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[n // columns]}{n % columns + 1}",
                "row": n // columns + 1,
                "column": n % columns + 1,
            }
            for n in range(size)
        ],
        "candidates": candidates(size, photos),
        "staff": [
            {"id": s.id, "name": s.name, "role": s.role, "badge": s.badge, "pin_hash": _pin_hash(s.pin)} for s in staff
        ],
    }


POLICY: dict[str, Any] = {
    "version": 1,
    "pass": {"safety": 60, "theory": 60, "practical": 60},
    "face": {"without_template": "badge+proctor", "search": False},
}
