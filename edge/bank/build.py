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
from edge.domain.reasons import words
from edge.errors import BadInput
from edge.why import why


def read_folder(folder: Path | Traversable) -> BankDocument:
    """The bank in `items.json`, with the rubrics and blueprints beside it where there are any.

    BadInput names the file and the place; nothing is half taken.
    """
    return parse_bank(canonical(read_document(folder)))


def read_document(folder: Path | Traversable) -> dict[str, Any]:
    """What stands in a bank's folder, as one document that nothing has checked yet.

    `blueprint.json` and `blueprints/*.json` hold one each, beside those in `items.json`; one of the same id takes its
    place. Likewise rubrics.
    """
    document = _read(folder / "items.json")
    for name in ("rubric", "blueprint"):
        files = [folder / f"{name}.json"] if (folder / f"{name}.json").is_file() else []
        if (folder / f"{name}s").is_dir():
            inside = [one for one in (folder / f"{name}s").iterdir() if one.name.endswith(".json")]
            files += sorted(inside, key=lambda one: one.name)
        for file in files:
            put_part(document, f"{name}s", _read(file))
    return document


def put_part(document: dict[str, Any], field: str, part: dict[str, Any]) -> bool:
    """Put a blueprint or rubric into a bank's document, in the place of one of its id; whether there was one."""
    parts = document.setdefault(field, [])
    if not isinstance(parts, list):
        raise BadInput("bank_broken", where=field, detail=words("input_list"))
    for at, known in enumerate(parts):
        if isinstance(known, dict) and known.get("id") == part.get("id"):
            parts[at] = part
            return True
    parts.append(part)
    return False


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
        raise BadInput("bank_broken", where=file.name, detail=why(error)) from error
    if not isinstance(document, dict):
        raise BadInput("bank_broken", where=file.name, detail=words("input_object"))
    return document
