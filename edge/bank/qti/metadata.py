"""Our own facts about an item in a QTI manifest: what QTI has no place for.

In the item's resource, below `<metadata>`: `<item xmlns="urn:examroom:bank:1" of="ID" type="single">` with one child a
field. Words and numbers stand as text; lists and objects as JSON with `form="json"`. A case has one such element more
for each question inside.
"""

from __future__ import annotations

import json
from typing import Any

from lxml import etree

from edge.bank.problems import Fault, names

SPACE = "urn:examroom:bank:1"
BODY = names("id type stem options answer left blanks image aspect regions media items")
"""What the QTI item itself says."""
UNITS = ("units", "shown_units")
"""Of each blank, what QTI has no place for."""
_DIFFICULTY = {"very easy": 1, "easy": 2, "medium": 3, "difficult": 4, "very difficult": 5}


def write_fields(parent: etree._Element, fields: dict[str, Any]) -> None:
    """One child a field; what is None is left out."""
    for name, value in fields.items():
        if value is None:
            continue
        child = etree.SubElement(parent, f"{{{SPACE}}}{name}")
        if isinstance(value, bool):
            child.text = "true" if value else "false"
        elif isinstance(value, list | dict):
            child.set("form", "json")
            child.text = json.dumps(value, ensure_ascii=False)
        else:
            child.text = str(value)


def write_item(parent: etree._Element, item: dict[str, Any]) -> None:
    """The metadata of `item` (as JSON has it, defaults left out), and of its sub-items."""
    element = etree.SubElement(parent, f"{{{SPACE}}}item", nsmap={None: SPACE})
    element.set("of", item["id"])
    element.set("type", item["type"])
    fields = {name: value for name, value in item.items() if name not in BODY}
    for name in UNITS:
        units = [blank.get(name, []) for blank in item.get("blanks", [])]
        if any(units):
            fields[name] = units
    write_fields(element, fields)
    for sub in item.get("items", []):
        write_item(element, sub)


def read_fields(element: etree._Element) -> dict[str, Any]:
    """The fields below `element`. Fault for one that stands twice or is no JSON."""
    found: dict[str, Any] = {}
    for child in element:
        space, _, name = str(child.tag).rpartition("}")
        if space.removeprefix("{") != SPACE or name == "item":
            continue
        if name in found:
            raise Fault("bank_meta_twice", where=f"<{name}> {child.sourceline}", detail=name)
        text = child.text or ""
        if child.get("form") == "json":
            try:
                found[name] = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise Fault("bank_meta_json", where=f"<{name}> {child.sourceline}", detail=name) from error
        else:
            found[name] = text
    return found


def read_items(resource: etree._Element) -> dict[str, dict[str, Any]]:
    """The metadata of a resource's item and its sub-items by id, each with its `type`; {} for a foreign one."""
    found = {}
    for element in resource.iter(f"{{{SPACE}}}item"):
        fields = read_fields(element)
        fields["type"] = element.get("type", "")
        found[element.get("of", "")] = fields
    return found


def lom_difficulty(resource: etree._Element) -> int | None:
    """The difficulty by the learning-object metadata that other programs write."""
    for element in resource.iter():
        if isinstance(element.tag, str) and element.tag.rpartition("}")[2] == "difficulty" and SPACE not in element.tag:
            words = "".join(element.itertext()).strip().lower()
            for text, value in sorted(_DIFFICULTY.items(), key=lambda pair: -len(pair[0])):
                if words.endswith(text):
                    return value
    return None
