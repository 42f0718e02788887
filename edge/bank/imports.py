"""Import: files in, one checked bank out, or every problem there is and no bank at all."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edge.bank.build import document_of
from edge.bank.drafts import Batch, Draft, Step
from edge.bank.items import Item
from edge.bank.media import MediaPool
from edge.bank.model import BankDocument, Blueprint
from edge.bank.package import open_package
from edge.bank.problems import CHECK_FIELDS, Problem, Problems, explain, names
from edge.bank.qti.read import read_package
from edge.bank.rubrics import Rubric
from edge.bank.xlsx.read import read_workbook
from edge.errors import BadInput, Exists
from edge.why import why

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ITEM: TypeAdapter[Item] = TypeAdapter(Item)
_RUBRIC = TypeAdapter(Rubric)
_BLUEPRINT = TypeAdapter(Blueprint)
Progress = Callable[[str], Step]


@dataclass(frozen=True)
class Wishes:
    """What the files do not say, by the caller: the bank's name and title, and defaults for items' fields."""

    name: str | None = None
    title: Mapping[str, str] | None = None
    sample: bool = False
    local: bool = False
    defaults: Mapping[str, Any] = field(default_factory=dict)
    new_ids: str = ""
    media: Path | None = None
    """A folder or zip with the pictures that a workbook names."""


@dataclass(frozen=True)
class Imported:
    """`bank` is None exactly when there are problems; `warnings` do not stop an import."""

    bank: BankDocument | None
    problems: tuple[Problem, ...]
    items: int
    warnings: tuple[Problem, ...] = ()


def import_files(files: Sequence[Path], wishes: Wishes, progress: Progress) -> Imported:
    """The bank in `files` (QTI packages, items or workbooks). BadInput where a file cannot be read at all."""
    problems = Problems()
    pool = MediaPool()
    batches = [_read(path, pool, problems, wishes, progress(path.name)) for path in files]
    drafts = [draft for batch in batches for draft in batch.drafts]
    items = _check_items(drafts, wishes, problems, progress("✓"))
    rubrics = _check_parts(_RUBRIC, [one for batch in batches for one in batch.rubrics], "rubrics", problems)
    blueprints = _check_parts(
        _BLUEPRINT, [one for batch in batches for one in batch.blueprints], "blueprints", problems
    )
    facts: dict[str, Any] = {}
    for batch in reversed(batches):
        facts |= batch.facts
    counted = [pair for batch in batches for pair in batch.facts.get("counted", [])]
    bank = None
    if not items and not problems.found:
        problems.add(", ".join(path.name for path in files), "", "bank_no_items", file=files[0].name)
    document = {
        "bank": wishes.name or facts.get("bank"),
        "title": wishes.title or facts.get("title"),
        "sample": wishes.sample or facts.get("sample", False),
        "items": items,
        "rubrics": rubrics,
        "blueprints": blueprints,
        "media": pool.files,
        "counted": [pair for at, pair in enumerate(counted) if pair not in counted[:at]],
    }
    for name in ("bank", "title"):
        if document[name] is None:
            problems.add("-", "", "bank_name_missing", field=name)
    if not problems.found:
        try:
            bank = BankDocument.model_validate(document)
        except ValidationError as error:
            _report(error, Draft("", {}, files[0].name), problems)
    return Imported(None if problems.found else bank, tuple(problems.found), len(drafts), tuple(problems.warned))


def _read(path: Path, pool: MediaPool, problems: Problems, wishes: Wishes, step: Step) -> Batch:
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        return read_workbook(path, wishes.media, pool, problems, step)
    return read_package(open_package(path), pool, problems, step, wishes.new_ids)


def _check_items(drafts: list[Draft], wishes: Wishes, problems: Problems, step: Step) -> list[Item]:
    items: list[Item] = []
    first: dict[str, str] = {}
    for number, draft in enumerate(drafts, start=1):
        _complete(draft.fields, draft.item, wishes)
        if draft.item in first:
            problems.add(draft.place(("id",)), draft.item, "bank_item_twice", other=first[draft.item])
            continue
        first[draft.item] = draft.place(("id",))
        try:
            items.append(_ITEM.validate_python(draft.fields))
        except ValidationError as error:
            _report(error, draft, problems)
        step(number, len(drafts))
    return items


def _complete(fields: dict[str, Any], item: str, wishes: Wishes) -> None:
    """Defaults for what the file does not say. A fact of its own where nothing groups the item with others."""
    for name, value in wishes.defaults.items():
        if fields.get(name) in (None, "", {}):
            fields[name] = value
    # an id that is wrong itself is reported once, as the id
    fields.setdefault("template", item if _ID.fullmatch(item) else "x")
    if "items" not in fields:
        fields.setdefault("points", 1)  # what QTI's own templates give
    if wishes.local:
        fields["local"] = True
    if wishes.sample:
        fields["sample"] = True
    for sub in fields.get("items", []):
        for name in ("test", "topic", "difficulty", "source"):
            if sub.get(name) in (None, "", {}) and fields.get(name) is not None:
                sub[name] = fields[name]
        _complete(sub, item, wishes)


def _report(error: ValidationError, draft: Draft, problems: Problems) -> None:
    for one in error.errors(include_url=False):
        code, facts = explain(one)
        # pydantic puts the item's type at the front of the path of a union
        loc = tuple(part for part in one["loc"] if part not in _TAGS)
        facts["field"] = ".".join(str(part) for part in loc) or _named(draft.fields)
        place = draft.place(loc)
        if code in CHECK_FIELDS:
            place = draft.place((*loc, *CHECK_FIELDS[code]))
        problems.add(place, draft.item, code, **facts)


def _named(fields: object) -> str:
    return str(fields.get("type", "-")) if isinstance(fields, Mapping) else "-"


_TAGS = names("judgement single multiple fill order match hotspot case number")


def _check_parts(adapter: TypeAdapter[Any], parts: list[Any], name: str, problems: Problems) -> list[Any]:
    found: dict[str, Any] = {}
    for number, part in enumerate(parts):
        draft = part if isinstance(part, Draft) else Draft("", part, f"{name}[{number}]")
        try:
            made = adapter.validate_python(draft.fields)
        except ValidationError as error:
            _report(error, draft, problems)
            continue
        if made.id in found:
            problems.add(draft.place(("id",)), made.id, "bank_item_twice", other=name)
        found[made.id] = made
    return list(found.values())


def write_bank(bank: BankDocument, out: Path, replace: bool) -> Path:
    """`bank` as one JSON file, or as `items.json` in the folder `out`; whole or not at all.

    Exists when the file is there already and `replace` does not say that it may go.
    """
    file = out if out.suffix.lower() == ".json" else out / "items.json"
    if file.exists() and not replace:
        raise Exists("file_exists", path=file)
    write_whole(file, json.dumps(document_of(bank), ensure_ascii=False, indent=1).encode() + b"\n")
    return file


def write_whole(file: Path, content: bytes) -> None:
    """A file that is either as it was or wholly new. BadInput when it cannot be written."""
    part = file.with_name(f".{file.name}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(file)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise BadInput("bank_unwritable", file=file, detail=why(error)) from error
