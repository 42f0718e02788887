"""A bank as a QTI 3.0 content package: one item a file, media beside them, our own facts in the manifest."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

from lxml import etree

from edge.bank.build import item_fields
from edge.bank.items import CaseItem, ChoiceItem, FillItem, HotspotItem, Item, MatchItem, media_names
from edge.bank.media import EXTENSIONS
from edge.bank.model import BankDocument
from edge.bank.qti.metadata import SPACE, write_fields, write_item
from edge.bank.qti.read import MANIFEST, QUESTION
from edge.bank.qti.text import write_inline, write_words
from edge.bank.qti.tree import QTI3
from edge.domain.reasons import words
from edge.errors import BadInput

_CP = "http://www.imsglobal.org/xsd/qti/qtiv3p0/imscp_v1p1"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_SCHEMAS = "https://purl.imsglobal.org/spec/qti/v3p0/schema/xsd/"
_TEMPLATES = "https://purl.imsglobal.org/spec/qti/v3p0/rptemplates/"
_XML = "http://www.w3.org/XML/1998/namespace"
Fields = dict[str, Any]


def package_of(bank: BankDocument, step: Callable[[int, int], None]) -> bytes:
    """The zip. The same bank gives the same bytes. BadInput names an item that XML cannot hold."""
    manifest = etree.Element(f"{{{_CP}}}manifest", nsmap={None: _CP, "xsi": _XSI})
    manifest.set(f"{{{_XSI}}}schemaLocation", f"{_CP} {_SCHEMAS}imsqtiv3p0_imscpv1p2_v1p0.xsd")
    manifest.set("identifier", "M-" + bank.bank)
    metadata = etree.SubElement(manifest, f"{{{_CP}}}metadata")
    etree.SubElement(metadata, f"{{{_CP}}}schema").text = "QTI Package"
    etree.SubElement(metadata, f"{{{_CP}}}schemaversion").text = "3.0.0"
    own = etree.SubElement(metadata, f"{{{SPACE}}}bank", nsmap={None: SPACE})
    facts = {"bank": bank.bank, "title": bank.title.model_dump(), "sample": bank.sample}
    counted = [pair.model_dump() for pair in bank.counted]
    write_fields(own, facts | ({"counted": counted} if counted else {}))
    etree.SubElement(manifest, f"{{{_CP}}}organizations")
    resources = etree.SubElement(manifest, f"{{{_CP}}}resources")
    files: dict[str, bytes] = {}
    media_ids = {}
    for number, (name, media) in enumerate(bank.media.items(), start=1):
        path = f"media/{number:04d}{EXTENSIONS[media.type]}"
        media_ids[name] = (f"M{number:04d}", path)
        files[path] = media.content()
        extra = _resource(resources, f"M{number:04d}", "webcontent", path)
        etree.SubElement(extra, f"{{{SPACE}}}media", {"name": name, "type": media.type}, nsmap={None: SPACE})
    for of, parts in (("rubrics", bank.rubrics), ("blueprints", bank.blueprints)):
        if parts:
            path = f"examroom/{of}.json"
            dumped = [part.model_dump(mode="json", by_alias=True) for part in parts]
            files[path] = json.dumps(dumped, ensure_ascii=False, indent=1).encode()
            extra = _resource(resources, f"X-{of}", "webcontent", path)
            etree.SubElement(extra, f"{{{SPACE}}}extra", {"of": of}, nsmap={None: SPACE})
    for number, item in enumerate(bank.items, start=1):
        path = f"items/{number:06d}.xml"
        try:
            fields = _stated(item)
            files[path] = _bytes(item_xml(fields, {name: "../" + p for name, (_, p) in media_ids.items()}))
            facts = _resource(resources, f"I{number:06d}", "imsqti_item_xmlv3p0", path)
            write_item(facts, fields)
        except ValueError as error:  # a sign that XML has no way to write
            raise BadInput("bank_not_xml", item=item.id, detail=words("check_xml_sign")) from error
        for name in sorted(media_names(item)):
            etree.SubElement(facts.getparent(), f"{{{_CP}}}dependency", {"identifierref": media_ids[name][0]})
        step(number, len(bank.items))
    return _zip({MANIFEST: _bytes(manifest), **files})


def _stated(item: Item) -> Fields:
    """The item's fields with its scoring rule, default or not: another reader's default is the response processing."""
    fields = item_fields(item)
    subs = item.items if isinstance(item, CaseItem) else []
    for one, written in zip((item, *subs), (fields, *fields.get("items", [])), strict=True):
        if isinstance(one, ChoiceItem | FillItem | MatchItem | HotspotItem):
            written["rule"] = one.rule
    return fields


def _resource(resources: etree._Element, identifier: str, kind: str, path: str) -> etree._Element:
    """A resource of one file; gives its metadata element."""
    resource = etree.SubElement(resources, f"{{{_CP}}}resource")
    resource.set("identifier", identifier)
    resource.set("type", kind)
    resource.set("href", path)
    metadata: etree._Element = etree.SubElement(resource, f"{{{_CP}}}metadata")
    etree.SubElement(resource, f"{{{_CP}}}file").set("href", path)
    return metadata


def _bytes(root: etree._Element) -> bytes:
    content: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return content


def _zip(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, content in files.items():
            # one date for all: one bank, one package
            info = zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0))
            packed = path.endswith((".xml", ".json", ".svg"))
            archive.writestr(info, content, zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED)
    return buffer.getvalue()


def _add(parent: etree._Element, name: str, **attrs: str) -> etree._Element:
    element: etree._Element = etree.SubElement(parent, f"{{{QTI3}}}{name}")
    for key, value in attrs.items():
        element.set(key.rstrip("_").replace("_", "-"), value)
    return element


def item_xml(fields: Fields, paths: dict[str, str]) -> etree._Element:
    """The `qti-assessment-item` of an item (as JSON has it); `paths` leads to its media from where it will stand."""
    root = etree.Element(f"{{{QTI3}}}qti-assessment-item", nsmap={None: QTI3, "xsi": _XSI})
    root.set(f"{{{_XSI}}}schemaLocation", f"{QTI3} {_SCHEMAS}imsqti_asiv3p0_v1p0.xsd")
    # an XML name does not begin with a digit
    root.set("identifier", ("_" if fields["id"][0].isdigit() else "") + fields["id"])
    root.set("title", fields["id"])
    root.set("adaptive", "false")
    root.set("time-dependent", "false")
    root.set(f"{{{_XML}}}lang", "zh-CN")
    case = fields["type"] == "case"
    questions = fields["items"] if case else [fields]
    responses = [f"RESPONSE_{n}" for n in range(1, len(questions) + 1)] if case else ["RESPONSE"]
    for question, response in zip(questions, responses, strict=True):
        _declare(root, question, response)
    outcome = _add(root, "qti-outcome-declaration", identifier="SCORE", cardinality="single", base_type="float")
    _add(_add(outcome, "qti-default-value"), "qti-value").text = "0"
    body = _add(root, "qti-item-body")
    if case:
        write_words(body, fields["stem"])
        _media(body, fields, paths)
        for number, (question, response) in enumerate(zip(questions, responses, strict=True), start=1):
            holder = _add(body, "div")
            holder.set(QUESTION, str(number))
            _question(holder, question, response, paths)
    else:
        _question(body, fields, "RESPONSE", paths)
    _process(root, questions, responses, case)
    return root


def _blank_names(question: Fields, response: str) -> list[str]:
    return [f"{response}_B{number}" for number in range(1, len(question["blanks"]) + 1)]


def _declare(root: etree._Element, question: Fields, response: str) -> None:
    kind = question["type"]
    if kind == "fill":
        for name, blank in zip(_blank_names(question, response), question["blanks"], strict=True):
            number = blank["kind"] == "number"
            right = [blank["value"]] if number else blank["accepted"][:1]
            _response(root, name, "single", "float" if number else "string", right)
    elif kind == "hotspot":
        declaration = _add(
            root, "qti-response-declaration", identifier=response, cardinality="multiple", base_type="point"
        )
        mapping = _add(declaration, "qti-area-mapping", default_value="0")
        width, height = _frame(question)
        for region in question["regions"]:
            coords = [
                str(_scaled(value, width if at % 2 == 0 else height)) for at, value in enumerate(region["coords"])
            ]
            _add(mapping, "qti-area-map-entry", shape=region["shape"], coords=",".join(coords), mapped_value="1")
    elif kind == "match":
        pairs = [f"L{left} {key}" for left, key in question["answer"].items()]
        declaration = _response(root, response, "multiple", "directedPair", pairs)
        if question.get("rule", "partial") == "partial":
            mapping = _add(declaration, "qti-mapping", default_value="0")
            for pair in pairs:
                _add(mapping, "qti-map-entry", map_key=pair, mapped_value="1")
    else:
        cardinality = {"multiple": "multiple", "order": "ordered"}.get(kind, "single")
        _response(root, response, cardinality, "identifier", question["answer"])


def _response(root: etree._Element, name: str, cardinality: str, base: str, right: list[str]) -> etree._Element:
    declaration = _add(root, "qti-response-declaration", identifier=name, cardinality=cardinality, base_type=base)
    correct = _add(declaration, "qti-correct-response")
    for value in right:
        _add(correct, "qti-value").text = value
    return declaration


def _frame(question: Fields) -> tuple[int, int]:
    """Width and height to state coordinates in: whole thousandths of both are whole numbers there."""
    aspect = question.get("aspect", 1000)
    times = max(1, -(-1000 // aspect))
    return 1000 * times, aspect * times


def _scaled(value: int, length: int) -> int:
    return (value * length + 500) // 1000


def _media(parent: etree._Element, fields: Fields, paths: dict[str, str]) -> None:
    for media in fields.get("media", []):
        _show(_add(parent, "div"), paths[media["name"]], media["alt"])


def _show(parent: etree._Element, path: str, alt: str) -> etree._Element:
    ending = path.rpartition(".")[2]
    kind = {"mp3": "audio", "m4a": "audio", "mp4": "video", "webm": "video"}.get(ending)
    if kind is None:
        return _add(parent, "img", src=path, alt=alt)
    element = _add(parent, kind, src=path, controls="true")
    element.set("aria-label", alt)
    return element


def _question(parent: etree._Element, question: Fields, response: str, paths: dict[str, str]) -> None:
    kind = question["type"]
    entries = []
    for name in _blank_names(question, response) if kind == "fill" else []:
        entries.append(etree.Element(f"{{{QTI3}}}qti-text-entry-interaction", {"response-identifier": name}))
    write_words(parent, question["stem"], entries)
    _media(parent, question, paths)
    if kind in ("judgement", "single", "multiple"):
        interaction = _add(parent, "qti-choice-interaction", response_identifier=response)
        interaction.set("max-choices", "0" if kind == "multiple" else "1")
        interaction.set("shuffle", "false" if kind == "judgement" else "true")
        _choices(interaction, "qti-simple-choice", question["options"], paths)
    elif kind == "order":
        interaction = _add(parent, "qti-order-interaction", response_identifier=response, shuffle="true")
        _choices(interaction, "qti-simple-choice", question["options"], paths)
    elif kind == "match":
        interaction = _add(parent, "qti-match-interaction", response_identifier=response, shuffle="true")
        interaction.set("max-associations", str(len(question["left"])))
        lefts = [{"key": "L" + left["key"], "text": left["text"]} for left in question["left"]]
        first, second = (_add(interaction, "qti-simple-match-set") for _ in range(2))
        _choices(first, "qti-simple-associable-choice", lefts, paths, "1")
        _choices(second, "qti-simple-associable-choice", question["options"], paths, "0")
    elif kind == "hotspot":
        interaction = _add(parent, "qti-select-point-interaction", response_identifier=response)
        interaction.set("max-choices", str(len(question["regions"])))
        width, height = _frame(question)
        picture = _show(interaction, paths[question["image"]], question["stem"])
        picture.set("width", str(width))
        picture.set("height", str(height))


def _choices(
    parent: etree._Element, name: str, options: list[Fields], paths: dict[str, str], match_max: str | None = None
) -> None:
    for option in options:
        choice = _add(parent, name, identifier=option["key"])
        if match_max is not None:
            choice.set("match-max", match_max)
        write_inline(choice, option["text"])
        if option.get("image"):
            _show(choice, paths[option["image"]], "")


def _process(root: etree._Element, questions: list[Fields], responses: list[str], case: bool) -> None:
    """A standard template for one response; else one condition each, which adds to the score."""
    first = questions[0]
    if not case and first["type"] != "fill":
        _add(root, "qti-response-processing", template=_TEMPLATES + _template(first) + ".xml")
        return
    processing = _add(root, "qti-response-processing")
    for question, response in zip(questions, responses, strict=True):
        points = str(question.get("points", 1)) if case else "1"
        if question["type"] == "fill":
            names = _blank_names(question, response)
            pairs = list(zip(names, question["blanks"], strict=True))
            whole = question.get("rule", "partial") == "all-or-nothing"
            for group in [pairs] if whole else [[pair] for pair in pairs]:
                branch = _add(_add(processing, "qti-response-condition"), "qti-response-if")
                inner = _add(branch, "qti-and") if len(group) > 1 else branch
                for name, blank in group:
                    _blank_right(inner, name, blank)
                _adds(branch, points if whole or len(pairs) == 1 else "1")
        elif _template(question) == "map_response":
            value = _add(_add(processing, "qti-set-outcome-value", identifier="SCORE"), "qti-sum")
            _add(value, "qti-variable", identifier="SCORE")
            _add(value, "qti-map-response", identifier=response)
        else:
            branch = _add(_add(processing, "qti-response-condition"), "qti-response-if")
            match = _add(branch, "qti-match")
            _add(match, "qti-variable", identifier=response)
            _add(match, "qti-correct", identifier=response)
            _adds(branch, points)


def _template(question: Fields) -> str:
    if question["type"] == "hotspot":
        return "map_response_point"
    return (
        "map_response"
        if question["type"] == "match" and question.get("rule", "partial") == "partial"
        else ("match_correct")
    )


def _adds(branch: etree._Element, points: str) -> None:
    value = _add(_add(branch, "qti-set-outcome-value", identifier="SCORE"), "qti-sum")
    _add(value, "qti-variable", identifier="SCORE")
    _add(value, "qti-base-value", base_type="float").text = points


def _blank_right(parent: etree._Element, name: str, blank: Fields) -> None:
    if blank["kind"] == "number":
        exact = not float(blank.get("tolerance", 0))
        equal = _add(parent, "qti-equal", tolerance_mode="exact" if exact else "absolute")
        if not exact:
            equal.set("tolerance", f"{blank['tolerance']} {blank['tolerance']}")
        _add(equal, "qti-variable", identifier=name)
        _add(equal, "qti-correct", identifier=name)
        return
    texts = blank["accepted"]
    holder = _add(parent, "qti-or") if len(texts) > 1 else parent
    for text in texts:
        match = _add(holder, "qti-string-match", case_sensitive="false")
        _add(match, "qti-variable", identifier=name)
        _add(match, "qti-base-value", base_type="string").text = text
