"""How often a room's papers had each item: a file from the room, added to what the bank's owner knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from edge.bank.model import BankDocument, Id, Part, where
from edge.bank.sources import json_of
from edge.errors import BadInput


class ExposureFile(Part):
    """What `examroom bank exposure` writes: of which sessions, with which banks, item id -> papers it stood on."""

    version: Literal[1] = 1
    room: str
    sessions: Annotated[list[str], Field(min_length=1)]
    banks: Annotated[list[Id], Field(min_length=1)]
    papers: Annotated[int, Field(ge=0)]
    items: dict[Id, Annotated[int, Field(ge=1)]]


def read_exposure(files: Iterable[Path]) -> list[ExposureFile]:
    """BadInput `bank_exposure_broken` for a file that is none; `bank_exposure_twice` for a session in two of them."""
    found: list[ExposureFile] = []
    seen: set[tuple[str, str]] = set()
    for file in files:
        try:
            one = ExposureFile.model_validate(json_of(file))
        except ValidationError as error:
            raise BadInput("bank_exposure_broken", file=file.name, **where(error)) from error
        for session in one.sessions:
            if (one.room, session) in seen:
                raise BadInput("bank_exposure_twice", file=file.name, session=session)
            seen.add((one.room, session))
        found.append(one)
    return found


def with_exposure(bank: BankDocument, found: Iterable[ExposureFile]) -> BankDocument:
    """The same bank with the counts added to its items' own. BadInput for counts of sessions with other banks."""
    counts: Counter[str] = Counter()
    for one in found:
        if bank.bank not in one.banks:
            raise BadInput("bank_exposure_other", banks=", ".join(one.banks), bank=bank.bank)
        counts.update(one.items)
    items = [item.model_copy(update={"exposure": item.exposure + counts[item.id]}) for item in bank.items]
    return bank.model_copy(update={"items": items})
