"""A bank wherever it is: the sample, a folder, a JSON file, or a sealed bundle that this room may open."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from edge import clock
from edge.bank.build import read_document, sample_bank
from edge.bank.items import Item, media_names
from edge.bank.media import EXTENSIONS, kind_of
from edge.bank.model import BankDocument, parse_bank
from edge.bank.problems import Problem, Problems, explain
from edge.domain.reasons import words
from edge.errors import BadInput
from edge.trust.enrolment import Identity
from edge.trust.seal import open_bundle, read_manifest, what_it_is
from edge.why import why

LIMIT = 1_500_000_000
_ITEM: TypeAdapter[Item] = TypeAdapter(Item)


def read_source(source: str, identity: Callable[[], Identity], now: bool = False) -> BankDocument:
    """The bank in `source`. BadInput where it is none; what `open_bundle` raises for a sealed one.

    `now`: a sealed one only in its own time, as for an exam; else also before and after, for counting.
    """
    if source == "sample":
        return sample_bank()
    path = Path(source)
    if path.is_dir():
        return parse_bank(json.dumps(document_in(path)).encode())
    content = _content(path)
    if _is_sealed(content):
        return _open(content, identity(), now)
    return parse_bank(content)


def problems_in(source: str) -> list[Problem]:
    """Every problem of a bank that is not sealed, item by item; empty when it can be read."""
    path = Path(source)
    if source == "sample" or (path.is_file() and _is_sealed(_content(path))):
        return []
    document = document_in(path) if path.is_dir() else _json(path.name, _content(path))
    problems = Problems()
    items = document.get("items")
    media = document.get("media")
    known = set(media) if isinstance(media, dict) else set()
    for number, fields in enumerate(items if isinstance(items, list) else []):
        name = str(fields.get("id", "")) if isinstance(fields, dict) else ""
        try:
            item = _ITEM.validate_python(fields)
        except ValidationError as error:
            _report(error, f"items.{number}", name, problems)
            continue
        for lacking in sorted(media_names(item) - known):
            problems.add(f"items.{number}", item.id, "bank_media_missing", file=lacking)
    if not problems.found:
        try:
            BankDocument.model_validate(document)
        except ValidationError as error:
            _report(error, path.name, "", problems)
    return problems.found


def document_in(folder: Path) -> dict[str, Any]:
    """A folder's bank as one document: `items.json`, rubrics and blueprints beside it, pictures in `media/`."""
    document = read_document(folder)
    if (folder / "media").is_dir():
        files = document.setdefault("media", {})
        if not isinstance(files, dict):
            raise BadInput("bank_broken", where="media", detail=words("input_object"))
        for file in sorted((folder / "media").iterdir()):
            if file.is_file() and not file.is_symlink():
                files.setdefault(file.name, _media(file))
    return document


def _media(file: Path) -> dict[str, str]:
    content = _content(file)
    kind = kind_of(content)
    if kind == "video/mp4" and file.suffix.lower() == EXTENSIONS["audio/mp4"]:
        kind = "audio/mp4"
    if kind is None:
        raise BadInput("bank_broken", where=f"media/{file.name}", detail=words("check_media_type"))
    return {"type": kind, "data": base64.b64encode(content).decode()}


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > LIMIT:
            raise BadInput("bank_too_large", file=path.name, detail=words("check_above", most=LIMIT // 1_000_000))
        return path.read_bytes()
    except OSError as error:
        raise BadInput("bank_unreadable", file=path.name, detail=why(error)) from error


def _json(name: str, content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadInput("bank_broken", where=name, detail=why(error)) from error
    if not isinstance(document, dict):
        raise BadInput("bank_broken", where=name, detail=words("input_object"))
    return document


def json_of(path: Path) -> dict[str, Any]:
    """The object in a JSON file. BadInput where there is none."""
    return _json(path.name, _content(path))


def _is_sealed(content: bytes) -> bool:
    """A bundle begins with its signed manifest: one line of canonical JSON with its payload first."""
    return content.startswith(b'{"payload":"')


def _open(content: bytes, identity: Identity, now: bool) -> BankDocument:
    roots = [identity.root_public]
    at_ms = clock.wall_ms() if now else read_manifest(content, roots).not_before_ms
    manifest, plain = open_bundle(content, roots, identity.certificate.room, identity.keys.seal, at_ms)
    if manifest.kind != "bank":
        raise BadInput("bank_broken", where=manifest.name, detail=what_it_is(manifest))
    return parse_bank(plain)


def _report(error: ValidationError, place: str, item: str, problems: Problems) -> None:
    for one in error.errors(include_url=False):
        code, facts = explain(one)
        problems.add(".".join((place, *map(str, one["loc"]))), item, code, **facts)
