"""From XHTML to an item's plain words, and back.

Emphasis and layout are left out; what would change the meaning if it were (tables, formulas, indices that no Unicode
sign has, a picture in the middle of a sentence) is a Fault. `data-examroom-space="keep"` marks words whose spaces and
line ends are meant as they stand.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lxml import etree

from edge.bank.items import BLANK
from edge.bank.problems import Fault, names
from edge.bank.qti.tree import QTI3, Node
from edge.bank.signs import lowered, raised

KEEP = "data-examroom-space"
_BLOCKS = names(
    "p div section article header footer figure figcaption blockquote pre ul ol li dl dt dd h1 h2 h3 h4 h5 h6 address"
    " qti-prompt qti-content-body qti-item-body qti-simple-choice qti-simple-associable-choice qti-rubric-block"
)
_INLINE = names("span b strong i em u small big tt code kbd samp var cite q abbr acronym dfn a label bdo")
_DROPPED = names("qti-feedback-inline qti-feedback-block qti-stylesheet qti-companion-materials-info")
_MEDIA = names("img object audio video picture")
_RUN = re.compile(r"[ \t\r\n]+")
# a line wrapped in the file between two Chinese signs has no space in it
_WRAPPED = re.compile(r"(?<=[\u2e80-\u9fff\uff00-\uffef])[ \t]*[\r\n][ \t\r\n]*(?=[\u2e80-\u9fff\uff00-\uffef])")
_MARK = "\0"  # where a picture stood: no XML document can hold it


@dataclass
class Shown:
    """Something to look at or listen to: where it is in the package and what stands for it in words."""

    href: str
    alt: str
    place: str
    width: int = 0
    height: int = 0
    folders: tuple[str, ...] = ()
    """The `xml:base` around it."""


@dataclass
class Words:
    """An element's words with BLANK for each text entry, the entries' response ids, and what is shown beside."""

    text: str = ""
    entries: list[str] = field(default_factory=list)
    shown: list[Shown] = field(default_factory=list)


def words_of(*nodes: Node) -> Words:
    """The words of `nodes` one below the other. Block interactions give their prompt alone. Fault: see above."""
    reader = _Reader()
    for node in nodes:
        reader.element(node, keep=False)
        reader.line()
    return reader.words()


class _Reader:
    def __init__(self) -> None:
        self.found = Words()
        self.lines: list[tuple[str, bool]] = []
        self.pieces: list[str] = []
        self.keeps = False

    def line(self) -> None:
        text = "".join(self.pieces)
        if not self.keeps:
            text = _RUN.sub(" ", _WRAPPED.sub("", text)).strip(" ")
        before, mark, after = text.partition(_MARK)
        if mark and before.strip() and after.replace(_MARK, "").strip():
            raise Fault("bank_qti_inline_picture", detail=before.strip()[-20:])
        text = text.replace(_MARK, "").strip(" ") if mark else text
        if text or (self.keeps and not mark):
            self.lines.append((text, self.keeps))
        self.pieces, self.keeps = [], False

    def words(self) -> Words:
        self.line() if self.pieces else None
        self.found.text = "\n".join(text for text, _ in self.lines)
        return self.found

    def children(self, node: Node, keep: bool) -> None:
        for child in node.children:
            if isinstance(child, Node):
                self.element(child, keep)
            elif child:
                self.keeps |= keep
                self.pieces.append(child)

    def element(self, node: Node, keep: bool) -> None:
        name = node.name
        keep = keep or node.get(KEEP) == "keep"
        if name == "qti-text-entry-interaction":
            self.pieces.append(BLANK)
            self.found.entries.append(node.get("response-identifier"))
        elif name.endswith("-interaction"):
            self.line()
            for prompt in node.elements():
                if prompt.name == "qti-prompt":
                    self.element(prompt, keep)
            self.line()
        elif name in _MEDIA:
            self.found.shown.append(shown_of(node))
            self.pieces.append(_MARK)
        elif name in _DROPPED or (name == "qti-rubric-block" and "candidate" not in node.get("view").split()):
            return
        elif name == "br":
            self.line()
        elif name in ("sub", "sup"):
            self.index(node)
        elif name in _BLOCKS:
            if self.pieces:
                self.line()
            self.children(node, keep)
            if self.pieces:
                self.line()
        elif name in _INLINE:
            self.children(node, keep)
        else:
            raise Fault("bank_qti_element", where=node.place, element=name)

    def index(self, node: Node) -> None:
        text = node.text().strip()
        signs = raised(text) if node.name == "sup" else lowered(text)
        if signs is None:
            raise Fault("bank_qti_element", where=node.place, element=f"{node.name} {text[:20]}")
        self.pieces.append(signs)


def shown_of(node: Node) -> Shown:
    """The file an `img`, `object`, `audio`, `video` or `picture` shows."""
    if node.name == "picture":
        inner = node.first("img")
        if inner is None:
            raise Fault("bank_qti_element", where=node.place, element="picture")
        return shown_of(inner)
    href = node.get("src") or node.get("data")
    if not href:
        href = next((source.get("src") for source in node.elements() if source.name == "source"), "")
    alt = node.get("alt") or node.get("aria-label") or node.get("title")
    if not alt and node.name == "object":
        alt = _RUN.sub(" ", node.text()).strip()
    return Shown(href, alt, node.place, _pixels(node.get("width")), _pixels(node.get("height")), node.folders)


def _pixels(text: str) -> int:
    digits = text.strip().removesuffix("px")
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 6 else 0


def is_plain(text: str) -> bool:
    """Whether `text` comes back from ordinary paragraphs as it is."""
    return all(line and _RUN.sub(" ", line).strip(" ") == line for line in text.split("\n"))


def write_words(parent: etree._Element, text: str, entries: list[etree._Element] | None = None) -> None:
    """`text` as paragraphs under `parent`, with `entries` in the places of its blanks."""
    waiting = list(entries or [])
    whole = not is_plain(text)
    for line in [text] if whole else text.split("\n"):
        paragraph = etree.SubElement(parent, f"{{{QTI3}}}p")
        if whole:
            paragraph.set(KEEP, "keep")
        pieces = line.split(BLANK, len(waiting)) if waiting else [line]
        paragraph.text = pieces[0]
        for piece in pieces[1:]:
            entry = waiting.pop(0)
            entry.tail = piece
            paragraph.append(entry)


def write_inline(parent: etree._Element, text: str) -> None:
    """`text` directly in `parent`, an option say; paragraphs only where it has lines of its own."""
    if is_plain(text) and "\n" not in text:
        parent.text = text
    else:
        write_words(parent, text)
