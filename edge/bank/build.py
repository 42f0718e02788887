"""From a folder of JSON files to one bank document, ready to be sealed."""

from __future__ import annotations

import json
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from edge.bank.items import Item
from edge.bank.model import BankDocument, parse_bank
from edge.domain.canonical import canonical
from edge.errors import BadInput


def read_folder(folder: Path | Traversable) -> BankDocument:
    """The bank in `items.json`, with the rubric and blueprint beside it where there are any.

    BadInput names the file and the place; nothing is half taken.
    """
    return parse_bank(canonical(read_document(folder)))


def read_document(folder: Path | Traversable) -> dict[str, Any]:
    """What stands in a bank's folder, as one document that nothing has checked yet."""
    document = _read(folder / "items.json")
    for name, field in (("rubric.json", "rubrics"), ("blueprint.json", "blueprints")):
        file = folder / name
        if file.is_file():
            document[field] = [_read(file)]
    return document


def sample_bank() -> BankDocument:
    """The sample that ships with the product; not for exams."""
    return read_folder(resources.files("edge.bank") / "sample")


def content_of(bank: BankDocument) -> bytes:
    """The bytes that are sealed: canonical, so one bank has one hash."""
    return canonical(bank.model_dump(mode="json", by_alias=True))


def document_of(bank: BankDocument) -> dict[str, Any]:
    """The bank as JSON has it, what stands at its default left out."""
    document = bank.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    document["items"] = [item_fields(item) for item in bank.items]
    return document


def item_fields(item: Item) -> dict[str, Any]:
    """An item as JSON has it, what stands at its default left out."""
    fields = item.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for one in [fields, *fields.get("items", [])]:
        for blank in one.get("blanks", []):
            blank.setdefault("kind", "text")  # which of two kinds it is must be said, default or not
    return fields


def _read(file: Traversable) -> dict[str, Any]:
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInput("bank_broken", where=file.name, detail=str(error)[:200]) from error
    if not isinstance(document, dict):
        raise BadInput("bank_broken", where=file.name, detail="not an object")
    return document
