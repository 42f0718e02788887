"""What a QTI item asks for more strictly than our scoring does: capitals that count, forms that a mask demands.

Where the file says so outright, its key would become laxer here, and it is refused; where it only leaves it open, or
loses nothing but a help with typing, that is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edge.bank.problems import Fault
from edge.bank.qti.processing import Declared, Scored, number
from edge.bank.qti.tree import FALSE, TRUE, Node
from edge.domain.keys import plain


def stricter(item: Node, declared: Mapping[str, Declared], scored: Mapping[str, Scored]) -> Iterator[Fault]:
    """What is to be told of an item that is taken over. Fault (raised) for what would be right here and is wrong
    there."""
    looked_at = set()
    for test in item.all("qti-string-match"):
        names = {part.get("identifier") for part in test.elements() if part.name == "qti-variable"}
        words = [part.text() for part in test.elements() if part.name == "qti-base-value"]
        words = words or [word for name in names if name in declared for word in declared[name].correct]
        yield from _cased(words, test)
        looked_at |= names
    for declaration in item.all("qti-response-declaration"):
        name = declaration.get("identifier")
        if declaration.get("base-type") != "string" or name not in scored:
            continue
        if scored[name].kind == "map":
            _alike(declared[name], declaration.place)
            for entry in declaration.all("qti-map-entry"):
                if number(entry.get("mapped-value")) != 0:
                    yield from _cased([entry.get("map-key")], entry)
        elif scored[name].kind == "match" and name not in looked_at:
            yield from _cased(declared[name].correct, declaration)
    for entry in item.all("qti-text-entry-interaction"):
        if entry.get("pattern-mask"):
            yield Fault("bank_qti_mask", where=entry.place, detail=entry.get("pattern-mask")[:40])


def _cased(words: list[str], node: Node) -> Iterator[Fault]:
    """`words` whose capitals count by `node`: whoever writes them otherwise is right here."""
    said = node.get("case-sensitive").strip()
    code = "bank_qti_case_counts" if said in TRUE else "bank_qti_case_open"
    for word in words if said not in FALSE else ():
        if word.lower() != word.upper():
            fault = Fault(code, where=node.place, detail=word[:40])
            if said in TRUE:
                raise fault
            yield fault


def _alike(response: Declared, place: str) -> None:
    """Fault for words that are worth nothing, and here the same as others that are right."""
    right = {plain(word) for word, worth in response.mapping.items() if worth != 0}
    for word, worth in response.mapping.items():
        if worth == 0 and plain(word) in right:
            raise Fault("bank_qti_case_counts", where=place, detail=word[:40])
