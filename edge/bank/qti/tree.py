"""QTI documents as a small tree under the names of QTI 3.0, whichever version they were written in.

QTI 3.0 writes `choiceInteraction` of 2.x as `qti-choice-interaction` and `responseIdentifier` as
`response-identifier`; HTML names are the same in all. That rule and the few one-word names below are all that the
subset we map needs, so no converter stands between.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from edge.bank.problems import Fault, names
from edge.domain.reasons import words

XML_LIMIT = 5_000_000
MANIFEST_LIMIT = 100_000_000
"""A manifest names every item of a package, with our facts about each."""
QTI3 = "http://www.imsglobal.org/xsd/imsqtiasi_v3p0"
_VERSIONS = {
    "http://www.imsglobal.org/xsd/imsqti_v2p1": 2,
    "http://www.imsglobal.org/xsd/imsqti_v2p2": 2,
    QTI3: 3,
}
# QTI 2.x names of one small word, which the rule cannot tell from HTML's
_ONE_WORD = names(
    "prompt gap hottext value mapping match equal and or not sum product subtract divide gt gte lt lte variable correct"
    " default null member contains inside delete multiple ordered index random repeat substring stylesheet"
)
_CAPITAL = re.compile("[A-Z]")
_SPACE = "{http://www.w3.org/XML/1998/namespace}"
BASE = f"{_SPACE}base"
TRUE, FALSE = ("true", "1"), ("false", "0")
"""How XML writes them."""


@dataclass
class Node:
    """An element: its name and attributes as QTI 3.0 has them, what is inside in order, its line in the file."""

    name: str
    attrs: dict[str, str]
    line: int
    children: list[Node | str] = field(default_factory=list)
    folders: tuple[str, ...] = ()
    """The `xml:base` that hold here, outermost first."""

    def get(self, name: str, default: str = "") -> str:
        return self.attrs.get(name, default)

    def elements(self) -> list[Node]:
        return [child for child in self.children if isinstance(child, Node)]

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.elements():
            yield from child.walk()

    def all(self, *names: str) -> list[Node]:
        return [node for node in self.walk() if node.name in names]

    def first(self, name: str) -> Node | None:
        return next((node for node in self.walk() if node.name == name), None)

    def text(self) -> str:
        return "".join(child if isinstance(child, str) else child.text() for child in self.children)

    @property
    def place(self) -> str:
        """For a message: the element's name and line."""
        return f"<{self.name}> {self.line}"


def parse(content: bytes, limit: int = XML_LIMIT) -> etree._Element:
    """The root of an XML document. Fault for anything but plain XML: no DTD, so no entity; nothing is fetched."""
    if len(content) > limit:
        raise Fault("bank_xml_large", most=limit // 1_000_000)
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    if b"<!DOCTYPE" in content[:100_000] or b"<!ENTITY" in content:
        raise Fault("bank_xml_dtd")
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as error:
        raise Fault("bank_xml_broken", detail=_told(error)) from error
    if root.getroottree().docinfo.internalDTD is not None:  # written in UTF-16, say
        raise Fault("bank_xml_dtd")
    return root


def _told(error: Exception) -> dict[str, str]:
    """libxml2 says it in English; where it is, in numbers."""
    line, column = getattr(error, "position", None) or (None, None)
    return words("input_xml", line=line, column=column) if line else words("input_other", kind=type(error).__name__)


def read_qti(content: bytes) -> Node:
    """A QTI document. Fault for another version or another kind of XML."""
    root = parse(content)
    space, name = _split(str(root.tag))
    version = _VERSIONS.get(space)
    if version is None:
        raise Fault("bank_qti_version", detail=space[:100] or name[:60])
    return _node(root, version)


def _split(tag: str) -> tuple[str, str]:
    space, _, name = tag.rpartition("}")
    return space.removeprefix("{"), name


def _kebab(name: str) -> str:
    return _CAPITAL.sub(lambda letter: "-" + letter.group().lower(), name)


def _name(tag: str, version: int) -> str:
    space, name = _split(tag)
    if space not in _VERSIONS:
        # MathML, SVG, SSML, a vendor's: kept apart, so that no HTML rule takes it for its own
        return f"{space.rsplit('/', 1)[-1] or 'x'}:{name}"
    if version == 2 and (name in _ONE_WORD or _CAPITAL.search(name)):
        return "qti-" + _kebab(name)
    return name


def _node(element: etree._Element, version: int, folders: tuple[str, ...] = ()) -> Node:
    attrs = {}
    for key, value in element.attrib.items():
        space, name = _split(str(key))
        attrs["xml:" + name if "{" + space + "}" == _SPACE else _kebab(name)] = str(value)
    if own := attrs.get("xml:base"):
        folders = (*folders, own)
    node = Node(_name(str(element.tag), version), attrs, int(element.sourceline or 0), folders=folders)
    if element.text:
        node.children.append(str(element.text))
    for child in element:
        if isinstance(child.tag, str):
            node.children.append(_node(child, version, folders))
        else:  # an entity that was not resolved
            raise Fault("bank_xml_dtd")
        if child.tail:
            node.children.append(str(child.tail))
    return node
