"""A QTI package as drafts of items: the manifest says which files are items; each is read, or said why it cannot be."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from lxml import etree

from edge.bank.drafts import Batch, Draft, Loc, Step
from edge.bank.media import MediaPool, size_of
from edge.bank.package import Package, resolve
from edge.bank.problems import Fault, Problems, names
from edge.bank.qti.metadata import SPACE, UNITS, lom_difficulty, read_fields, read_items
from edge.bank.qti.processing import declared, scored
from edge.bank.qti.questions import BLOCKS, Source, is_interaction, media_of, question
from edge.bank.qti.strict import stricter
from edge.bank.qti.text import Shown, words_of
from edge.bank.qti.tree import BASE, MANIFEST_LIMIT, Node, parse, read_qti

MANIFEST = "imsmanifest.xml"
QUESTION = "data-examroom-question"
_INHERITED = ("test", "topic", "difficulty", "source", "template", "local", "sample")
_HOLDERS = names("div section article li fieldset p blockquote")


@dataclass
class _Reader:
    package: Package
    pool: MediaPool
    problems: Problems
    media: dict[str, str] = field(default_factory=dict)
    """The bank's name of each of the package's files that is in it already."""

    def file(self, name: str) -> bytes:
        return self.package.read(name)

    def label(self, name: str) -> str:
        return name if self.package.names == {name} else f"{self.package.label}:{name}"


def read_package(package: Package, pool: MediaPool, problems: Problems, step: Step, new_ids: str = "") -> Batch:
    """Everything in `package` that is a QTI item; what is wrong goes to `problems`, nothing is raised for content."""
    reader = _Reader(package, pool, problems)
    batch = Batch()
    manifest = _manifest_name(package)
    try:
        if manifest is None:
            files = sorted(name for name in package.names if name.lower().endswith(".xml"))
            if len(package.names) != 1 or not files:
                raise Fault("bank_no_manifest", file=package.label)
            jobs: list[tuple[str, etree._Element | None]] = [(files[0], None)]
        else:
            jobs = _manifest(reader, manifest, batch)
    except Fault as fault:
        problems.add(f"{reader.label(manifest or package.label)} {fault.where}".strip(), "", fault.code, **fault.facts)
        return batch
    for number, (name, resource) in enumerate(jobs, start=1):
        wished = f"{new_ids}{number:04d}" if new_ids else ""
        if (draft := _read_one(reader, name, resource, wished)) is not None:
            batch.drafts.append(draft)
        step(number, len(jobs))
    return batch


def _manifest_name(package: Package) -> str | None:
    """At the package's root, or in the one folder that some programs pack around it."""
    if MANIFEST in package.names:
        return MANIFEST
    inner = [name for name in package.names if name.count("/") == 1 and name.endswith("/" + MANIFEST)]
    return inner[0] if len(inner) == 1 else None


def _manifest(reader: _Reader, name: str, batch: Batch) -> list[tuple[str, etree._Element | None]]:
    root = parse(reader.package.read(name, MANIFEST_LIMIT), MANIFEST_LIMIT)
    if str(root.tag).rpartition("}")[2] != "manifest":
        raise Fault("bank_no_manifest", file=name)
    own = next(root.iter(f"{{{SPACE}}}bank"), None)
    if own is not None:
        batch.facts = read_fields(own)
        if not isinstance(batch.facts.get("counted", []), list):
            raise Fault("bank_meta_json", detail="counted")
    jobs: list[tuple[str, etree._Element | None]] = []
    for resource in root.iter("{*}resource"):
        kind = resource.get("type", "")
        identifier = resource.get("identifier", "")
        try:
            if "item" in kind and kind.startswith("ims"):
                jobs.append((_file_of(name, resource), resource))
            elif (media := next(resource.iter(f"{{{SPACE}}}media"), None)) is not None:
                path = _file_of(name, resource)
                reader.media[path] = reader.pool.add(path, reader.file(path), media.get("type"), media.get("name"))
            elif (extra := next(resource.iter(f"{{{SPACE}}}extra"), None)) is not None:
                _extra(reader, _file_of(name, resource), str(extra.get("of")), batch)
        except Fault as fault:
            place = f"{reader.label(name)} <resource> {resource.sourceline}"
            reader.problems.add(place, identifier, fault.code, **fault.facts)
    if not jobs:
        raise Fault("bank_no_items", file=name)
    return jobs


def _file_of(manifest: str, resource: etree._Element) -> str:
    """The file of a resource: its href, or its one file where it has none; each below the `xml:base` around it."""
    element = resource
    if not resource.get("href"):
        files = resource.findall("{*}file")
        if len(files) != 1:
            raise Fault("bank_file_unnamed")
        element = files[0]
    folders = [one.get(BASE) for one in (element, *element.iterancestors()) if one.get(BASE)]
    return resolve(manifest, element.get("href", ""), *reversed(folders))


def _extra(reader: _Reader, path: str, of: str, batch: Batch) -> None:
    try:
        found = json.loads(reader.file(path))
    except (ValueError, RecursionError) as error:
        raise Fault("bank_meta_json", detail=path) from error
    if not isinstance(found, list) or of not in ("rubrics", "blueprints"):
        raise Fault("bank_meta_json", detail=path)
    (batch.rubrics if of == "rubrics" else batch.blueprints).extend(found)


def _read_one(reader: _Reader, name: str, resource: etree._Element | None, wished: str) -> Draft | None:
    place, item = reader.label(name), wished or (resource.get("identifier", "") if resource is not None else "")
    try:
        node = read_qti(reader.file(name))
        if node.name != "qti-assessment-item":
            raise Fault("bank_qti_element", where=node.place, element=node.name)
        item = wished or _id(node.get("identifier"))
        meta = read_items(resource) if resource is not None else {}
        own = dict(meta.get(_id(node.get("identifier")), {}))
        if not own and resource is not None and (difficulty := lom_difficulty(resource)) is not None:
            own["difficulty"] = difficulty
        fields = _item(reader, name, node, own, meta, item)
    except Fault as fault:
        reader.problems.add(f"{place} {fault.where}".strip(), item, fault.code, **fault.facts)
        return None
    places: dict[Loc, str] = {(key,): f"{place} metadata" for key in own if key != "type"}
    return Draft(item, fields, place, places)


def _id(identifier: str) -> str:
    """XML names cannot begin with a digit: those are written with `_` before."""
    return identifier[1:] if identifier[:1] == "_" and identifier[1:2].isdigit() else identifier


def _item(
    reader: _Reader, name: str, node: Node, own: dict[str, Any], meta: dict[str, dict[str, Any]], item: str
) -> dict[str, Any]:
    for bad in node.walk():
        if bad.name.startswith("qti-template-") or bad.name in ("qti-assessment-stimulus-ref", "qti-printed-variable"):
            raise Fault("bank_qti_element", where=bad.place, element=bad.name)
    if node.get("adaptive") == "true":
        raise Fault("bank_qti_adaptive")
    body = next((child for child in node.elements() if child.name == "qti-item-body"), None)
    if body is None:
        raise Fault("bank_qti_no_interaction")
    interactions = [one for one in body.walk() if is_interaction(one)]
    if not interactions:
        raise Fault("bank_qti_no_interaction")
    for one in interactions:
        if one.name not in BLOCKS and one.name != "qti-text-entry-interaction":
            raise Fault("bank_qti_interaction", where=one.place, element=one.name)

    def warn(fault: Fault) -> None:
        reader.problems.warn(f"{reader.label(name)} {fault.where}".strip(), item, fault.code, **fault.facts)

    source = replace(_source(reader, name, node, interactions, own), warn=warn)
    for fault in stricter(node, source.declared, source.scored):
        warn(fault)
    case = any(one.get(QUESTION) for one in body.walk()) or _mixed(interactions)
    fields = _case(body, source, meta, own, item) if case else question([body], source)
    hint = own.get("type")
    if hint and hint != fields["type"]:
        raise Fault("bank_qti_type", detail=f"{hint} / {fields['type']}")
    _add_units(fields, own)
    # our own metadata says what QTI cannot (a scoring rule, for instance); the body says the rest
    return {**fields, **{key: value for key, value in own.items() if key != "type"}, "id": item}


def _mixed(interactions: list[Node]) -> bool:
    blocks = [one for one in interactions if one.name != "qti-text-entry-interaction"]
    return len(blocks) > 1 or (bool(blocks) and len(blocks) < len(interactions))


def _add_units(fields: dict[str, Any], own: dict[str, Any]) -> None:
    """Takes the units of the blanks out of our own metadata."""
    for name in UNITS:
        units, blanks = own.pop(name, None), fields.get("blanks", [])
        if units is None:
            continue
        if not isinstance(units, list) or len(units) != len(blanks):
            raise Fault("bank_meta_json", detail=name)
        for blank, unit in zip(blanks, units, strict=True):
            if unit:
                blank[name] = unit


def _source(reader: _Reader, name: str, node: Node, interactions: list[Node], own: dict[str, Any]) -> Source:
    responses = declared(node)
    names = [one.get("response-identifier") for one in interactions]
    if len(set(names)) != len(names):
        raise Fault("bank_qti_undeclared", detail=", ".join(names)[:80])
    how = scored(node, names)

    def place_media(shown: Shown) -> str:
        path = resolve(name, shown.href, *shown.folders)
        if path not in reader.media:
            reader.media[path] = reader.pool.add(path, reader.file(path))
        return reader.media[path]

    def size(shown: Shown) -> tuple[int, int] | None:
        return size_of(reader.file(resolve(name, shown.href, *shown.folders)))

    return Source(responses, how, place_media, size, str(own.get("type", "")), _points(own))


def _points(own: dict[str, Any]) -> Decimal | None:
    """What our own metadata says a question is worth."""
    text = str(own.get("points", ""))
    return Decimal(text) if text.isascii() and text.isdigit() else None


def _case(
    body: Node, source: Source, meta: dict[str, dict[str, Any]], own: dict[str, Any], item: str
) -> dict[str, Any]:
    stem, holders = _parts(body)
    words = words_of(*stem)
    if not words.text:
        raise Fault("bank_qti_case_text", where=body.place)
    fields: dict[str, Any] = {"type": "case", "stem": words.text, "items": []}
    if words.shown:
        fields["media"] = media_of(words.shown, source.place_media)
    groups: set[int] = set()
    for number, holder in enumerate(holders, start=1):
        sub_id = f"{item}.{number}"
        facts = dict(meta.get(sub_id, {}))
        inner = replace(source, type_hint=str(facts.get("type", "")), points=_points(facts))
        sub = question([holder], inner)
        names = [one.get("response-identifier") for one in holder.walk() if is_interaction(one)]
        used = {source.scored[name].group for name in names}
        if used & groups:
            raise Fault("bank_qti_processing", where=holder.place, detail=", ".join(names))
        groups |= used
        _add_units(sub, facts)
        hint = facts.pop("type", "")
        if hint and hint != sub["type"]:
            raise Fault("bank_qti_type", where=holder.place, detail=f"{hint} / {sub['type']}")
        if not facts:
            facts = {key: own[key] for key in _INHERITED if key in own}
        fields["items"].append({**sub, **facts, "id": sub_id})
    if "points" not in own:
        points = [str(sub.get("points", "")) for sub in fields["items"]]
        if all(text.isascii() and text.isdigit() for text in points):
            fields["points"] = sum(map(int, points))
    return fields


def _parts(body: Node) -> tuple[list[Node], list[Node]]:
    """What a case tells first, and the part of the body that each question stands in."""
    marked = [node for node in body.walk() if node.get(QUESTION)]
    holder = body
    while True:
        inner = [child for child in holder.children if isinstance(child, Node) or child.strip()]
        if len(inner) == 1 and isinstance(inner[0], Node) and not is_interaction(inner[0]):
            holder = inner[0]
        else:
            break
    stem: list[Node] = []
    questions: list[Node] = []
    for child in inner:
        has = [one for one in child.walk() if is_interaction(one)] if isinstance(child, Node) else []
        if not has and not questions:
            stem.append(child if isinstance(child, Node) else Node("p", {}, holder.line, [child]))
        elif isinstance(child, Node) and has:
            alone = is_interaction(child) and any(part.name == "qti-prompt" for part in child.elements())
            if not (child.get(QUESTION) or alone or child.name in _HOLDERS):
                raise Fault("bank_qti_case_text", where=child.place)
            questions.append(child)
        elif isinstance(child, str) or words_of(child).text or words_of(child).shown:
            raise Fault("bank_qti_case_text", where=child.place if isinstance(child, Node) else holder.place)
    if marked and len(marked) != len(questions):
        raise Fault("bank_qti_case_text", where=body.place)
    return stem, questions
