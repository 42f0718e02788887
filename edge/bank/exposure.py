"""How often a room's papers had each item: a file from the room, added to what the bank's owner knows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

import click
from pydantic import Field, ValidationError

from edge.bank.model import BankDocument, Counted, Id, Part
from edge.bank.sources import json_of
from edge.domain.reasons import LANGUAGES, sentence
from edge.errors import BadInput
from edge.why import where


class ExposureFile(Part):
    """What `examroom bank exposure` writes: of which sessions, with which banks, item id -> papers it stood on."""

    version: Literal[1] = 1
    room: Id
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


def with_exposure(bank: BankDocument, found: Iterable[ExposureFile]) -> tuple[BankDocument, list[str]]:
    """The same bank with the counts added to its items' own, and the sessions that were counted in it before.

    BadInput for counts of sessions with other banks, and for a file of which some sessions are counted already.
    """
    counts: Counter[str] = Counter()
    counted, skipped = list(bank.counted), []
    for one in found:
        if bank.bank not in one.banks:
            raise BadInput("bank_exposure_other", banks=", ".join(one.banks), bank=bank.bank)
        pairs = [Counted(room=one.room, session=session) for session in dict.fromkeys(one.sessions)]
        known = [pair.session for pair in pairs if pair in counted]
        if known and len(known) < len(pairs):
            raise BadInput("bank_exposure_partly", room=one.room, sessions=", ".join(known))
        skipped += known
        if not known:
            counts.update(one.items)
            counted += pairs
    items = [item.model_copy(update={"exposure": item.exposure + counts[item.id]}) for item in bank.items]
    return bank.model_copy(update={"items": items, "counted": counted}), skipped


def add_exposure(bank: BankDocument, found: Iterable[ExposureFile]) -> BankDocument:
    """As `with_exposure`, and says on the error output what was counted before."""
    added, skipped = with_exposure(bank, found)
    if skipped:
        facts = {"sessions": ", ".join(skipped)}
        said = (sentence("bank_exposure_known", language, **facts) for language in LANGUAGES)
        click.echo(" / ".join(said), err=True)
    return added
