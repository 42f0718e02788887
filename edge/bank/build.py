"""From a folder of JSON files to one bank document, ready to be sealed."""

from __future__ import annotations

import json
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from edge.bank.model import BankDocument, parse_bank
from edge.domain.canonical import canonical
from edge.errors import BadInput


def read_folder(folder: Path | Traversable) -> BankDocument:
    """The bank in `items.json`, with the rubric and blueprint beside it where there are any.

    BadInput names the file and the place; nothing is half taken.
    """
    document = _read(folder / "items.json")
    for name, field in (("rubric.json", "rubrics"), ("blueprint.json", "blueprints")):
        file = folder / name
        if file.is_file():
            document[field] = [_read(file)]
    return parse_bank(canonical(document))


def sample_bank() -> BankDocument:
    """The sample that ships with the product; not for exams."""
    return read_folder(resources.files("edge.bank") / "sample")


def content_of(bank: BankDocument) -> bytes:
    """The bytes that are sealed: canonical, so one bank has one hash."""
    return canonical(bank.model_dump(by_alias=True))


def _read(file: Traversable) -> dict[str, object]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput("bank_broken", where=file.name, detail=str(error)[:200]) from error
    if not isinstance(document, dict):
        raise BadInput("bank_broken", where=file.name, detail="not an object")
    return document
